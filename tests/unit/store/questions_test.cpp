// SPDX-License-Identifier: MIT
#include "store/questions.h"

#include <map>
#include <set>

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

const std::string kA = "a@c.example";

// The classes of what is kept of an address, and when each was, in minutes.
std::string kept(TestState& state) {
    return state.read([](SQLite::Database& db) {
        std::string text;
        SQLite::Statement all(db, "SELECT class, at FROM callout ORDER BY began_seq, id");
        while (all.executeStep())
            text += (text.empty() ? "" : " ") + all.getColumn(0).getString() + "@" +
                    std::to_string((all.getColumn(1).getInt64() - to_unix_ms(kNoon)) / 60'000);
        return text;
    });
}

void ask_for(TestState& state, const std::string& cause, Milliseconds due) {
    state.write([&](Writer& writer) {
        ask(writer, AddressBook(writer).ensure(address(kA)), cause, kNoon, kNoon + due);
    });
}

void back_off(TestState& state, int attempts, Milliseconds due) {
    state.write([&](Writer& writer) {
        put_back(
            writer,
            {.id = AddressBook(writer).ensure(address(kA)), .address = address(kA), .attempts = attempts - 1},
            kNoon, due);
    });
}

}  // namespace

TEST_CASE("misses are decided first", "[store][questions]") {
    TestState state;
    state.apply("corp", {{listing("1", {"z@c.example", "b@c.example"})}, {}});
    state.miss("m@c.example");
    state.miss("z@c.example");
    // Within a rank, in the order in which the state met them.
    CHECK(state.undecided() == Texts{"z@c.example", "m@c.example", "b@c.example"});
    // What was missed does not lose its place.
    state.write([](Writer& writer) {
        AddressBook(writer).mark_undecided(*find_address(writer.db, address("m@c.example")),
                                           AddressBook::Rank::other);
    });
    CHECK(state.undecided() == Texts{"z@c.example", "m@c.example", "b@c.example"});

    CHECK(state.read([](SQLite::Database& db) { return next_undecided(db, 2).size(); }) == 2);
    state.accept("m@c.example");
    CHECK(state.undecided() == Texts{"z@c.example", "b@c.example"});
}

TEST_CASE("a miss counts if it came after the address was last accepted", "[store][questions]") {
    TestState state;
    const auto missed = [&] { return state.pending(kA).evidence.missed; };
    const Seq first = state.miss(kA);
    CHECK(missed() == first);
    state.miss(kA);
    CHECK(missed() == first);  // the first of them
    state.accept(kA);
    CHECK_FALSE(missed());
    state.miss(kA);  // Postfix met an old table
    CHECK_FALSE(missed());
    state.drop(kA);
    CHECK_FALSE(missed());
    const Seq second = state.miss(kA);
    CHECK(missed() == second);
    state.settle(kA, {Answer::closed, Reason::closed_callout, {}});
    CHECK_FALSE(missed());
    state.settle(kA, {Answer::reject, Reason::proven_unknown, kNoon + 1h});
    CHECK_FALSE(missed());
    const Seq third = state.miss(kA);
    CHECK(missed() == third);
    // Between answers that accept nothing it goes on counting.
    state.drop(kA);
    CHECK(missed() == third);
}

TEST_CASE("a miss is a question while its address is unsure", "[store][questions]") {
    TestState state;
    state.miss(kA, kNoon + 5s);
    CHECK(state.question(kA) == "miss 0 5");
    state.accept("b@c.example");
    state.miss("b@c.example");
    CHECK(state.question("b@c.example").empty());
    state.settle("r@c.example", {Answer::reject, Reason::proven_unknown, kNoon + 1h});
    state.miss("r@c.example");
    CHECK(state.question("r@c.example").empty());
    state.write([](Writer& writer) {
        record_misses(writer, {{address("d@c.example"), "192.0.2.1", kNoon, Step::waits}}, kNoon);
    });
    CHECK(state.question("d@c.example").empty());
    CHECK(state.count("SELECT count(*) FROM miss") == 4);
}

TEST_CASE("a question is brought forward, never delayed", "[store][questions]") {
    TestState state;
    ask_for(state, "refresh", 7 * 24h);
    CHECK(state.question(kA) == "refresh 0 604800");
    ask_for(state, "miss", 0s);
    CHECK(state.question(kA) == "miss 0 0");
    ask_for(state, "refresh", 7 * 24h);
    CHECK(state.question(kA) == "miss 0 0");
    ask_for(state, "miss", 10s);
    CHECK(state.question(kA) == "miss 0 0");
    state.write([](Writer& writer) { end_question(writer, *find_address(writer.db, address(kA))); });
    CHECK(state.question(kA).empty());
}

