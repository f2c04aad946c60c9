// SPDX-License-Identifier: MIT
#include "flow/decide/decision.h"

#include "flow/town.h"
#include "store/domains.h"
#include "store/holds.h"

using namespace postcensus;
using namespace postcensus::store;
using namespace std::chrono_literals;
using census::Answer;
using census::Reason;
using flow::Decided;
using flow::many;
using flow::Texts;
using flow::Town;

TEST_CASE("evidence becomes answers", "[flow][decide]") {
    Town town;
    town.list({"a@c.example", "elsewhere@other.example"});
    town.list({"closed@c.example"}, true);
    town.state.miss("m@c.example");
    town.state.callout("u@c.example", census::CalloutClass::unknown, kNoon);
    town.state.miss("r@c.example");
    town.state.callout("r@c.example", census::CalloutClass::unknown, kNoon);
    town.configuration.routes[0].accept.push_back(address("op@c.example"));
    town.state.write([&](Writer& writer) {
        replace_domains(writer, {{"c.example", "", town.configuration.routes[0].accept}});
    });

    const Decided decided = town.decide();
    CHECK(decided.looked_at >= 7);
    CHECK(decided.changed == 4);
    CHECK(decided.held == 0);
    CHECK(town.answer("a@c.example") == "accept");
    CHECK(town.answer("closed@c.example") == "closed");
    CHECK(town.answer("op@c.example") == "accept");
    CHECK(town.answer("r@c.example") == "reject");
    CHECK(town.answer("m@c.example") == "unsure");
    CHECK(town.answer("u@c.example") == "unsure");
    CHECK(town.answer("elsewhere@other.example") == "unsure");
    CHECK(town.state.pending("r@c.example").until == kNoon + 1h);
    CHECK(town.state.pending("elsewhere@other.example").reason == Reason::not_relayed);
    CHECK(town.decide().looked_at == 0);

    // The lease ends by itself.
    town.now = kNoon + 1h;
    CHECK(town.state.write([&](Writer& writer) { return mark_expired(writer, town.now, town.now + 1h); }) ==
          1);
    CHECK(town.decide().changed == 1);
    CHECK(town.answer("r@c.example") == "unsure");
    CHECK(town.state.pending("r@c.example").reason == Reason::lease_over);
}

TEST_CASE("that a server accepts everybody ends with its callouts", "[flow][decide]") {
    Town town;
    town.configuration.routes[0].callout.ask_postfix = true;
    town.state.write([](Writer& writer) {
        replace_domains(writer, {{"c.example", "", {}}});
        set_accept_all(writer, "c.example", true);
    });
    town.state.miss("u@c.example");
    town.decide();
    CHECK(town.state.pending("u@c.example").reason == Reason::accept_all);
    town.configuration.routes[0].callout = {};
    REQUIRE_FALSE(town.configuration.routes[0].asks());
    town.state.write([](Writer& writer) { mark_domain(writer, "c.example"); });
    town.decide();
    CHECK(town.state.pending("u@c.example").reason == Reason::no_evidence);
}

TEST_CASE("a listing alone is answered as the decider would", "[flow][decide]") {
    Town town;
    town.configuration.routes[1].accept_domains = {"d.example"};
    const auto domains = [&](const std::string& policy_of_c) {
        std::vector<DomainPolicy> policies{{"c.example", policy_of_c, {}}};
        policies.push_back({"d.example", town.configuration.routes[1].policy_text("d.example"), {}});
        town.state.write([&](Writer& writer) { replace_domains(writer, policies); });
    };
    const auto answered = [&](const std::string& domain, bool closed) {
        return town.state.write([&](Writer& writer) {
            return flow::answer_listed(town.configuration, kNoon)(writer.db, domain, closed);
        });
    };
    domains(town.configuration.routes[0].policy_text("c.example"));
    for (const bool accept_all : {false, true}) {
        town.state.write([&](Writer& writer) { set_accept_all(writer, "c.example", accept_all); });
        for (const std::string domain : {"c.example", "d.example", "other.example"})
            for (const bool closed : {false, true}) {
                const std::string text =
                    (closed ? "closed" : "open") + std::to_string(accept_all) + "@" + domain;
                CAPTURE(text);
                town.list({text}, closed);
                town.decide();
                const auto verdict = answered(domain, closed);
                REQUIRE(verdict);
                const Pending decided = town.state.pending(text);
                CHECK(verdict->answer == decided.evidence.answered);
                CHECK(verdict->reason == decided.reason);
                CHECK(verdict->until == decided.until);
            }
    }
    // The decider has another policy for it than this configuration.
    domains("another");
    CHECK_FALSE(answered("c.example", false));
    CHECK(answered("d.example", false));
    town.state.write([](Writer& writer) { replace_domains(writer, {}); });
    CHECK_FALSE(answered("d.example", false));
    CHECK(answered("other.example", false)->reason == Reason::not_relayed);
    town.state.write([](Writer& writer) { replace_domains(writer, {{"other.example", "x", {}}}); });
    CHECK_FALSE(answered("other.example", false));
}

