// SPDX-License-Identifier: MIT
#include "store/readings.h"

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
    CHECK(state.pending("b@c.example").evidence.listed_at == 1);
    state.clear_undecided();

    state.apply("corp", {{listing("2", {"b@c.example"}, true)}, {"3"}});
    CHECK(state.undecided() == Texts{"b@c.example", "d@c.example"});
    CHECK(state.pending("a@c.example").evidence.listed_at == 1);
    CHECK(state.pending("b@c.example").evidence.listed_at == 3);
    CHECK(state.pending("d@c.example").evidence.listed_at == 3);
    CHECK(state.pending("d@c.example").evidence.listings == 0);
}

TEST_CASE("digests say what a directory has in the state", "[store][readings]") {
    TestState state;
    const std::string guid("\0\xFF'\0", 4);
    const census::Listing first = listing(guid, {"a@c.example"});
    state.apply("corp", {{first, listing("2", {})}, {}});
    state.apply("branch", {{listing("3", {"a@c.example"})}, {}});
    const auto digests = [&] {
        return state.read([](SQLite::Database& db) { return load_digests(db, "corp"); });
    };
    CHECK(digests().size() == 2);
    REQUIRE(digests().count(guid) == 1);
    CHECK(digests().at(guid) == first.digest());
    const census::Listing closed = listing(guid, {"a@c.example"}, true);
    state.apply("corp", {{closed}, {"2"}});
    CHECK(digests().size() == 1);
    CHECK(digests().at(guid) == closed.digest());

    const auto directories = [&] {
        return state.read([](SQLite::Database& db) { return directories_with_objects(db); });
    };
    CHECK(directories() == Texts{"branch", "corp"});
    state.apply("corp", {{}, {guid}});
    CHECK(directories() == Texts{"branch"});
}

TEST_CASE("a reading that breaks off in the middle changes nothing", "[store][readings]") {
    TestState state;
    state.apply("corp", {{listing("1", {"a@c.example"})}, {}});
    state.clear_undecided();
    const Difference difference{{listing("2", {"b@c.example"}), listing("3", {"d@c.example"})}, {"1"}};
    const auto failed = state.database().write([&](Writer& writer) {
        apply(writer, {.directory = "corp", .began = kNoon, .ended = kNoon}, difference);
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
                      "seq = 1") == 1);
    CHECK(state.count("SELECT count(*) FROM reading WHERE good = 0 AND added = 0 AND outcome = 'the server "
                      "is away' AND seq = 2") == 1);
    CHECK(listed_by(state, "corp", "1") == Texts{"a@c.example"});
}
