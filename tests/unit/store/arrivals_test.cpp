// SPDX-License-Identifier: MIT
#include "store/arrivals.h"

#include "store/state.h"

using namespace postcensus;
using namespace postcensus::store;
using census::Answer;
using census::Reason;

namespace {

using Texts = std::vector<std::string>;

// What stands in the state about addresses and their listings, in words that do not depend on ids.
Texts known(TestState& state) {
    return state.read([](SQLite::Database& db) {
        Texts lines;
        SQLite::Statement all(
            db,
            "SELECT address || ' ' || answer || ' ' || reason || ' ' || coalesce(accepted_seq, '-') || "
            "(SELECT ' ' || coalesce(group_concat(dn || '/' || closed), '') FROM (SELECT dn, closed FROM "
            "listing JOIN object ON object.id = object_id WHERE address_id = address.id ORDER BY dn)) || "
            "(SELECT iif(count(*), ' undecided', '') FROM undecided WHERE address_id = address.id) "
            "FROM address ORDER BY address");
        while (all.executeStep()) lines.push_back(all.getColumn(0).getString());
        return lines;
    });
}

// Names in another order than that of the directory, three domains, addresses that more than one object
// lists.
Difference crowd(int objects) {
    Difference difference;
    for (int i = 0; i < objects; ++i) {
        const std::string number = std::to_string(i * 7919 % 1000);
        difference.changed.push_back(listing(
            std::to_string(i),
            {"p" + number + "@c.example", "p" + number + "@d.example", "all@c.example", "x@e.example"},
            i % 3 == 0));
    }
    return difference;
}

Applied read_first(TestState& state, ReadingKind kind, const Difference& difference,
                   const ListedAnswer& answer = {}) {
    const Seq began = state.write([](Writer& writer) { return begin_reading(writer); });
    const Reading reading{
        .directory = "corp", .kind = kind, .began = kNoon, .ended = kNoon, .began_seq = began};
    return state.write([&](Writer& writer) {
        ReadingWriter out(writer, reading, answer);
        for (const census::Listing& one : difference.changed) out.put(one);
        return out.finish();
    });
}

std::optional<census::Verdict> listed_answer(SQLite::Database&, const std::string& domain, bool closed) {
    if (domain == "d.example") return std::nullopt;
    if (domain == "e.example") return census::Verdict{Answer::unsure, Reason::not_relayed, {}};
    if (closed) return census::Verdict{Answer::closed, Reason::closed_listing, {}};
    return census::Verdict{Answer::accept, Reason::listed, {}};
}

}  // namespace

TEST_CASE("a first reading stores what any other would", "[store][arrivals]") {
    for (const int objects : {1, 2, 7, 8, 9, 100}) {
        CAPTURE(objects);
        TestState first;
        TestState other;
        for (TestState* state : {&first, &other}) {
            // Known before: missed, listed elsewhere, found by a lookup.
            state->miss("p0@c.example");
            state->apply("branch", {{listing("b", {"all@c.example", "x@e.example"})}, {}});
            read_first(*state, ReadingKind::lookup, {{listing("0", {"p0@c.example", "old@c.example"})}, {}});
            state->clear_undecided();
        }
        const Applied one = read_first(first, ReadingKind::full, crowd(objects));
        const Applied two = read_first(other, ReadingKind::changes, crowd(objects));
        CHECK(known(first) == known(other));
        CHECK(one.added == two.added);
        CHECK(one.removed == two.removed);
        CHECK(one.listed == two.listed);
        CHECK(one.listed == first.count("SELECT count(DISTINCT address_id) FROM listing JOIN object ON "
                                        "object.id = object_id JOIN directory ON directory.id = "
                                        "directory_id WHERE name = 'corp'"));
    }
}