TEST_CASE("a question that backs off stays where it is", "[store][questions]") {
    TestState state;
    ask_for(state, "miss", 0s);
    back_off(state, 3, 10min);
    CHECK(state.question(kA) == "miss 3 600");
    ask_for(state, "miss", 1s);
    CHECK(state.question(kA) == "miss 3 600");
    // One that waits for another cause is brought forward.
    back_off(state, 3, 10min);
    ask_for(state, "listing-ended", 1s);
    CHECK(state.question(kA) == "listing-ended 3 1");
    back_off(state, 4, 10min);
    ask_for(state, "miss", 2s);
    CHECK(state.question(kA) == "miss 4 2");
}

TEST_CASE("questions stand in line in their order", "[store][questions]") {
    TestState state;
    const auto miss = [&](const std::string& text, census::Place place, Step first = Step::call_out) {
        state.write([&](Writer& writer) {
            record_misses(writer, {{address(text), "192.0.2.1", kNoon, first, place}}, kNoon);
        });
    };
    const auto line = [&](Step step, bool sender_waits, std::size_t most = 10) {
        return state.read([&](SQLite::Database& db) {
            Texts texts;
            for (const Question& question : in_line(db, step, "c.example", sender_waits, most))
                texts.push_back(question.address.text());
            return texts;
        });
    };
    ask_for(state, "refresh", 0s);
    miss("second@c.example", {false, 2});
    miss("first@c.example", {false, 1});
    miss("back@c.example", {true, 9});
    miss("looked@c.example", {false, 0}, Step::look_up);
    miss("x@other.example", {false, 0});
    CHECK(line(Step::call_out, true) == Texts{"back@c.example", "first@c.example", "second@c.example"});
    CHECK(line(Step::call_out, true, 1) == Texts{"back@c.example"});
    CHECK(line(Step::call_out, false) == Texts{kA});
    CHECK(line(Step::look_up, true) == Texts{"looked@c.example"});
    const auto domains = [&](Step step) {
        return state.read([&](SQLite::Database& db) { return domains_in_line(db, step); });
    };
    CHECK(domains(Step::call_out) == Texts{"c.example", "other.example"});
    CHECK(domains(Step::look_up) == Texts{"c.example"});
    // Its sender comes back: it goes first; a worse place changes nothing.
    miss("second@c.example", {true, 1});
    miss("second@c.example", {false, 50});
    CHECK(line(Step::call_out, true, 1) == Texts{"second@c.example"});
    state.write(
        [](Writer& writer) { call_out(writer, *find_address(writer.db, address("looked@c.example"))); });
    CHECK(line(Step::call_out, true)[2] == "looked@c.example");
    // A miss of one that is in line without a sender.
    miss(kA, {false, 0.5});
    CHECK(line(Step::call_out, false).empty());
    CHECK(line(Step::call_out, true)[3] == kA);
    const auto turns = state.read([](SQLite::Database& db) { return first_turns(db); });
    REQUIRE(turns.size() == 2);
    CHECK(turns[0] == std::pair<std::string, double>("c.example", 0));
}

TEST_CASE("what waits comes into line when it is due", "[store][questions]") {
    TestState state;
    ask_for(state, "refresh", 1h);
    state.miss("m@c.example");
    state.write([](Writer& writer) {
        const auto id = *find_address(writer.db, address("m@c.example"));
        put_back(writer, {.id = id, .address = address("m@c.example"), .attempts = 3}, kNoon, 10min);
    });
    const auto next = [&] { return state.read([](SQLite::Database& db) { return next_due(db); }); };
    const auto in = [&](Step step) {
        return state.count("SELECT count(*) FROM question WHERE step = " +
                           std::to_string(static_cast<int>(step)));
    };
    CHECK(next() == kNoon + 10min);
    const auto line_up_at = [&](Time now, bool look_up) {
        state.write([&](Writer& writer) { line_up(writer, now, look_up); });
    };
    line_up_at(kNoon + 9min, true);
    CHECK(in(Step::waits) == 2);
    line_up_at(kNoon + 10min, true);
    CHECK(in(Step::look_up) == 1);
    CHECK(next() == kNoon + 1h);
    line_up_at(kNoon + 1h, true);
    CHECK(in(Step::call_out) == 1);  // what no sender waits for was never missed
    CHECK(next() == std::optional<Time>{});
    // The configuration has no directories any more.
    line_up_at(kNoon + 1h, false);
    CHECK(in(Step::call_out) == 2);
}

