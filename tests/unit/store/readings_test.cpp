// SPDX-License-Identifier: MIT
#include "store/readings.h"

#include "store/absences.h"
#include "store/state.h"

using namespace postcensus;
using namespace postcensus::store;

namespace {

using Texts = std::vector<std::string>;

Texts listed_by(TestState& state, const std::string& directory, const std::string& guid) {
    return state.read([&](SQLite::Database& db) { return addresses_of(db, directory, guid); });
}

}  // namespace

TEST_CASE("a reading counts what appears and disappears", "[store][readings]") {
    TestState state;
    Applied applied = state.apply(
        "corp",
        {{listing("1", {"a@c.example", "b@c.example"}), listing("2", {"b@c.example", "d@c.example"})}, {}});
    CHECK(applied.added == 3);
    CHECK(applied.removed == 0);
    CHECK(applied.listed == 3);

    // One object loses an address that the other one still lists, and gains one.
    applied = state.apply("corp", {{listing("1", {"a@c.example", "e@c.example"})}, {}});
    CHECK(applied.added == 1);
    CHECK(applied.removed == 0);
    CHECK(applied.listed == 4);
    CHECK(listed_by(state, "corp", "1") == Texts{"a@c.example", "e@c.example"});
    CHECK(listed_by(state, "corp", "2") == Texts{"b@c.example", "d@c.example"});

    applied = state.apply("corp", {{}, {"2", "no such object"}});
    CHECK(applied.added == 0);
    CHECK(applied.removed == 2);
    CHECK(applied.listed == 2);
    CHECK(listed_by(state, "corp", "2").empty());

    // What moves from one object to another in one reading has neither come nor gone.
    applied = state.apply("corp", {{listing("3", {"a@c.example", "e@c.example"})}, {"1"}});
    CHECK(applied.added == 0);
    CHECK(applied.removed == 0);
    CHECK(applied.listed == 2);

    // An object that lists nothing any more.
    applied = state.apply("corp", {{listing("3", {})}, {}});
    CHECK(applied.removed == 2);
    CHECK(applied.listed == 0);
}

TEST_CASE("an address that two objects list stays with the one that is left", "[store][readings]") {
    TestState state;
    state.apply("corp", {{listing("1", {"a@c.example"}), listing("2", {"a@c.example"}, true)}, {}});
    CHECK(state.pending("a@c.example").evidence.listings == 2);
    CHECK(state.pending("a@c.example").evidence.closed_listings == 1);

    CHECK(state.apply("corp", {{}, {"1"}}).removed == 0);
    CHECK(state.pending("a@c.example").evidence.listings == 1);
    CHECK(state.pending("a@c.example").evidence.closed_listings == 1);

    // Another directory's object of the same GUID is another object.
    CHECK(state.apply("branch", {{listing("2", {"a@c.example"})}, {}}).added == 0);
    CHECK(state.pending("a@c.example").evidence.listings == 2);
    CHECK(state.apply("corp", {{}, {"2"}}).removed == 0);
    CHECK(state.apply("branch", {{}, {"2"}}).removed == 1);
    CHECK(state.pending("a@c.example").evidence.listings == 0);
}

TEST_CASE("only addresses whose listings changed become undecided", "[store][readings]") {
    TestState state;
    state.apply(
        "corp",
        {{listing("1", {"a@c.example"}), listing("2", {"b@c.example"}), listing("3", {"d@c.example"})}, {}});
    CHECK(state.undecided().size() == 3);
    CHECK(state.pending("b@c.example").evidence.listed_at == 2);
    state.clear_undecided();

    state.apply("corp", {{listing("2", {"b@c.example"}, true)}, {"3"}});
    CHECK(state.undecided() == Texts{"b@c.example", "d@c.example"});
    CHECK(state.pending("a@c.example").evidence.listed_at == 2);
    CHECK(state.pending("b@c.example").evidence.listed_at == 5);
    CHECK(state.pending("d@c.example").evidence.listed_at == 5);
    CHECK(state.pending("d@c.example").evidence.listings == 0);
}

