// SPDX-License-Identifier: MIT
#include "store/undecided.h"

#include "store/domains.h"
#include "store/holds.h"
#include "store/state.h"

using namespace postcensus;
using namespace postcensus::store;
using namespace std::chrono_literals;
using census::Answer;
using census::Reason;

namespace {

using Texts = std::vector<std::string>;
constexpr const char* kA = "a@c.example";

void hold(TestState& state, const std::string& text) {
    const AddressId id = state.pending(text).id;
    state.write(
        [&](Writer& writer) { AnswerWriter(writer, kNoon).hold(*EvidenceReader(writer.db).load(id), 1); });
}

void bring_to_gate(TestState& state, const Texts& texts) {
    state.write([&](Writer& writer) {
        GateQueue gate(writer);
        for (const std::string& text : texts) gate.add(*find_address(writer.db, address(text)));
    });
}

// "domain losing/published, lost today"
Texts losses(TestState& state, Time now = kNoon) {
    Texts texts;
    for (const census::DomainLosses& one :
         state.read([&](SQLite::Database& db) { return count_losses(db, now); }))
        texts.push_back(one.domain + " " + std::to_string(one.losing) + "/" + std::to_string(one.published) +
                        ", " + std::to_string(one.lost_today));
    return texts;
}

}  // namespace

TEST_CASE("an answer whose time is over is decided anew", "[store][undecided]") {
    TestState state;
    state.settle(kA, {Answer::reject, Reason::proven_unknown, kNoon + 1h});
    state.settle("b@c.example", {Answer::reject, Reason::proven_unknown, kNoon + 2h});
    state.accept("d@c.example");
    const auto any = [&](Time now, Time latest) {
        return state.read([&](SQLite::Database& db) { return any_expired(db, now, latest); });
    };
    const auto expire = [&](Time now, Time latest) {
        CHECK(any(now, latest));
        return state.write([&](Writer& writer) { return mark_expired(writer, now, latest); });
    };
    const auto next = [&] { return state.read([](SQLite::Database& db) { return next_expiry(db); }); };
    CHECK(next() == kNoon + 1h);
    CHECK_FALSE(any(kNoon + 1h - 1ms, kNoon + 2h));
    CHECK(expire(kNoon + 1h, kNoon + 2h) == 1);
    CHECK(state.undecided() == Texts{kA});
    state.drop(kA);
    CHECK(next() == kNoon + 2h);
    // The clock was set back: no rejection that is made now could run so long.
    CHECK(expire(kNoon - 24h, kNoon - 23h) == 1);
    CHECK(state.undecided() == Texts{"b@c.example"});
    state.drop("b@c.example");
    CHECK(next() == std::optional<Time>{});
}

TEST_CASE("the gate counts what is published and what was lost", "[store][undecided]") {
    TestState state;
    for (const char* text : {"a@c.example", "b@c.example", "d@c.example", "e@other.example"})
        state.accept(text);
    CHECK(losses(state).empty());
    bring_to_gate(state, {"b@c.example"});
    CHECK(losses(state) == Texts{"c.example 1/3, 0"});
    state.drop("a@c.example");
    state.drop("e@other.example");
    CHECK(losses(state) == Texts{"c.example 1/2, 1"});
    CHECK(losses(state, kNoon + 24h) == Texts{"c.example 1/2, 0"});
    // Gone twice is one loss; what came back is none.
    state.accept("a@c.example");
    CHECK(losses(state) == Texts{"c.example 1/3, 0"});
    state.drop("a@c.example");
    CHECK(losses(state) == Texts{"c.example 1/2, 1"});
    // Who was accepted after the last publication stands in no table yet.
    state.publish();
    state.accept("new@c.example");
    CHECK(losses(state) == Texts{"c.example 1/2, 1"});
    state.publish();
    CHECK(losses(state) == Texts{"c.example 1/3, 1"});
    // Who is held already is being lost too, once.
    hold(state, "d@c.example");
    CHECK(losses(state) == Texts{"c.example 2/3, 1"});
    bring_to_gate(state, {"d@c.example"});
    CHECK(losses(state) == Texts{"c.example 2/3, 1"});
    // What an operator approved is in no count.
    state.write([](Writer& writer) { return approve_holds(writer, open_holds(writer.db), kNoon); });
    bring_to_gate(state, {"d@c.example"});
    CHECK(losses(state) == Texts{"c.example 1/2, 1"});
    state.drop("d@c.example");
    CHECK(losses(state) == Texts{"c.example 1/2, 1"});
}

TEST_CASE("removals wait at the gate until there is news of them", "[store][undecided]") {
    TestState state;
    state.accept(kA);
    state.accept("b@c.example");
    bring_to_gate(state, {kA, "b@c.example"});
    const auto at_gate = [&] {
        return state.read([](SQLite::Database& db) { return next_at_gate(db, 10).size(); });
    };
    CHECK(state.undecided().empty());
    CHECK(at_gate() == 2);
    state.callout(kA, census::CalloutClass::deliverable);
    CHECK(state.undecided() == Texts{kA});
    CHECK(at_gate() == 1);
}

TEST_CASE("a changed domain is undecided as a whole", "[store][undecided]") {
    TestState state;
    for (const char* text : {"d@c.example", "b@c.example", "a@c.example", "x@other.example"})
        state.accept(text);
    state.write([](Writer& writer) { replace_domains(writer, {{"c.example", "p", {}}}); });
    const auto changed = [&] { return state.read([](SQLite::Database& db) { return changed_domains(db); }); };
    REQUIRE(changed().size() == 1);
    const std::vector<ChangedDomain> before = changed();
    std::string after;
    const auto next = [&] {
        return state.read(
            [&](SQLite::Database& db) { return next_of_domain(db, "c.example", after, 2).size(); });
    };
    CHECK(next() == 2);
    CHECK(next() == 1);
    CHECK(next() == 0);
    // It changed again meanwhile.
    state.write([](Writer& writer) { replace_domains(writer, {{"c.example", "q", {}}}); });
    state.write([&](Writer& writer) { end_changes(writer, before); });
    REQUIRE(changed().size() == 1);
    state.write([&](Writer& writer) { end_changes(writer, changed_domains(writer.db)); });
    CHECK(changed().empty());
}