TEST_CASE("what backs off is due at once when its server works again", "[store][questions]") {
    TestState state;
    state.miss(kA);
    back_off(state, 5, 30min);
    ask_for(state, "refresh", 7 * 24h);
    state.write([](Writer& writer) { bring_forward(writer, "other.example", kNoon + 1min); });
    CHECK(state.question(kA) == "miss 5 1800");
    state.write([](Writer& writer) { bring_forward(writer, "c.example", kNoon + 1min); });
    CHECK(state.question(kA) == "miss 5 60");
}

TEST_CASE("a clock that was wrong does not put a question off for ever", "[store][questions]") {
    TestState state;
    state.miss(kA);
    back_off(state, 2, 10s);
    // Now the clock goes back, by years or by a moment.
    for (const Milliseconds back : {Milliseconds(1000 * 24h), Milliseconds(1h), Milliseconds(5s)}) {
        const Time then = kNoon - back;
        state.miss(kA, then);
        CHECK(state.question(kA) == "miss 2 " + std::to_string((10s - back) / 1s));
        back_off(state, 2, 10s);
    }
    // What is to be asked in a week is so whatever the clock was.
    ask_for(state, "refresh", 7 * 24h);
    CHECK(state.question(kA) == "miss 2 10");
}

TEST_CASE("the queue is bounded, and leaves nothing behind", "[store][questions]") {
    TestState state;
    const auto miss = [&](const std::string& text, census::Place place) {
        state.write([&](Writer& writer) {
            record_misses(writer, {{address(text), "192.0.2.1", kNoon, Step::call_out, place}}, kNoon);
        });
    };
    for (int i = 0; i < 10; ++i) miss(std::to_string(i) + "@c.example", {false, static_cast<double>(i)});
    miss("back@c.example", {true, 100});
    state.callout("9@c.example", CalloutClass::retry);
    ask_for(state, "refresh", 0s);
    const auto queue = [&] { return state.read([](SQLite::Database& db) { return miss_queue(db); }); };
    CHECK(queue().size == 11);
    CHECK(queue().last.turn == 9);
    CHECK(queue().fullest == "c.example");
    CHECK(state.write([](Writer& writer) { return shorten_queue(writer, 4); }) == 7);
    CHECK(queue().size == 4);
    CHECK(queue().last.turn == 2);
    CHECK_FALSE(state.question("back@c.example").empty());
    CHECK_FALSE(state.question(kA).empty());
    // Of the one that was called out something is known.
    CHECK(state.count("SELECT count(*) FROM address") == 6);
    CHECK(state.count("SELECT count(*) FROM miss") == 5);
    CHECK(state.write([](Writer& writer) { return shorten_queue(writer, 4); }) == 0);
}

TEST_CASE("a full queue is shortened where it is longest", "[store][questions]") {
    TestState state;
    const auto miss = [&](const std::string& text, double turn) {
        state.write([&](Writer& writer) {
            record_misses(writer, {{address(text), "192.0.2.1", kNoon, Step::call_out, {false, turn}}},
                          kNoon);
        });
    };
    // Turns of two domains cannot be compared.
    for (int i = 0; i < 8; ++i) miss(std::to_string(i) + "@long.example", i);
    for (int i = 0; i < 3; ++i) miss(std::to_string(i) + "@busy.example", 5000 + i);
    CHECK(state.write([](Writer& writer) { return shorten_queue(writer, 8); }) == 3);
    CHECK(state.count("SELECT count(*) FROM question WHERE domain = 'long.example'") == 5);
    CHECK(state.count("SELECT count(*) FROM question WHERE domain = 'busy.example'") == 3);
}

TEST_CASE("of an address that is missed again and again few misses are kept", "[store][questions]") {
    TestState state;
    for (int i = 0; i < 100; ++i) state.miss(kA, kNoon + i * 1min);
    CHECK(state.count("SELECT count(*) FROM miss") == 10);
    CHECK(state.count("SELECT min(at) FROM miss") == to_unix_ms(kNoon));
    CHECK(state.count("SELECT max(at) FROM miss") == to_unix_ms(kNoon + 99min));
}