TEST_CASE("what a directory has in the state is found by its key", "[store][readings]") {
    TestState state;
    const std::string guid("\0\xFF'\0", 4);
    const census::Listing first = listing(guid, {"a@c.example"});
    state.apply("corp", {{first, listing("2", {})}, {}});
    state.apply("branch", {{listing("3", {"a@c.example"})}, {}});
    const auto find = [&](const std::string& key) {
        return state.read([&](SQLite::Database& db) { return KnownObjects(db, "corp").find(key); });
    };
    REQUIRE(find(guid));
    CHECK(find(guid)->digest == first.digest());
    CHECK_FALSE(find("2"));
    CHECK_FALSE(find("3"));
    const census::Listing closed = listing(guid, {"a@c.example"}, true);
    state.apply("corp", {{closed}, {}});
    CHECK(find(guid)->digest == closed.digest());

    const auto directories = [&] {
        return state.read([](SQLite::Database& db) { return directories_with_objects(db); });
    };
    CHECK(directories() == Texts{"branch", "corp"});
    state.apply("corp", {{}, {guid}});
    CHECK(find(guid)->gone);
    CHECK(directories() == Texts{"branch"});
}

TEST_CASE("an object has the values of the reading that began last", "[store][readings]") {
    TestState state;
    state.apply("corp", {{listing("1", {"a@c.example"}), listing("2", {"b@c.example"})}, {}});
    const auto begin = [&] { return state.write([](Writer& writer) { return begin_reading(writer); }); };
    const auto reading = [](ReadingKind kind, Seq began) {
        return Reading{.directory = "corp", .kind = kind, .began = kNoon, .ended = kNoon, .began_seq = began};
    };
    const Seq full = begin();
    const Seq poll = begin();
    state.apply(reading(ReadingKind::changes, poll),
                {{listing("1", {"new@c.example"}), listing("3", {"d@c.example"})}, {"2"}});
    // The full reading met 1 and 2 before they changed, and 3 not at all.
    state.apply(reading(ReadingKind::full, full),
                {{listing("1", {"old@c.example"}), listing("2", {"b@c.example"})}, {"3"}});
    CHECK(listed_by(state, "corp", "1") == Texts{"new@c.example"});
    CHECK(listed_by(state, "corp", "2").empty());
    CHECK(listed_by(state, "corp", "3") == Texts{"d@c.example"});

    // Of one that began before a full reading that was applied, nothing counts: also not what that one ended.
    const Seq late = begin();
    const Seq newer = begin();
    state.apply(reading(ReadingKind::full, newer), {{}, {"1"}});
    state.apply(reading(ReadingKind::lookup, late),
                {{listing("1", {"new@c.example"}), listing("4", {"e@c.example"})}, {}});
    CHECK(listed_by(state, "corp", "1").empty());
    CHECK(listed_by(state, "corp", "4").empty());
}

TEST_CASE("the count of listed addresses is kept, not counted", "[store][readings]") {
    TestState state;
    std::int64_t listed = 0;
    const auto apply = [&](const std::string& directory, const Difference& difference) {
        listed = state.apply(directory, difference).listed;
        const std::int64_t counted = state.read([&](SQLite::Database& db) {
            SQLite::Statement count(
                db,
                "SELECT count(DISTINCT address_id) FROM listing JOIN object ON object.id "
                "= object_id WHERE directory_id = (SELECT id FROM directory WHERE name = ?)");
            count.bind(1, directory);
            count.executeStep();
            return count.getColumn(0).getInt64();
        });
        CHECK(listed == counted);
    };
    apply("corp", {{listing("1", {"a@c.example", "b@c.example"}), listing("2", {"b@c.example"})}, {}});
    apply("branch", {{listing("1", {"b@c.example"})}, {}});
    apply("corp", {{listing("1", {"d@c.example"}), listing("3", {"a@c.example"})}, {"2"}});
    // The same object twice in one reading: a server may send it in two pages.
    apply("corp", {{listing("4", {"x@c.example", "y@c.example"}), listing("4", {"y@c.example"})}, {}});
    apply("corp", {{}, {"1", "3", "4"}});
    CHECK(listed == 0);
}