TEST_CASE("the index of listings is there after a first reading", "[store][arrivals]") {
    TestState state;
    const std::string index = "SELECT count(*) FROM sqlite_master WHERE name = 'listing_by_object'";
    const std::string whole = "SELECT group_concat(integrity_check) = 'ok' FROM pragma_integrity_check";
    REQUIRE(state.count(index) == 1);
    read_first(state, ReadingKind::full, crowd(50));
    CHECK(state.count(index) == 1);
    CHECK(state.count(whole) == 1);

    // A reading that breaks off takes it away no more than the rest.
    TestState broken;
    const auto failed = broken.database().write([](Writer& writer) {
        const Reading reading{
            .directory = "corp", .kind = ReadingKind::full, .began = kNoon, .ended = kNoon, .began_seq = 1};
        ReadingWriter out(writer, reading);
        out.put(listing("1", {"a@c.example"}));
        throw Abort{{ExitCode::cannot_write, "full", {}}};
    });
    CHECK_FALSE(failed);
    CHECK(broken.count(index) == 1);
    CHECK(known(broken).empty());
}

TEST_CASE("what a first reading brings is answered as it is stored", "[store][arrivals]") {
    TestState state;
    state.miss("p0@c.example");
    const Applied applied = read_first(state, ReadingKind::full, crowd(30), listed_answer);
    CHECK(applied.added == 62);
    // The missed one is known already, and the decider of this state has another policy for d.example.
    const Texts undecided = state.undecided();
    CHECK(undecided.size() == 31);
    CHECK(std::count(undecided.begin(), undecided.end(), "p0@c.example") == 1);
    CHECK(state.pending("p0@c.example").evidence.answered == Answer::unsure);
    CHECK(state.pending("p919@d.example").evidence.answered == Answer::unsure);

    CHECK(state.pending("p919@c.example").evidence.answered == Answer::accept);
    CHECK(state.pending("p919@c.example").reason == Reason::listed);
    CHECK(state.pending("p757@c.example").evidence.answered == Answer::closed);  // the fourth object
    CHECK(state.pending("all@c.example").evidence.answered == Answer::accept);   // some are open
    CHECK(state.pending("x@e.example").reason == Reason::not_relayed);
    CHECK(state.count("SELECT sum(addresses) FROM census WHERE domain = 'c.example'") == 30);
    CHECK(state.count("SELECT count(DISTINCT domain) FROM census") == 1);
    CHECK(state.count("SELECT count(*) FROM address WHERE accepted_seq IS NOT NULL") == 30);
    CHECK(state.count("SELECT count(*) FROM event") == 0);

    // The second reading of the directory is one like all others.
    read_first(state, ReadingKind::full, {{listing("new", {"new@c.example"})}, {}}, listed_answer);
    CHECK(state.pending("new@c.example").evidence.answered == Answer::unsure);
}

TEST_CASE("more than can be sorted at once", "[store][arrivals]") {
    // Long names fill the memory sooner; each half of the objects lists the names of the other half, too.
    const std::string tail(40, 'z');
    Difference difference;
    constexpr int kObjects = 140'000;
    for (int i = 0; i < kObjects; ++i) {
        const auto name = [&](int number) {
            return std::to_string(number) + tail + "@a-domain-with-a-long-name." + std::string(60, 'y') +
                   ".example";
        };
        difference.changed.push_back(
            listing(std::to_string(i), {name(i), name((i + kObjects / 2) % kObjects)}));
    }
    TestState state;
    const Applied applied =
        read_first(state, ReadingKind::full, difference,
                   [](SQLite::Database&, const std::string&, bool) -> std::optional<census::Verdict> {
                       return census::Verdict{Answer::accept, Reason::listed, {}};
                   });
    CHECK(applied.added == kObjects);
    CHECK(applied.listed == kObjects);
    CHECK(state.count("SELECT count(*) FROM address") == kObjects);
    CHECK(state.count("SELECT count(*) FROM listing") == 2 * kObjects);
    CHECK(state.count("SELECT sum(addresses) FROM census") == kObjects);
    // The later half of them met an address that was stored already: it is looked at once more.
    CHECK(state.count("SELECT count(*) FROM undecided") > 0);
    CHECK(state.count("SELECT count(*) FROM address WHERE answer = 'unsure'") == 0);
}