TEST_CASE("a callout is news if nothing happened since it began", "[store][questions]") {
    TestState state;
    const Seq before = *state.database().current_seq();
    const Seq missed = state.miss(kA);
    const auto is_news_since = [&](Seq began) {
        return state.read(
            [&](SQLite::Database& db) { return is_news(db, *find_address(db, address(kA)), began); });
    };
    CHECK_FALSE(is_news_since(before));
    CHECK(is_news_since(missed));
    state.apply("corp", {{listing("1", {kA})}, {}});
    CHECK_FALSE(is_news_since(missed));
    CHECK(is_news_since(*state.database().current_seq()));
    // Another address in its place is not the one that was asked about.
    const auto same = [&](AddressId id, const std::string& text) {
        return state.read(
            [&](SQLite::Database& db) { return is_same(db, {.id = id, .address = address(text)}); });
    };
    const AddressId id = *state.read([](SQLite::Database& db) { return find_address(db, address(kA)); });
    CHECK(same(id, kA));
    CHECK_FALSE(same(id, "b@c.example"));
    CHECK_FALSE(same(id + 1, kA));
}

TEST_CASE("of strangers only the last are kept", "[store][questions]") {
    TestState state;
    state.accept("real@c.example");
    state.drop("real@c.example");
    for (int i = 0; i < 10; ++i) {
        const std::string text = std::to_string(i) + "@c.example";
        state.miss(text);
        state.callout(text, CalloutClass::unknown);
        state.clear_undecided();
        if (i == 4) state.callout(text, CalloutClass::deliverable);  // not decided yet
        if (i != 2)
            state.write(
                [&](Writer& writer) { end_question(writer, *find_address(writer.db, address(text))); });
    }
    state.settle("3@c.example", {Answer::reject, Reason::proven_unknown, kNoon + 1h});
    const auto prune_to = [&](std::size_t most, std::size_t piece) {
        const auto newest =
            state.read([&](SQLite::Database& db) { return newest_of_too_many_strangers(db, most); });
        if (newest) state.write([&](Writer& writer) { prune_strangers(writer, *newest, piece); });
        return newest.has_value();
    };
    CHECK_FALSE(prune_to(10, 100));
    CHECK(prune_to(4, 2));
    CHECK(state.count("SELECT count(*) FROM address") == 9);
    CHECK(prune_to(4, 100));
    // The four last, the one that was real, and those with a question, a refusal, and a proof.
    CHECK(state.count("SELECT count(*) FROM address") == 8);
    CHECK(state.count("SELECT count(*) FROM miss") == 7);
    CHECK(state.count("SELECT count(*) FROM callout") == 8);
}

TEST_CASE("of a run of callouts the first and the last are kept", "[store][questions]") {
    TestState state;
    for (int minute = 0; minute < 100; ++minute)
        state.callout(kA, CalloutClass::unknown, kNoon + minute * 1min);
    CHECK(kept(state) == "unknown@0 unknown@99");
    state.callout(kA, CalloutClass::deliverable, kNoon + 100min);
    state.callout(kA, CalloutClass::unknown, kNoon + 101min);
    state.callout(kA, CalloutClass::unknown, kNoon + 102min);
    state.callout(kA, CalloutClass::unknown, kNoon + 103min);
    const auto& callouts = state.pending(kA).evidence.callouts;
    REQUIRE(callouts.size() >= 3);
    CHECK(callouts[callouts.size() - 3].klass == CalloutClass::deliverable);
    CHECK(callouts[callouts.size() - 2].at == kNoon + 101min);
    CHECK(callouts.back().at == kNoon + 103min);
    CHECK(callouts.back().klass == CalloutClass::unknown);
}

TEST_CASE("of callouts that say nothing the last is kept", "[store][questions]") {
    TestState state;
    state.callout(kA, CalloutClass::deliverable);
    state.clear_undecided();
    for (const auto klass : {CalloutClass::retry, CalloutClass::fault, CalloutClass::accept_all})
        state.callout(kA, klass, kNoon + 1min);
    CHECK(kept(state) == "deliverable@0 accept-all@1");
    CHECK(state.undecided().empty());
    CHECK(state.pending(kA).evidence.callouts.size() == 1);
    state.callout(kA, CalloutClass::unknown, kNoon + 2min);
    CHECK(state.undecided() == Texts{kA});
}

