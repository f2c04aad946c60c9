// SPDX-License-Identifier: MIT
#include "store/addresses.h"
#include "store/causes.h"

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

const std::string kA = "a@c.example";

void hold(TestState& state, const std::string& text) {
    state.write([&](Writer& writer) {
        const auto id = find_address(writer.db, address(text));
        REQUIRE(id);
        AnswerWriter(writer, kNoon).hold(*EvidenceReader(writer.db).load(*id), 1);
    });
}

bool replace(TestState& state, const std::vector<DomainPolicy>& domains) {
    return state.write([&](Writer& writer) { return replace_domains(writer, domains); });
}

}  // namespace

TEST_CASE("an answer is written with its event", "[store][addresses]") {
    TestState state;
    state.miss(kA);
    state.settle(kA, {Answer::accept, Reason::listed, {}});
    CHECK(state.pending(kA).evidence.answered == Answer::accept);
    CHECK(state.pending(kA).reason == Reason::listed);
    CHECK_FALSE(state.pending(kA).until);
    CHECK(state.undecided().empty());
    const std::string accepted = "SELECT accepted_seq FROM address";
    CHECK(state.count(accepted) == 2);

    // Another reason for the same answer is no event, and no new acceptance; nor is closed after accept.
    state.settle(kA, {Answer::accept, Reason::proven, {}});
    CHECK(state.pending(kA).reason == Reason::proven);
    CHECK(state.count("SELECT count(*) FROM event") == 1);
    state.settle(kA, {Answer::closed, Reason::closed_callout, {}});
    CHECK(state.count("SELECT count(*) FROM event") == 2);
    CHECK(state.count(accepted) == 2);
    CHECK(state.count("SELECT left_seq IS NULL FROM address") == 1);

    state.settle(kA, {Answer::reject, Reason::proven_unknown, kNoon + 1h});
    CHECK(state.pending(kA).until == kNoon + 1h);
    CHECK(state.count("SELECT left_seq FROM address") == 5);
    CHECK(state.count("SELECT count(*) FROM event WHERE from_answer = 'closed' AND to_answer = 'reject' AND "
                      "cause = 'test'") == 1);
    state.settle(kA, {Answer::accept, Reason::listed, {}});
    CHECK(state.count(accepted) == 6);
    CHECK_FALSE(state.pending(kA).until);
}

TEST_CASE("a held removal keeps its answer until it is approved", "[store][addresses]") {
    TestState state;
    state.accept(kA);
    state.settle("b@c.example", {Answer::closed, Reason::closed_listing, {}});
    const auto holds = [&] { return state.read([](SQLite::Database& db) { return count_holds(db); }); };
    hold(state, kA);
    hold(state, "b@c.example");
    hold(state, kA);
    CHECK(holds() == 2);
    CHECK(state.pending(kA).evidence.held);
    CHECK(state.pending(kA).evidence.answered == Answer::accept);
    CHECK(state.pending(kA).reason == Reason::held);
    CHECK(state.pending("b@c.example").evidence.answered == Answer::closed);
    CHECK(state.undecided().empty());
    CHECK(state.count("SELECT count(*) FROM event") == 2);  // the two acceptances

    CHECK(state.write([](Writer& writer) { return approve_holds(writer, open_holds(writer.db), kNoon); }) ==
          Texts{kA, "b@c.example"});
    CHECK(holds() == 0);
    CHECK(state.undecided() == Texts{kA, "b@c.example"});
    CHECK_FALSE(state.pending(kA).evidence.held);
    CHECK(state.pending(kA).approved);
    CHECK(state.write([](Writer& writer) { return approve_holds(writer, open_holds(writer.db), kNoon); })
              .empty());

    state.drop(kA);
    CHECK_FALSE(state.pending(kA).approved);
    CHECK(state.count("SELECT count(*) FROM hold") == 1);
    CHECK(state.count("SELECT count(*) FROM event WHERE approved = 1 AND to_answer = 'unsure'") == 1);
}

TEST_CASE("an approval is for what was held when it was given", "[store][addresses]") {
    TestState state;
    for (const std::string& text : Texts{kA, "b@c.example", "c@c.example"}) state.accept(text);
    hold(state, kA);
    hold(state, "b@c.example");
    const auto seen = state.read([](SQLite::Database& db) { return open_holds(db); });
    // One more is held meanwhile; one came back, and is held again, as another one.
    hold(state, "c@c.example");
    state.write([](Writer& writer) {
        writer.db.exec(
            "UPDATE hold SET at = at + 1 WHERE address_id = (SELECT id FROM address WHERE local = 'b')");
    });
    CHECK(state.write([&](Writer& writer) { return approve_holds(writer, seen, kNoon); }) == Texts{kA});
    CHECK(state.count("SELECT count(*) FROM hold WHERE approved = 0") == 2);
}

TEST_CASE("what comes back leaves the hold", "[store][addresses]") {
    TestState state;
    state.accept(kA);
    hold(state, kA);
    // Still gone: it stays.
    state.settle(kA, {Answer::accept, Reason::held, {}});
    CHECK(state.pending(kA).evidence.held);
    state.accept(kA);
    CHECK_FALSE(state.pending(kA).evidence.held);
    CHECK(state.pending(kA).reason == Reason::listed);
    CHECK(state.count("SELECT count(*) FROM hold") == 0);
}

