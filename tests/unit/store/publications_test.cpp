// SPDX-License-Identifier: MIT
#include "store/publications.h"

#include <algorithm>

#include "store/domains.h"
#include "store/state.h"

using namespace postcensus;
using namespace postcensus::store;
using namespace std::chrono_literals;
using census::Answer;
using census::CalloutClass;
using census::Reason;

namespace {

using Texts = std::vector<std::string>;

Texts texts(const std::vector<Row>& rows) {
    Texts all;
    for (const Row& row : rows) all.push_back(row.address.text());
    std::sort(all.begin(), all.end());
    return all;
}

std::int64_t adopt_all(TestState& state, const Texts& addresses, Time now = kNoon) {
    return state.write([&](Writer& writer) {
        std::vector<mail::Address> all;
        for (const std::string& text : addresses) all.push_back(address(text));
        return adopt(writer, all, now);
    });
}

void prune_at(TestState& state, Time now) {
    state.write([&](Writer& writer) { prune(writer, now); });
}

bool known(TestState& state, const std::string& text) {
    return state.read([&](SQLite::Database& db) { return find_address(db, address(text)).has_value(); });
}

}  // namespace

TEST_CASE("each table has its rows", "[store][publications]") {
    TestState state;
    state.accept("a@c.example");                                                         // seq 1
    state.settle("b@c.example", {Answer::closed, Reason::closed_listing, {}});           // seq 2
    state.settle("r1@c.example", {Answer::reject, Reason::proven_unknown, kNoon + 1h});  // seq 3
    state.settle("r2@c.example", {Answer::reject, Reason::proven_unknown, kNoon + 2h});  // seq 4
    state.drop("u@c.example");                                                           // seq 5
    state.write([](Writer& writer) {
        replace_domains(writer, {{"c.example", "", {address("o@c.example")}}});
    });
    const Seq named = *state.database().current_seq();
    CHECK(texts(state.read([](SQLite::Database& db) {
              std::vector<Row> rows;
              for_each_base_row(db, [&](std::string_view local, const std::string& domain) {
                  rows.push_back({address(std::string(local) + "@" + domain), {}});
              });
              return rows;
          })) == Texts{"a@c.example", "b@c.example"});
    const auto closed = state.read([](SQLite::Database& db) { return closed_rows(db); });
    REQUIRE(closed.size() == 1);
    CHECK(closed[0].address.text() == "b@c.example");

    const auto learned = [&](Seq base) {
        return texts(state.read([&](SQLite::Database& db) { return learned_rows(db, base); }));
    };
    CHECK(learned(0) == Texts{"a@c.example", "b@c.example"});
    CHECK(learned(1) == Texts{"b@c.example"});
    CHECK(learned(2).empty());
    // The operator's own stay there, whatever the base holds; and stand there once.
    state.settle("o@c.example", {Answer::accept, Reason::configured, {}});
    CHECK(learned(named) == Texts{"o@c.example"});
    CHECK(learned(named + 1) == Texts{"o@c.example"});

    // The rejections that end last come first.
    const auto unknown = [&](std::size_t most) {
        return state.read([&](SQLite::Database& db) { return unknown_rows(db, most); });
    };
    CHECK(texts(unknown(10)) == Texts{"r1@c.example", "r2@c.example"});
    REQUIRE(unknown(1).size() == 1);
    CHECK(unknown(1)[0].address.text() == "r2@c.example");
    CHECK(unknown(1)[0].until == kNoon + 2h);
}

TEST_CASE("a base grows old", "[store][publications]") {
    TestState state;
    const auto age = [&](Seq base) {
        return state.read([&](SQLite::Database& db) { return base_age(db, base); });
    };
    state.accept("a@c.example");  // seq 1
    state.accept("b@c.example");  // seq 2
    CHECK(age(1).learned == 1);
    CHECK(age(2).learned == 0);
    CHECK_FALSE(age(2).holds_removed);
    state.drop("a@c.example");  // seq 3
    CHECK(age(2).holds_removed);
    CHECK_FALSE(age(3).holds_removed);
    state.accept("a@c.example");
    CHECK_FALSE(age(2).holds_removed);
}