TEST_CASE("callouts from before the listings changed are dropped", "[store][questions]") {
    TestState state;
    state.callout(kA, CalloutClass::unknown);
    state.callout(kA, CalloutClass::unknown, kNoon + 1min);
    state.apply("corp", {{listing("1", {kA})}, {}});
    state.callout(kA, CalloutClass::unknown, kNoon + 2min);
    CHECK(kept(state) == "unknown@2");
}

TEST_CASE("callouts whose answers differ each time do not pile up", "[store][questions]") {
    TestState state;
    for (int minute = 0; minute < 100; ++minute)
        state.callout(kA, minute % 2 == 0 ? CalloutClass::unknown : CalloutClass::deliverable,
                      kNoon + minute * 1min);
    CHECK(state.pending(kA).evidence.callouts.back().at == kNoon + 99min);
    CHECK(state.count("SELECT count(*) FROM callout") <= 10);
}

TEST_CASE("forgotten callouts leave a question to decide", "[store][questions]") {
    TestState state;
    state.callout(kA, CalloutClass::deliverable);
    ask_for(state, "refresh", 1h);
    state.callout("b@other.example", CalloutClass::deliverable);
    state.clear_undecided();
    std::string after;
    const auto next = [&] {
        return state.read([&](SQLite::Database& db) { return asked_addresses(db, "c.example", after, 10); });
    };
    const auto asked = next();
    REQUIRE(asked.size() == 1);
    state.write([&](Writer& writer) { forget(writer, asked[0], "alice", kNoon); });
    CHECK(kept(state) == "deliverable@0");
    CHECK(state.question(kA).empty());
    CHECK(state.undecided() == Texts{kA});
    CHECK(next().empty());
}

TEST_CASE("known-good addresses are those that exist for everybody", "[store][questions]") {
    TestState state;
    state.settle("listed@c.example", {Answer::accept, Reason::listed, {}});
    state.settle("proven@c.example", {Answer::accept, Reason::proven, {}});
    state.settle("closed@c.example", {Answer::closed, Reason::closed_listing, {}});
    state.settle("named@c.example", {Answer::accept, Reason::configured, {}});
    state.settle("gone@c.example", {Answer::unsure, Reason::no_evidence, {}});
    state.settle("listed@other.example", {Answer::accept, Reason::listed, {}});
    for (int i = 0; i < 20; ++i) {
        const auto known = state.read([](SQLite::Database& db) { return known_good(db, "c.example", 10); });
        REQUIRE(known.size() == 2);
        CHECK(std::set{known[0].text(), known[1].text()} ==
              std::set<std::string>{"listed@c.example", "proven@c.example"});
        // What a callout proved only where too few are listed.
        const auto one = state.read([](SQLite::Database& db) { return known_good(db, "c.example", 1); });
        REQUIRE(one.size() == 1);
        CHECK(one[0].text() == "listed@c.example");
    }
}

TEST_CASE("who was refused last vouches for nobody", "[store][questions]") {
    TestState state;
    state.settle("one@c.example", {Answer::accept, Reason::listed, {}});
    state.settle("two@c.example", {Answer::accept, Reason::listed, {}});
    const auto drawn = [&] {
        return state.read([](SQLite::Database& db) { return known_good(db, "c.example", 8); }).size();
    };
    state.callout("two@c.example", CalloutClass::unknown);
    state.callout("two@c.example", CalloutClass::retry);
    CHECK(drawn() == 1);
    state.callout("two@c.example", CalloutClass::deliverable);
    CHECK(drawn() == 2);
    state.callout("two@c.example", CalloutClass::unknown);
    CHECK(drawn() == 1);
    // Listed anew.
    state.apply("corp", {{listing("1", {"two@c.example"})}, {}});
    CHECK(drawn() == 2);
}

TEST_CASE("known-good addresses are drawn, and none stands for all others", "[store][questions]") {
    TestState state;
    for (int i = 0; i < 30; ++i)
        state.settle("listed" + std::to_string(i) + "@c.example", {Answer::accept, Reason::listed, {}});
    std::set<std::string> first;
    for (int i = 0; i < 200; ++i) {
        const auto known = state.read([](SQLite::Database& db) { return known_good(db, "c.example", 8); });
        REQUIRE(known.size() == 8);
        CHECK(std::set<mail::Address>(known.begin(), known.end()).size() == 8);
        first.insert(known[0].text());
    }
    CHECK(first.size() > 15);
}

