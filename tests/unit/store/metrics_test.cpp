// SPDX-License-Identifier: MIT
#include "store/metrics.h"

#include <chrono>

#include "store/domains.h"
#include "store/state.h"

using namespace postcensus;
using namespace postcensus::store;
using namespace std::chrono_literals;
using census::CalloutClass;

namespace {

census::WatchFacts watch_facts(TestState& state, Time now = kNoon) {
    return state.read([now](SQLite::Database& db) { return load_watch_facts(db, now); });
}

census::SyncFacts sync_facts(TestState& state, Time now = kNoon) {
    return state.read([now](SQLite::Database& db) { return load_sync_facts(db, now); });
}

}  // namespace

TEST_CASE("an empty state has metrics", "[store][metrics]") {
    TestState state;
    const auto watch = watch_facts(state);
    CHECK(watch.totals.empty());
    CHECK(watch.waiting == 0);
    CHECK(watch.tables.empty());
    const auto sync = sync_facts(state);
    CHECK(sync.directories.empty());
    CHECK(watch.held == 0);
}

TEST_CASE("metrics show what the state holds", "[store][metrics]") {
    TestState state;
    state.apply("corp", {{listing("1", {"a@c.example"}), listing("2", {"b@c.example"})}, {}}, kNoon);
    state.accept("a@c.example");
    state.accept("b@c.example");
    state.miss("new@c.example");
    state.write([](Writer& writer) {
        count(writer, "callout-unknown", kNoon, 2, "ex1:2525");
        count_learned(writer, 1500ms, kNoon);
        set_breakers(writer, {{"ex1:2525", "", {}, "at fault"}}, kNoon);
        replace_domains(writer, {{"c.example", "policy", {}}});
        set_accept_all(writer, "c.example", true);
        note_publication(writer, "unknown",
                         {.generation = 3, .entries = 1, .until = kNoon + 1h, .at = kNoon});
    });
    const auto watch = watch_facts(state);
    CHECK(watch.written == kNoon);
    CHECK(watch.totals.at({"callout-unknown", "ex1:2525"}) == 2);
    CHECK(watch.totals.at({"learned", "2"}) == 1);
    CHECK(watch.totals.at({"learned-ms", ""}) == 1500);
    CHECK(watch.addresses.at({"accept", "listed"}) == 2);
    REQUIRE(watch.breakers.size() == 1);
    CHECK(watch.breakers[0].target == "ex1:2525");
    CHECK(watch.accept_all == std::vector<std::string>{"c.example"});
    REQUIRE(watch.tables.size() == 1);
    CHECK(watch.tables[0].until == kNoon + 1h);
    CHECK(watch.undecided > 0);
    CHECK(watch.held == 0);
    CHECK(watch.unseen == 0);
    state.write([](Writer& writer) {
        AnswerWriter(writer, kNoon)
            .hold(*EvidenceReader(writer.db).load(*find_address(writer.db, address("a@c.example"))), 1);
        writer.db.exec("UPDATE object SET unseen_seq = 1 WHERE dn = 'cn=2'");
    });
    CHECK(watch_facts(state).held == 1);
    CHECK(watch_facts(state).unseen == 1);

    const auto sync = sync_facts(state);
    REQUIRE(sync.directories.size() == 1);
    CHECK(sync.directories[0].name == "corp");
    CHECK(sync.directories[0].listed == 2);
    CHECK(sync.directories[0].last_good == kNoon);
    CHECK(sync.readings.at({"applied", "corp"}) == 1);
}

TEST_CASE("questions are counted by who waits", "[store][metrics]") {
    TestState state;
    state.miss("a@c.example");
    state.miss("b@c.example");
    state.write(
        [](Writer& writer) { writer.db.exec("UPDATE question SET step = 2, rank = address_id - 1"); });
    auto facts = watch_facts(state);
    CHECK(facts.questions.at("came-back") == 1);
    CHECK(facts.questions.at("waits") == 1);
    CHECK(facts.questions.count("nobody") == 0);
    // What waits for its time stands in no line.
    state.write([](Writer& writer) { writer.db.exec("UPDATE question SET step = 0"); });
    CHECK(watch_facts(state).questions.empty());
}

TEST_CASE("mail waits where senders come back after an hour, and within the last day", "[store][metrics]") {
    TestState state;
    const auto waiting = [&](Time now) { return watch_facts(state, now).waiting; };
    state.miss("a@c.example", kNoon);
    state.miss("a@c.example", kNoon + 59min);
    CHECK(waiting(kNoon + 59min) == 0);
    state.miss("a@c.example", kNoon + 60min);
    CHECK(waiting(kNoon + 60min) == 1);
    CHECK(waiting(kNoon + 24h) == 1);
    // Nobody has come back for a day.
    CHECK(waiting(kNoon + 25h + 1ms) == 0);
    // Who comes after that is another sender, and has only begun to wait.
    state.miss("a@c.example", kNoon + 26h);
    CHECK(waiting(kNoon + 26h) == 0);
    state.miss("a@c.example", kNoon + 27h);
    CHECK(waiting(kNoon + 27h) == 1);
    state.accept("a@c.example");
    CHECK(waiting(kNoon + 27h) == 0);
}

TEST_CASE("counters survive a restart, and the end of what is kept", "[store][metrics]") {
    TestState state;
    state.write([](Writer& writer) {
        count(writer, "misses", kNoon, 3);
        count(writer, "callout-unknown", kNoon, 2, "ex1:2525");
        count_learned(writer, 1s, kNoon);
    });
    auto before = watch_facts(state).totals;
    before.erase({"callout-unknown", "ex1:2525"});  // a server that is asked no more leaves its place
    const Time later = kNoon + 500 * 24h;
    state.write([later](Writer& writer) { prune(writer, later); });
    CHECK(state.count("SELECT count(*) FROM counter") == 0);
    auto again = Database::open(state.path(), Database::Mode::create, 0ms);
    REQUIRE(again);
    const auto facts = again->read([later](SQLite::Database& db) { return load_watch_facts(db, later); });
    REQUIRE(facts);
    CHECK(facts->totals == before);
    state.write([later](Writer& writer) { count(writer, "misses", later, 1); });
    CHECK(watch_facts(state, later).totals.at({"misses", ""}) == 4);
}