TEST_CASE("one removal passes the gate", "[flow][decide]") {
    Town town;
    town.list(many(0, 5));
    town.decide();
    town.unlist(many(0, 1));
    const Decided decided = town.decide();
    CHECK(decided.held == 0);
    CHECK(decided.changed == 1);
    CHECK(town.answer("n0@c.example") == "unsure");
    CHECK(town.accepted() == 4);
    // So does the only one of a domain.
    town.list({"a@d.example"});
    town.decide();
    town.unlist({"a@d.example"});
    CHECK(town.decide().held == 0);
    CHECK(town.answer("a@d.example") == "unsure");
}

TEST_CASE("the gate holds all of a domain, and lets arrivals out", "[flow][decide]") {
    Town town;
    town.list(many(0, 3));
    town.list({"a@d.example", "b@d.example", "c@d.example"});
    town.decide();
    town.unlist(many(0, 3));
    town.unlist({"a@d.example"});
    town.list({"new@c.example", "new@d.example"});
    const Decided decided = town.decide();
    // The whole batch's removals, those of the other domain too.
    CHECK(decided.held == 4);
    CHECK(decided.changed == 2);
    CHECK(town.holds() == 4);
    for (const std::string& text : many(0, 3)) CHECK(town.answer(text) == "accept");
    CHECK(town.answer("a@d.example") == "accept");
    CHECK(town.answer("new@c.example") == "accept");
    CHECK(town.answer("new@d.example") == "accept");
    CHECK(town.state.pending("n0@c.example").reason == Reason::held);
    CHECK(town.decide().looked_at == 0);
}

TEST_CASE("the gate holds more than fifty and a tenth", "[flow][decide]") {
    Town town;
    town.list(many(0, 600));
    town.decide();
    CHECK(town.accepted() == 600);
    town.unlist(many(0, 61));
    CHECK(town.decide().held == 61);
    CHECK(town.accepted() == 600);

    SECTION("what comes back leaves the hold") {
        town.list(many(0, 60));
        CHECK(town.decide().held == 0);
        CHECK(town.holds() == 1);
        CHECK(town.state.pending("n60@c.example").evidence.held);
        CHECK(town.accepted() == 600);
    }
    SECTION("an operator approves") {
        town.approve();
        const Decided decided = town.decide();
        CHECK(decided.held == 0);
        CHECK(decided.changed == 61);
        CHECK(town.accepted() == 539);
        CHECK(town.holds() == 0);
        CHECK(town.state.count("SELECT count(*) FROM hold") == 0);
        // What was approved counts no more: fifty may go on the same day.
        town.unlist(many(100, 150));
        CHECK(town.decide().held == 0);
        CHECK(town.accepted() == 489);
    }
    SECTION("an operator approves, and one of them is back") {
        town.approve();
        town.list(many(0, 1));
        CHECK(town.decide().changed == 60);
        CHECK(town.answer("n0@c.example") == "accept");
        CHECK(town.state.count("SELECT count(*) FROM hold") == 0);
    }
    SECTION("a closed one keeps its answer too") {
        town.list({"n70@c.example"}, true);
        town.decide();
        town.unlist(many(70, 140));
        CHECK(town.decide().held == 70);
        CHECK(town.answer("n70@c.example") == "closed");
    }
}