TEST_CASE("known-good addresses are no neighbours in the alphabet", "[store][questions]") {
    TestState state;
    // A server that has lost the second half of its table.
    for (int i = 100; i < 300; ++i)
        state.settle("listed" + std::to_string(i) + "@c.example", {Answer::accept, Reason::listed, {}});
    int deceived = 0;
    for (int i = 0; i < 200; ++i) {
        const auto known = state.read([](SQLite::Database& db) { return known_good(db, "c.example", 8); });
        REQUIRE(known.size() == 8);
        deceived += std::all_of(known.begin(), known.end(),
                                [](const mail::Address& one) { return one.local() < "listed200"; });
    }
    CHECK(deceived < 20);  // one in 256; 32 neighbours: nearly half of them
}

TEST_CASE("what strangers ask for makes no favourite", "[store][questions]") {
    TestState state;
    const auto settle = [&](const std::string& name, Answer answer) {
        state.settle(name + "@c.example",
                     {answer, answer == Answer::accept ? Reason::listed : Reason::no_evidence, {}});
    };
    for (int i = 0; i < 20; ++i) settle("a" + std::to_string(i), Answer::accept);
    state.write([](Writer& writer) {
        AddressBook book(writer);
        for (int i = 0; i < 20'000; ++i) book.ensure(address("made-up" + std::to_string(i) + "@c.example"));
    });
    settle("made-up-not", Answer::accept);
    std::map<std::string, int> first;
    for (int i = 0; i < 210; ++i) {
        const auto known = state.read([](SQLite::Database& db) { return known_good(db, "c.example", 8); });
        REQUIRE(known.size() == 8);
        ++first[known[0].text()];
    }
    CHECK(first.size() > 15);
    CHECK(first["made-up-not@c.example"] < 40);
}

TEST_CASE("known-good addresses are of both kinds where there are both", "[store][questions]") {
    TestState state;
    for (int i = 0; i < 10; ++i) {
        state.settle("listed" + std::to_string(i) + "@c.example", {Answer::accept, Reason::listed, {}});
        state.settle("proven" + std::to_string(i) + "@c.example", {Answer::accept, Reason::proven, {}});
        if (i < 2)
            state.settle("proven" + std::to_string(i) + "@d.example", {Answer::accept, Reason::proven, {}});
        if (i == 0) state.settle("listed@d.example", {Answer::accept, Reason::listed, {}});
    }
    const auto kinds = [&](const std::string& domain, auto draw) {
        std::string out;
        const auto known = state.read([&](SQLite::Database& db) { return draw(db, domain, 8); });
        for (const mail::Address& one : known) out += one.local().front();
        return out;
    };
    CHECK(kinds("c.example", known_good) == "lplplpll");
    CHECK(kinds("d.example", known_good) == "lpp");
    // What no directory lists is no control of a directory.
    CHECK(kinds("c.example", draw_listed) == "llllllll");
    CHECK(kinds("d.example", draw_listed) == "l");
}

TEST_CASE("marks and counts", "[store][questions]") {
    TestState state;
    const auto mark = [&] {
        return state.read([](SQLite::Database& db) { return load_mark(db, "/var/log/mail.log"); });
    };
    CHECK(mark() == std::optional<std::string>{});
    std::string before;
    for (const char* text : {"one", "two"}) {
        CHECK(state.write(
            [&](Writer& writer) { return move_mark(writer, "/var/log/mail.log", text, before); }));
        CHECK_FALSE(state.write(
            [&](Writer& writer) { return move_mark(writer, "/var/log/mail.log", "x", "other"); }));
        CHECK(mark() == std::optional<std::string>(text));
        before = text;
    }
    state.write([](Writer& writer) {
        count(writer, "misses", kNoon, 3);
        count(writer, "misses", kNoon + 1min, 4);
        count(writer, "misses", kNoon + 24h, 5);
    });
    CHECK(state.count("SELECT max(value) FROM counter") == 7);
    CHECK(state.count("SELECT count(*) FROM counter") == 2);
}

TEST_CASE("what a server allows is remembered", "[store][questions]") {
    TestState state;
    const auto load = [&] {
        return state.read([](SQLite::Database& db) { return load_pace(db, "ex1:2525"); });
    };
    CHECK(load() == census::Pace{});
    for (const census::Pace& pace : {census::Pace{8, {}, {}, {}}, census::Pace{4, 5, kNoon, 5s}}) {
        state.write([&](Writer& writer) { save_pace(writer, "ex1:2525", pace); });
        CHECK(load() == pace);
    }
}