TEST_CASE("a change of domains makes their addresses undecided", "[store][addresses]") {
    TestState state;
    state.accept(kA);
    state.accept("b@other.example");
    const DomainPolicy one{"c.example", "p1", {}};
    const DomainPolicy two{"other.example", "p1", {}};
    CHECK(replace(state, {one, two}));
    CHECK(state.undecided() == Texts{kA, "b@other.example"});
    state.clear_undecided();
    CHECK_FALSE(replace(state, {one, two}));
    CHECK(state.undecided().empty());

    CHECK(replace(state, {{"c.example", "p2", {}}, two}));
    CHECK(state.undecided() == Texts{kA});
    state.clear_undecided();
    // A domain that is gone takes its addresses along.
    CHECK(replace(state, {{"c.example", "p2", {}}}));
    CHECK(state.undecided() == Texts{"b@other.example"});
    CHECK(state.count("SELECT count(*) FROM domain") == 1);
}

TEST_CASE("the operator's addresses come and go with the configuration", "[store][addresses]") {
    TestState state;
    CHECK(replace(state, {{"c.example", "p1", {address(kA), address("b@c.example")}}}));
    CHECK(state.pending(kA).configured);
    CHECK(state.undecided() == Texts{kA, "b@c.example"});
    CHECK(replace(state, {{"c.example", "p2", {address("b@c.example")}}}));
    CHECK_FALSE(state.pending(kA).configured);
    CHECK(state.pending("b@c.example").configured);
    CHECK(replace(state, {}));
    CHECK_FALSE(state.pending("b@c.example").configured);
}

TEST_CASE("accept-all is a fact of the domain", "[store][addresses]") {
    TestState state;
    replace(state, {{"c.example", "p1", {}}});
    state.accept("b@c.example");
    state.settle(kA, {Answer::reject, Reason::proven_unknown, kNoon + 1h});
    state.settle("b@other.example", {Answer::reject, Reason::proven_unknown, kNoon + 1h});
    state.accept("b@new.example");
    state.clear_undecided();
    const auto set = [&](bool value) {
        state.write([&](Writer& writer) { set_accept_all(writer, "c.example", value); });
    };
    set(false);
    CHECK(state.undecided().empty());
    // Rejections hang on it, those that are and those that may be; nothing else does.
    set(true);
    CHECK(state.undecided() == Texts{kA});
    CHECK(state.pending(kA).evidence.accept_all);
    CHECK_FALSE(state.pending("b@other.example").evidence.accept_all);
    state.settle(kA, {Answer::unsure, Reason::accept_all, {}});
    // Another policy of the domain leaves it as it was.
    replace(state, {{"c.example", "p2", {}}});
    CHECK(state.pending(kA).evidence.accept_all);
    // Nor is it forgotten when the domain leaves and comes back.
    replace(state, {});
    CHECK_FALSE(state.pending(kA).evidence.accept_all);
    replace(state, {{"c.example", "p2", {}}, {"new.example", "p2", {}}});
    CHECK(state.pending(kA).evidence.accept_all);
    CHECK_FALSE(state.pending("b@new.example").evidence.accept_all);
    state.clear_undecided();
    set(false);
    CHECK(state.undecided() == Texts{kA});
    CHECK_FALSE(state.pending(kA).evidence.accept_all);
    replace(state, {});
    replace(state, {{"c.example", "p2", {}}});
    CHECK_FALSE(state.pending(kA).evidence.accept_all);
}

TEST_CASE("postmaster is known by its name", "[store][addresses]") {
    TestState state;
    state.miss("postmaster@c.example");
    state.miss("postmaster2@c.example");
    CHECK(state.pending("postmaster@c.example").evidence.postmaster);
    CHECK_FALSE(state.pending("postmaster2@c.example").evidence.postmaster);
}

TEST_CASE("a cause names what stands behind the answer", "[store][addresses]") {
    TestState state;
    state.apply("corp", {{listing("7", {kA})}, {}});
    state.callout(kA, census::CalloutClass::deliverable);
    const AddressId id = state.pending(kA).id;
    const auto cause = [&](Reason reason) {
        return state.read([&](SQLite::Database& db) {
            return CauseReader(db).describe(*EvidenceReader(db).load(id), reason);
        });
    };
    CHECK(cause(Reason::listed) == "directory corp (full read at ldaps://dc1): cn=7");
    CHECK(cause(Reason::proven).find("callout to ex1:2525: 250 2.1.5") == 0);
    CHECK(cause(Reason::configured) == "configuration");
    CHECK_FALSE(cause(Reason::no_evidence).empty());
    state.apply("corp", {{}, {"7"}});
    CHECK(cause(Reason::no_evidence) == "directory corp (full read at ldaps://dc1), lists it no more: cn=7");
    state.write([&](Writer& writer) { forget(writer, id, "alice", kNoon); });
    CHECK(cause(Reason::no_evidence) == "what callouts said of it was forgotten by alice");
    CHECK(state.count("SELECT count(*) FROM event WHERE from_answer = to_answer") == 1);
    // That was then.
    state.accept(kA);
    CHECK(cause(Reason::no_evidence) == "directory corp (full read at ldaps://dc1), lists it no more: cn=7");
}