TEST_CASE("a reading says how many of its removals were held", "[flow][decide]") {
    Town town;
    town.list(many(0, 100));
    town.decide();
    const auto held = [&town] { return town.state.count("SELECT sum(held) FROM reading"); };
    SECTION("by the gate") {
        town.unlist(many(0, 61));
        CHECK(town.decide().held == 61);
        CHECK(town.state.count("SELECT held FROM reading ORDER BY id DESC LIMIT 1") == 61);
        CHECK(held() == 61);
        // It is history: what becomes of them changes nothing.
        town.approve();
        town.decide();
        CHECK(held() == 61);
    }
    SECTION("not those that something else would take away") {
        town.unlist(many(0, 61));
        for (const std::string& text : many(0, 61))
            town.state.callout(text, census::CalloutClass::deliverable);
        CHECK(town.decide().held == 0);
        SECTION("a command") {
            town.state.write([&](Writer& writer) {
                for (const std::string& text : many(0, 61))
                    forget(writer, *find_address(writer.db, address(text)), "root", town.now);
            });
        }
        SECTION("callouts") {
            town.now += 1h;
            for (const std::string& text : many(0, 61))
                town.state.callout(text, census::CalloutClass::unknown);
        }
        SECTION("the configuration") {
            town.list(many(0, 61));
            town.decide();
            town.configuration.route_by_domain.erase("c.example");
            town.state.write([](Writer& writer) { mark_domain(writer, "c.example"); });
        }
        CHECK(town.decide().held >= 61);
        CHECK(held() == 0);
    }
}

TEST_CASE("fifty and a tenth pass, and the day adds up", "[flow][decide]") {
    Town town;
    town.list(many(0, 600));
    town.decide();
    town.unlist(many(0, 50));
    CHECK(town.decide().held == 0);
    town.now += 23h;
    town.unlist(many(50, 61));
    CHECK(town.decide().held == 11);
    CHECK(town.accepted() == 550);
    // A day later the first ones count no more, but these were held already, and wait for the operator.
    town.now += 2h;
    town.unlist(many(61, 100));
    CHECK(town.decide().held == 0);
    CHECK(town.holds() == 11);
    CHECK(town.accepted() == 511);
}

TEST_CASE("a route that is gone is a removal like any other", "[flow][decide]") {
    Town town;
    town.list(many(0, 4));
    town.state.write([](Writer& writer) {
        replace_domains(writer, {{"c.example", "", {}}, {"d.example", "", {}}});
    });
    town.decide();
    town.configuration.route_by_domain.erase("c.example");
    town.state.write([](Writer& writer) { replace_domains(writer, {{"d.example", "", {}}}); });
    CHECK(town.decide().held == 4);
    CHECK(town.answer("n0@c.example") == "accept");
    town.approve();
    CHECK(town.decide().changed == 4);
    CHECK(town.state.pending("n0@c.example").reason == Reason::not_relayed);
}

TEST_CASE("more than one piece is counted together", "[flow][decide]") {
    Town town;
    town.list(many(0, 1200));
    town.decide();
    // Under the limit in the first piece of 500, over it in all.
    Texts gone = many(0, 60);
    const Texts late = many(1100, 1170);
    gone.insert(gone.end(), late.begin(), late.end());
    town.unlist(gone);
    Texts news;
    for (int i = 60; i < 1100; ++i) news.push_back("n" + std::to_string(i) + "@c.example");
    town.list(news);
    CHECK(town.decide().held == 130);
    CHECK(town.accepted() == 1200);
}

TEST_CASE("what an operator approved goes, whatever the gate stops beside it", "[flow][decide]") {
    Town town;
    town.list(many(0, 3));
    town.list(many(0, 3, "d.example"));
    town.decide();
    town.unlist(many(0, 3));
    REQUIRE(town.decide().held == 3);
    town.approve();
    town.unlist(many(0, 3, "d.example"));
    const Decided decided = town.decide();
    CHECK(decided.held == 3);
    CHECK(decided.changed == 3);
    CHECK(town.answer("n0@c.example") == "unsure");
    CHECK(town.answer("n0@d.example") == "accept");
}

TEST_CASE("what an operator approved is in none of the gate's counts", "[flow][decide]") {
    Town town;
    town.list(many(0, 5));
    town.decide();
    town.unlist(many(0, 5));
    REQUIRE(town.decide().held == 5);
    town.list(many(3, 5));
    town.decide();
    REQUIRE(town.holds() == 3);
    town.approve();
    // Before the approved ones are gone, the other two, now all of the domain, go as well.
    town.unlist(many(3, 5));
    CHECK(town.decide().held == 2);
    CHECK(town.accepted() == 2);
}