TEST_CASE("what is out is noted", "[store][publications]") {
    TestState state;
    const auto load = [&] { return state.read([](SQLite::Database& db) { return load_publications(db); }); };
    CHECK(load().empty());
    Publication out{3, 7, "digest", "identity", 42, kNoon + 1h, kNoon};
    state.write([&](Writer& writer) { note_publication(writer, "unknown", out); });
    out.generation = 4;
    out.until.reset();
    state.write([&](Writer& writer) { note_publication(writer, "unknown", out); });
    state.write([&](Writer& writer) {
        note_publication(writer, "directory", {1, 7, "d", "i", 1, kNoon, kNoon});
    });
    REQUIRE(load().size() == 2);
    const Publication found = load().at("unknown");
    CHECK(found.generation == 4);
    CHECK(found.seq == 7);
    CHECK(found.digest == "digest");
    CHECK(found.identity == "identity");
    CHECK(found.entries == 42);
    CHECK_FALSE(found.until);
    CHECK(found.at == kNoon);
    CHECK(load().at("directory").until == kNoon);
}

TEST_CASE("accepted extensions of a rejected address", "[store][publications]") {
    TestState state;
    for (const char* text :
         {"b+x@c.example", "b+@c.example", "b+x+y@c.example", "b-x@c.example", "bc+x@c.example",
          "b@c.example", "b,x@c.example", "a+x@c.example", "b+x@other.example"})
        state.accept(text);
    state.settle("b+closed@c.example", {Answer::closed, Reason::closed_callout, {}});
    state.settle("b+no@c.example", {Answer::reject, Reason::proven_unknown, kNoon + 1h});
    state.drop("b+unsure@c.example");
    const auto extensions = [&](const std::string& delimiters) {
        Texts all;
        for (const Extension& one : state.read([&](SQLite::Database& db) {
                 return accepted_extensions(db, address("b@c.example"), delimiters);
             })) {
            all.push_back(one.address.text());
            CHECK(one.closed == (one.address.text() == "b+closed@c.example"));
        }
        std::sort(all.begin(), all.end());
        return all;
    };
    const Texts plus{"b+@c.example", "b+closed@c.example", "b+x+y@c.example", "b+x@c.example"};
    CHECK(extensions("+") == plus);
    CHECK(extensions("-") == Texts{"b-x@c.example"});
    CHECK(extensions("+-").size() == 5);
    CHECK(extensions("").empty());

    const auto changed = [&](Seq since, const std::string& delimiters) {
        return state.read([&](SQLite::Database& db) { return extensions_changed(db, since, delimiters); });
    };
    const Seq now = *state.database().current_seq();
    CHECK(changed(0, "+"));
    CHECK(changed(0, "#+"));
    CHECK_FALSE(changed(0, "#"));
    CHECK_FALSE(changed(now, "+"));
    state.accept("d@c.example");
    state.accept("+d@c.example");
    CHECK_FALSE(changed(now, "+"));
    state.drop("b+x@c.example");
    CHECK(changed(now, "+"));
    CHECK_FALSE(changed(now, "-"));
}