TEST_CASE("an unseen object keeps what it lists", "[store][readings]") {
    TestState state;
    state.apply("corp", {{listing("1", {"a@c.example"})}, {}});
    state.clear_undecided();
    const auto mark = [&](bool seen) {
        return state.write([&](Writer& writer) {
            const Reading reading{.directory = "corp", .kind = ReadingKind::sweep, .began_seq = writer.seq};
            ReadingWriter out(writer, reading);
            if (seen)
                out.mark_seen("1");
            else
                out.mark_unseen("1");
            return out.finish();
        });
    };
    CHECK(mark(false).unseen == 1);
    CHECK(state.undecided() == Texts{"a@c.example"});
    CHECK(state.pending("a@c.example").evidence.listings == 1);
    CHECK(state.pending("a@c.example").evidence.unseen_listings == 1);
    const Seq since = state.pending("a@c.example").evidence.unseen_at;
    CHECK(mark(false).unseen == 0);  // it is known by now
    CHECK(state.pending("a@c.example").evidence.unseen_at == since);
    CHECK(state.read([](SQLite::Database& db) { return directories_doubtful(db, "c.example"); }));
    state.clear_undecided();
    CHECK(mark(true).unseen == 0);
    CHECK(state.undecided() == Texts{"a@c.example"});
    CHECK(state.pending("a@c.example").evidence.unseen_listings == 0);
    CHECK_FALSE(state.read([](SQLite::Database& db) { return directories_doubtful(db, "c.example"); }));
}

TEST_CASE("a position moves only from where its reader started", "[store][readings]") {
    TestState state;
    const auto move = [&](const std::string& to, const std::string& from) {
        return state.write([&](Writer& writer) {
            return move_position(writer, "corp", {"dc1-invocation", "ldaps://dc1", to, kNoon}, from);
        });
    };
    CHECK(move("5", ""));
    CHECK_FALSE(move("6", ""));
    CHECK(move("7", "5"));
    CHECK_FALSE(move("6", "5"));  // a slower reader would throw us back
    const auto facts = state.read([](SQLite::Database& db) { return load_directory(db, "corp"); });
    REQUIRE(facts.positions.size() == 1);
    CHECK(facts.positions.front().text == "7");
    state.write([](Writer& writer) { forget_positions(writer); });
    CHECK(state.read([](SQLite::Database& db) { return load_directory(db, "corp"); }).positions.empty());
}

TEST_CASE("a reading that breaks off in the middle changes nothing", "[store][readings]") {
    TestState state;
    state.apply("corp", {{listing("1", {"a@c.example"})}, {}});
    state.clear_undecided();
    const Difference difference{{listing("2", {"b@c.example"}), listing("3", {"d@c.example"})}, {"1"}};
    const auto failed = state.database().write([&](Writer& writer) {
        const Reading reading{.directory = "corp", .began = kNoon, .ended = kNoon, .began_seq = writer.seq};
        ReadingWriter out(writer, reading);
        for (const census::Listing& changed : difference.changed) out.put(changed);
        for (const std::string& guid : difference.gone) out.end(guid);
        out.finish();
        writer.db.exec("INSERT INTO no_such_table VALUES (1)");
    });
    REQUIRE_FALSE(failed);
    CHECK(listed_by(state, "corp", "1") == Texts{"a@c.example"});
    CHECK(state.undecided().empty());
    CHECK(state.count("SELECT count(*) FROM address") == 1);
    CHECK(state.count("SELECT count(*) FROM reading") == 1);
}

TEST_CASE("each reading is noted with its outcome", "[store][readings]") {
    TestState state;
    state.apply("corp", {{listing("1", {"a@c.example"})}, {}});
    state.write([](Writer& writer) {
        note_failed(writer, {.directory = "corp",
                             .began = kNoon,
                             .ended = kNoon,
                             .outcome = "the server is away",
                             .good = false});
    });
    CHECK(state.count("SELECT count(*) FROM reading WHERE good = 1 AND added = 1 AND outcome = 'applied' AND "
                      "seq = 2") == 1);
    CHECK(state.count("SELECT count(*) FROM reading WHERE good = 0 AND added = 0 AND outcome = 'the server "
                      "is away' AND seq = 3") == 1);
    CHECK(listed_by(state, "corp", "1") == Texts{"a@c.example"});
}