TEST_CASE("what is accepted on doubt alone is asked about again and again", "[flow][decide]") {
    Town town;
    town.configuration.routes[0].callout.targets = {{"ex1.c.example", 2525}};
    town.list({"gone@c.example"});
    town.state.write([](Writer& writer) { adopt(writer, {address("old@c.example")}, kNoon); });
    town.decide();
    CHECK(town.state.question("old@c.example") == "adopted 0 3600");
    // Not seen any more, and the callout about it is older than another listing's end.
    town.state.write([](Writer& writer) {
        const Reading reading{.directory = "corp", .kind = ReadingKind::sweep, .began_seq = writer.seq};
        ReadingWriter out(writer, reading);
        out.mark_unseen("gone@c.example");
        out.finish();
    });
    town.state.callout("gone@c.example", census::CalloutClass::deliverable, kNoon);
    town.state.apply("branch", {{listing("contact", {"gone@c.example"})}, {}});
    town.state.apply("branch", {{}, {"contact"}});
    town.decide();
    REQUIRE(town.state.pending("gone@c.example").reason == Reason::unseen);
    CHECK(town.state.question("gone@c.example") == "unseen 0 0");

    // The queue was lost; housekeeping brings both back.
    town.state.write([](Writer& writer) {
        writer.db.exec("DELETE FROM question");
        prune(writer, kNoon);
    });
    town.decide();
    CHECK(town.state.question("old@c.example") == "adopted 0 3600");
    CHECK(town.state.question("gone@c.example") == "unseen 0 0");
    CHECK(town.holds() == 0);

    // Nobody has an answer: an operator may have one.
    SECTION("for a day") {
        town.state.write([](Writer& writer) {
            writer.db.exec("UPDATE question SET attempts = 30");
            mark_doubtful(writer);
        });
    }
    SECTION("for its server accepts everybody") {
        town.state.write([](Writer& writer) {
            replace_domains(writer, {{"c.example", "", {}}});
            set_accept_all(writer, "c.example", true);
            mark_doubtful(writer);
        });
    }
    town.decide();
    CHECK(town.holds() == 1);
    town.approve();
    town.decide();
    CHECK(town.answer("gone@c.example") == "unsure");
}

TEST_CASE("what a server accepted for everybody brings no rejection back when it is not asked any more",
          "[flow][decide]") {
    Town town;
    town.configuration.routes[0].callout.ask_postfix = true;
    town.state.write([](Writer& writer) { replace_domains(writer, {{"c.example", "", {}}}); });
    town.state.miss("x@c.example");
    town.state.callout("x@c.example", census::CalloutClass::unknown, kNoon);
    town.decide();
    REQUIRE(town.answer("x@c.example") == "reject");
    town.state.write([](Writer& writer) { set_accept_all(writer, "c.example", true); });
    town.decide();
    CHECK(town.answer("x@c.example") == "unsure");
    town.configuration.routes[0].callout = {};
    town.state.write([](Writer& writer) { mark_domain(writer, "c.example"); });
    town.decide();
    CHECK(town.answer("x@c.example") == "unsure");
}

TEST_CASE("answers queue what has to be asked", "[flow][decide]") {
    Town town;
    town.configuration.routes[0].callout.targets = {{"ex1.c.example", 2525}};
    town.configuration.routes[0].deliverable_refresh = 7 * 24h;
    town.list({"a@c.example", "b@c.example", "x@d.example", "y@d.example"});
    town.state.callout("p@c.example", census::CalloutClass::deliverable, kNoon);
    town.state.callout("b@c.example", census::CalloutClass::unknown, kNoon);
    town.decide();
    CHECK(town.state.question("a@c.example").empty());
    CHECK(town.state.question("p@c.example") == "refresh 0 604800");
    CHECK(town.state.question("b@c.example") == "contested 0 900");

    town.unlist({"a@c.example", "x@d.example"});
    town.now = kNoon + 1min;
    CHECK(town.decide().changed == 2);
    CHECK(town.state.question("a@c.example") == "listing-ended 0 60");
    // No callouts, no questions.
    CHECK(town.state.question("x@d.example").empty());
}