TEST_CASE("a closed recipient is confirmed by what closed it", "[store][publications]") {
    TestState state;
    const auto confirmed = [&](const std::string& text) -> std::optional<Time> {
        for (const ClosedRow& row : state.read([](SQLite::Database& db) { return closed_rows(db); }))
            if (row.address.text() == text) return row.confirmed;
        FAIL_CHECK(text << " is not closed");
        return std::nullopt;
    };
    state.apply("corp", {{listing("1", {"l@c.example", "both@c.example"}, true)}, {}}, kNoon);
    state.apply("other", {{listing("2", {"both@c.example"}, true)}, {}}, kNoon + 1h);
    for (const char* text : {"l@c.example", "both@c.example"})
        state.settle(text, {Answer::closed, Reason::closed_listing, {}});
    state.callout("c@c.example", CalloutClass::policy, kNoon + 2h);
    state.settle("c@c.example", {Answer::closed, Reason::closed_callout, {}});
    CHECK(confirmed("l@c.example") == kNoon);
    CHECK(confirmed("both@c.example") == kNoon);
    CHECK(confirmed("c@c.example") == kNoon + 2h);
    // A reading that failed confirms nothing; nor does one of another directory, or a callout to another
    // address.
    state.write([](Writer& writer) {
        note_failed(writer, {.directory = "corp", .began = kNoon, .ended = kNoon + 3h, .good = false});
    });
    state.apply("other", {}, kNoon + 4h);
    state.callout("a@c.example", CalloutClass::policy, kNoon + 4h);
    CHECK(confirmed("l@c.example") == kNoon);
    CHECK(confirmed("both@c.example") == kNoon);
    CHECK(confirmed("c@c.example") == kNoon + 2h);
    state.apply("corp", {}, kNoon + 5h);
    CHECK(confirmed("l@c.example") == kNoon + 5h);
    CHECK(confirmed("both@c.example") == kNoon + 4h);
    state.callout("c@c.example", CalloutClass::policy, kNoon + 5h);
    CHECK(confirmed("c@c.example") == kNoon + 5h);
    // A look at the changes that found none moves the position only.
    state.write([](Writer& writer) {
        move_position(writer, "corp", {"dc1", "ldaps://dc1", "7", kNoon + 6h}, "");
    });
    CHECK(confirmed("l@c.example") == kNoon + 6h);
    // Who is not seen any more was confirmed before that.
    state.write([](Writer& writer) {
        const Reading reading{.directory = "corp",
                              .kind = ReadingKind::sweep,
                              .began = kNoon + 7h,
                              .ended = kNoon + 7h,
                              .began_seq = writer.seq};
        ReadingWriter out(writer, reading);
        out.mark_unseen("1");
        out.finish();
    });
    state.apply("corp", {}, kNoon + 8h);
    CHECK(confirmed("l@c.example") == kNoon + 5h);
}

TEST_CASE("addresses of a lost state are adopted", "[store][publications]") {
    TestState state;
    state.accept("known@c.example");
    state.apply("corp", {{listing("1", {"listed@c.example"})}, {}});
    state.clear_undecided();
    CHECK(adopt_all(state, {"known@c.example", "listed@c.example", "old@c.example", "old@branch.example"}) ==
          3);
    CHECK(state.pending("known@c.example").evidence.callouts.empty());
    CHECK(state.undecided() == Texts{"listed@c.example", "old@c.example", "old@branch.example"});
    const Pending old = state.pending("old@c.example");
    CHECK(old.reason == census::Reason::adopted);
    REQUIRE(old.evidence.adopted);
    CHECK(*old.evidence.adopted >= old.evidence.listed_at);
    // Nobody has asked: no callout says so, and it vouches for nobody.
    CHECK(old.evidence.callouts.empty());
    CHECK(state.read([](SQLite::Database& db) { return known_good(db, "branch.example", 10); }).empty());
    // What an operator forgets is forgotten.
    state.write([&](Writer& writer) { forget(writer, old.id, "alice", kNoon); });
    CHECK_FALSE(state.pending("old@c.example").evidence.adopted);
}

TEST_CASE("a good reading ends the adoption of domains without callouts", "[store][publications]") {
    TestState state;
    adopt_all(state, {"a@c.example", "b@branch.example"});
    const Seq began = *state.database().current_seq() + 1;
    state.write([](Writer&) {});
    adopt_all(state, {"late@c.example"});
    state.callout("a@c.example", CalloutClass::deliverable);
    state.clear_undecided();
    state.write([&](Writer& writer) { end_adoption(writer, {"c.example"}, began); });
    CHECK(state.undecided() == Texts{"a@c.example"});
    // What was really asked stays; so does another domain, and what was adopted after the reading began.
    CHECK_FALSE(state.pending("a@c.example").evidence.adopted);
    CHECK(state.pending("a@c.example").evidence.callouts.size() == 1);
    CHECK(state.pending("b@branch.example").evidence.adopted);
    CHECK(state.pending("late@c.example").evidence.adopted);
}

TEST_CASE("history ends, what is referenced stays", "[store][publications]") {
    TestState state;
    state.miss("made-up@c.example");
    state.miss("asked@c.example");
    state.callout("asked@c.example", CalloutClass::unknown);
    state.settle("left@c.example", {Answer::accept, Reason::proven, {}});
    state.drop("left@c.example");
    state.accept("accepted@c.example");
    state.apply("corp", {{listing("1", {"listed@other.example"})}, {}});
    state.write([](Writer& writer) {
        replace_domains(writer, {{"c.example", "", {address("named@c.example")}}});
    });
    state.accept("held@c.example");
    state.write([](Writer& writer) {
        AnswerWriter(writer, kNoon)
            .hold(*EvidenceReader(writer.db).load(*find_address(writer.db, address("held@c.example"))), 1);
    });
    state.clear_undecided();

    prune_at(state, kNoon + 13 * 24h);
    CHECK(state.count("SELECT count(*) FROM miss") == 2);
    CHECK(known(state, "made-up@c.example"));
    // Nobody has come back for five days.
    CHECK(state.question("made-up@c.example").empty());

    prune_at(state, kNoon + 15 * 24h);
    CHECK_FALSE(known(state, "made-up@c.example"));
    CHECK_FALSE(known(state, "asked@c.example"));
    for (const char* text : {"left@c.example", "accepted@c.example", "listed@other.example",
                             "named@c.example", "held@c.example"}) {
        CAPTURE(text);
        CHECK(known(state, text));
    }
    CHECK(state.count("SELECT count(*) FROM event WHERE address_id = (SELECT id FROM address WHERE address = "
                      "'left@c.example')") == 2);
    CHECK(state.count("SELECT count(*) FROM reading") == 1);

    prune_at(state, kNoon + 401 * 24h);
    CHECK(state.count("SELECT count(*) FROM event") == 0);
    CHECK(state.count("SELECT count(*) FROM reading") == 0);
    for (const char* text :
         {"accepted@c.example", "listed@other.example", "named@c.example", "held@c.example"}) {
        CAPTURE(text);
        CHECK(known(state, text));
    }
    // No row points to an address that is gone.
    for (const char* table : {"miss", "callout", "listing", "question", "undecided", "hold", "event"}) {
        CAPTURE(table);
        CHECK(state.count(std::string("SELECT count(*) FROM ") + table +
                          " WHERE address_id NOT IN (SELECT id FROM address)") == 0);
    }
}

TEST_CASE("a question that is not due yet keeps its address", "[store][publications]") {
    TestState state;
    state.drop("a@c.example");
    state.write([](Writer& writer) {
        ask(writer, *find_address(writer.db, address("a@c.example")), "refresh", kNoon, kNoon + 100 * 24h);
        writer.db.exec("DELETE FROM event");
    });
    prune_at(state, kNoon + 15 * 24h);
    CHECK(known(state, "a@c.example"));
}

TEST_CASE("made-up addresses that no server ever answered for go too", "[store][publications]") {
    TestState state;
    for (const auto klass : {CalloutClass::retry, CalloutClass::fault, CalloutClass::accept_all}) {
        const std::string text = std::string(name_of(klass)) + "@c.example";
        state.miss(text);
        state.callout(text, klass);
    }
    state.clear_undecided();
    prune_at(state, kNoon + 15 * 24h);
    CHECK(state.count("SELECT count(*) FROM address") == 0);
    CHECK(state.count("SELECT count(*) FROM callout") == 0);
}
