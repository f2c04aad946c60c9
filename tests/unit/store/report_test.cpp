// SPDX-License-Identifier: MIT
#include "store/report.h"

#include "store/deliveries.h"
#include "store/domains.h"
#include "store/explanation.h"
#include "store/holds.h"
#include "store/state.h"

using namespace postcensus;
using namespace postcensus::store;
using census::Answer;
using census::CalloutClass;
using census::Reason;
using namespace std::chrono_literals;

namespace {

class Audit : public TestState {
  public:
    Audit() {
        write([](Writer& writer) {
            replace_domains(writer, {{"corp.example", "x", {}}, {"other.example", "x", {}}});
        });
    }
    census::Report report(Time since = kNoon - 24h, Time until = kNoon + 24h,
                          const std::string& domain = {}) {
        return read([&](SQLite::Database& db) {
            return load_report(db, {.since = since, .until = until, .now = kNoon, .domain = domain});
        });
    }
    census::Explanation explain(const std::string& text, Time now = kNoon) {
        return read([&](SQLite::Database& db) { return load_explanation(db, address(text), now); });
    }
    void prove(const std::string& text, Time now = kNoon) {
        callout(text, CalloutClass::deliverable, now);
        settle(text, {Answer::accept, Reason::proven, {}}, now);
    }
    void reject(const std::string& text, Time now = kNoon) {
        settle(text, {Answer::reject, Reason::proven_unknown, now + 1h}, now);
    }
};

const census::ExplanationLine* line_of(const std::vector<census::ExplanationLine>& lines,
                                       const std::string& kind) {
    for (const auto& line : lines)
        if (line.kind == kind) return &line;
    return nullptr;
}

}  // namespace

TEST_CASE("an empty state has an empty report", "[store][audit]") {
    TestState state;
    const auto report = state.read([](SQLite::Database& db) {
        return load_report(db, {.since = kNoon - 24h, .until = kNoon, .now = kNoon});
    });
    CHECK(report.domains.empty());
    CHECK(report.elsewhere == 0);
    CHECK(report.changes_total == 0);
    CHECK(report.learned.count == 0);
    CHECK(report.steps.size() == 25);  // whole hours, the first one begun
}

TEST_CASE("what each domain has", "[store][audit]") {
    Audit audit;
    audit.apply("corp", {{listing("o1", {"a@corp.example", "b@corp.example"}),
                          listing("o2", {"c@corp.example"}, true), listing("o3", {"x@strange.example"})},
                         {}});
    audit.accept("a@corp.example");
    audit.accept("b@corp.example");
    audit.settle("c@corp.example", {Answer::closed, Reason::closed_listing, {}});
    audit.prove("d@corp.example");
    audit.settle("e@corp.example", {Answer::accept, Reason::configured, {}});
    audit.reject("f@corp.example");
    audit.accept("g@other.example");
    audit.drop("g@other.example");
    audit.miss("f@corp.example", kNoon - 1h);
    audit.miss("f@corp.example", kNoon - 2h);
    audit.miss("h@corp.example", kNoon - 3h);
    audit.miss("h@corp.example", kNoon - 72h);  // before the period

    const auto report = audit.report();
    REQUIRE(report.domains.size() == 2);
    const census::DomainCounts& corp = report.domains[0];
    CHECK(corp.domain == "corp.example");
    CHECK(corp.accepted == 5);
    CHECK(corp.listed == 3);
    CHECK(corp.learned == 1);
    CHECK(corp.other == 1);
    CHECK(corp.closed == 1);
    CHECK(corp.unknown == 1);
    CHECK(corp.misses == 3);
    CHECK(corp.missed == 2);
    CHECK(corp.came == 5);
    CHECK(corp.rejected == 1);
    CHECK(corp.left == 0);
    const census::DomainCounts& other = report.domains[1];
    CHECK(other.accepted == 0);
    CHECK(other.came == 1);
    CHECK(other.left == 1);
    CHECK(report.elsewhere == 1);
    CHECK(report.changes_total == 8);
    CHECK(report.changes.front().address == "g@other.example");
    CHECK(report.changes.front().to == "unsure");

    const auto one = audit.report(kNoon - 24h, kNoon + 24h, "other.example");
    REQUIRE(one.domains.size() == 1);
    CHECK(one.changes_total == 2);
    // The counts are what a count of the rows says.
    CHECK(audit.count(
              "SELECT count(*) FROM (SELECT domain, answer, reason, addresses FROM census WHERE addresses "
              "<> 0 EXCEPT SELECT domain, answer, reason, count(*) FROM address WHERE answer <> 'unsure' "
              "GROUP BY 1, 2, 3)") == 0);
}

TEST_CASE("a domain counts addresses, not how often each changed", "[store][audit]") {
    Audit audit;
    for (int hour = 20; hour > 0; --hour) {
        audit.reject("made-up@corp.example", kNoon - hour * 1h);
        audit.settle("made-up@corp.example", {Answer::unsure, Reason::lease_over, {}},
                     kNoon - hour * 1h + 30min);
    }
    audit.reject("other@corp.example");
    for (int i = 0; i < 3; ++i) {
        audit.accept("flapping@corp.example");
        audit.drop("flapping@corp.example");
    }
    const auto report = audit.report();
    CHECK(report.domains[0].rejected == 2);
    CHECK(report.domains[0].came == 1);
    CHECK(report.domains[0].left == 1);
    CHECK(report.changes_total == 47);
    CHECK(report.lapsed == 20);
    std::int64_t refused = 0;
    for (const auto& step : report.steps) refused += step.rejected;
    CHECK(refused == 21);
    const auto one = audit.report(kNoon - 24h, kNoon + 24h, "other.example");
    CHECK(one.changes_total == 0);
    CHECK(one.domains[0].rejected == 0);
}

TEST_CASE("a domain that has ended has its history", "[store][audit]") {
    Audit audit;
    audit.prove("a@corp.example");
    audit.miss("b@corp.example");
    audit.write([](Writer& writer) { replace_domains(writer, {{"other.example", "x", {}}}); });
    audit.drop("a@corp.example");
    const auto report = audit.report(kNoon - 24h, kNoon + 24h, "corp.example");
    REQUIRE(report.domains.size() == 1);
    CHECK(report.domains[0].domain == "corp.example");
    CHECK(report.domains[0].came == 1);
    CHECK(report.domains[0].left == 1);
    CHECK(report.domains[0].missed == 1);
    CHECK(report.changes_total == 2);
    CHECK(audit.report().domains.size() == 1);
    const auto knows = [&](const std::string& domain) {
        return audit.read([&](SQLite::Database& db) { return knows_domain(db, domain); });
    };
    CHECK(knows("corp.example"));
    CHECK(knows("other.example"));  // one without addresses
    CHECK_FALSE(knows("foreign.example"));
}

TEST_CASE("the period ends before its end", "[store][audit]") {
    Audit audit;
    audit.reject("a@corp.example", kNoon - 1h);
    audit.drop("a@corp.example");  // at noon
    CHECK(audit.report(kNoon - 2h, kNoon).changes_total == 1);
    CHECK(audit.report(kNoon, kNoon + 1ms).changes_total == 1);
    CHECK(audit.report(kNoon + 1ms, kNoon + 1h).changes_total == 0);
}

TEST_CASE("mail waits for who is unsure for over an hour with senders coming back", "[store][audit]") {
    Audit audit;
    const auto waiting = [&] {
        std::vector<std::string> found;
        for (const auto& line : audit.report().waiting) found.push_back(line.address);
        return found;
    };
    audit.miss("a@corp.example", kNoon - 61min);
    CHECK(waiting().empty());
    audit.miss("a@corp.example", kNoon - 2min);
    CHECK(waiting().empty());
    audit.miss("a@corp.example", kNoon);
    audit.callout("a@corp.example", CalloutClass::retry);
    REQUIRE(waiting() == std::vector<std::string>{"a@corp.example"});
    const auto report = audit.report();
    CHECK(audit.report(kNoon - 24h, kNoon + 24h, "corp.example").waiting.size() == 1);
    CHECK(audit.report(kNoon - 24h, kNoon + 24h, "corp.example").waiting_total == 1);
    CHECK(audit.report(kNoon - 24h, kNoon + 24h, "other.example").waiting.empty());
    CHECK(audit.report(kNoon - 24h, kNoon + 24h, "other.example").waiting_total == 0);
    CHECK(report.waiting_total == 1);
    CHECK(report.waiting[0].misses == 3);
    CHECK(report.waiting[0].first == kNoon - 61min);
    CHECK(report.waiting[0].last == kNoon);
    CHECK(report.waiting[0].last_callout.starts_with("retry: 250"));
    CHECK(report.waiting[0].reason == "no-evidence");

    // A lease that ends, a miss, and the next rejection are no waiting, however often.
    for (int hour = 5; hour > 0; --hour) {
        audit.miss("b@corp.example", kNoon - hour * 1h);
        audit.reject("b@corp.example", kNoon - hour * 1h + 1s);
        audit.settle("b@corp.example", {Answer::unsure, Reason::lease_over, {}}, kNoon - (hour - 1) * 1h);
    }
    audit.miss("b@corp.example", kNoon);
    CHECK(waiting().size() == 1);
    // Nor is one who asks again after days.
    audit.miss("c@corp.example", kNoon - 50h);
    audit.miss("c@corp.example", kNoon - 1h);
    CHECK(waiting().size() == 1);

    audit.reject("a@corp.example");
    CHECK(waiting().empty());
    audit.drop("a@corp.example");
    CHECK(waiting().empty());
}

TEST_CASE("who waits, whatever the clock did and whenever the line was read", "[store][audit]") {
    Audit audit;
    // The clock was a month ahead, once.
    audit.miss("a@corp.example", kNoon + 720h);
    for (int hour = 3; hour >= 0; --hour) audit.miss("a@corp.example", kNoon - hour * 1h);
    // A line of two days ago, from another log, does not make today's first miss a wait of two days.
    audit.miss("b@corp.example", kNoon);
    audit.write([](Writer& writer) {
        record_misses(writer, {{address("b@corp.example"), "192.0.2.1", kNoon - 48h}}, kNoon);
    });
    // One of an hour before does.
    audit.miss("c@corp.example", kNoon);
    audit.write([](Writer& writer) {
        record_misses(writer, {{address("c@corp.example"), "192.0.2.1", kNoon - 2h}}, kNoon);
    });
    std::vector<std::string> found;
    for (const auto& line : audit.report().waiting) found.push_back(line.address);
    CHECK(found == std::vector<std::string>{"a@corp.example", "c@corp.example"});
}

TEST_CASE("what a recipient waited for its acceptance", "[store][audit]") {
    Audit audit;
    const std::vector<Milliseconds> waits{500ms, 800ms, 3s, 4s, 20s};
    int i = 0;
    for (const Milliseconds wait : waits) {
        const std::string name = "p" + std::to_string(i++) + "@corp.example";
        audit.miss(name, kNoon - wait);
        audit.prove(name);
    }
    audit.prove("nobody-missed-it@corp.example");
    // A mailbox that was made while its address was refused waited too.
    audit.miss("new@corp.example", kNoon - 1h);
    audit.reject("new@corp.example", kNoon - 1h);
    audit.prove("new@corp.example");
    // Nobody waited for one that a stranger guessed long ago, nor beyond a rejection that has ended.
    audit.miss("guessed@corp.example", kNoon - 240h);
    audit.prove("guessed@corp.example");
    audit.miss("over@corp.example", kNoon - 3h);
    audit.reject("over@corp.example", kNoon - 3h);
    audit.settle("over@corp.example", {Answer::unsure, Reason::lease_over, {}}, kNoon - 2h);
    audit.prove("over@corp.example");

    const auto learned = audit.report(kNoon - 24h, kNoon + 1h).learned;
    CHECK(learned.count == 6);
    CHECK(learned.median == 3s);
    CHECK(learned.p95 == 1h);
    CHECK(learned.longest == 1h);
    CHECK(learned.histogram == std::vector<std::int64_t>{2, 0, 2, 0, 1, 0, 0, 1, 0, 0, 0});
    CHECK(audit.count("SELECT sum(value) FROM total WHERE name = 'learned'") == 6);
    CHECK(audit.count("SELECT value FROM total WHERE name = 'learned' AND label = '5'") == 2);
    CHECK(audit.count("SELECT value FROM total WHERE name = 'learned' AND label = '3600'") == 1);
    CHECK(audit.report(kNoon + 1h, kNoon + 2h).learned.count == 0);

    // The same by domain.
    audit.miss("p@other.example", kNoon + 3h);
    audit.prove("p@other.example", kNoon + 9h);
    const auto domains = audit.report().domains;
    REQUIRE(domains.size() == 2);
    CHECK(domains[0].waits.count == 6);
    CHECK(domains[0].waits.median == 3s);
    CHECK(domains[0].waits.p95 == 1h);
    CHECK(domains[1].waits.count == 1);
    CHECK(domains[1].waits.median == 6h);
    CHECK(audit.report().learned.count == 7);
    const auto one = audit.report(kNoon - 24h, kNoon + 24h, "other.example");
    CHECK(one.learned.count == 1);
    CHECK(one.learned.longest == 6h);
}

TEST_CASE("what callouts knew, and no directory", "[store][audit]") {
    Audit audit;
    audit.prove("alone@other.example");
    CHECK(audit.report().gaps_total == 0);  // without a directory there is nothing to be missing from
    audit.apply("corp", {{listing("o1", {"a@corp.example", "left@corp.example"})}, {}});
    audit.accept("a@corp.example");
    audit.apply("corp", {{listing("o1", {"a@corp.example"})}, {}});
    audit.prove("a+news@corp.example");
    audit.prove("left@corp.example");
    audit.prove("folder@corp.example");
    audit.settle("team@corp.example", {Answer::closed, Reason::closed_callout, {}});

    const auto report = audit.report();
    CHECK(report.gaps_total == 5);
    const auto kind = [&](const std::string& name) -> std::string {
        for (const auto& gap : report.gaps)
            if (gap.address == name) return gap.kind;
        return "?";
    };
    CHECK(kind("alone@other.example").starts_with("no directory lists any address of this domain"));
    CHECK(kind("a+news@corp.example") == "an extension of a@corp.example");
    CHECK(kind("left@corp.example").starts_with("was listed by cn=o1"));
    CHECK(kind("folder@corp.example").starts_with("a public folder"));
    CHECK(kind("team@corp.example").starts_with("a group or mailbox for insiders"));
    CHECK(audit.report(kNoon - 1h, kNoon, "other.example").gaps_total == 1);
    CHECK(report.gaps.size() == 5);
    // One that a directory lists, though its object is not seen any more, is no gap: in total as in the list.
    audit.apply("corp", {{listing("o2", {"unseen@corp.example"})}, {}});
    audit.prove("unseen@corp.example");
    audit.write(
        [](Writer& writer) { writer.db.exec("UPDATE object SET unseen_seq = 1 WHERE dn = 'cn=o2'"); });
    CHECK(audit.report().gaps_total == 5);
    CHECK(audit.report().gaps.size() == 5);
}

TEST_CASE("what a directory lists and the server refuses", "[store][audit]") {
    Audit audit;
    audit.apply("corp", {{listing("o1", {"a@corp.example"}), listing("o2", {"b@corp.example"})}, {}});
    audit.accept("a@corp.example");
    audit.accept("b@corp.example");
    audit.callout("a@corp.example", CalloutClass::unknown);
    audit.write([](Writer& writer) {
        ask(writer, *find_address(writer.db, address("a@corp.example")), "contested", kNoon, kNoon + 15min);
    });
    auto report = audit.report();
    REQUIRE(report.conflicts_total == 1);
    CHECK_FALSE(report.conflicts[0].refused);
    CHECK(report.conflicts[0].object == "cn=o1");
    CHECK(report.conflicts[0].target == "ex1:2525");
    audit.settle("a@corp.example", {Answer::unsure, Reason::contested, {}});
    report = audit.report();
    REQUIRE(report.conflicts_total == 1);
    CHECK(report.conflicts[0].refused);
    CHECK(census::attention_of(report).at(0).what == "conflict");
    CHECK_FALSE(report.conflicts[0].unseen);
    // Whom no reading finds any more has mostly left: nobody is alarmed for that.
    audit.write(
        [](Writer& writer) { writer.db.exec("UPDATE object SET unseen_seq = 1 WHERE dn = 'cn=o1'"); });
    report = audit.report();
    REQUIRE(report.conflicts_total == 1);
    CHECK(report.conflicts[0].unseen);
    for (const auto& one : census::attention_of(report)) CHECK(one.what != "conflict");
    CHECK(audit.report(kNoon - 24h, kNoon + 24h, "corp.example").conflicts_total == 1);
    const auto other = audit.report(kNoon - 24h, kNoon + 24h, "other.example");
    CHECK(other.conflicts_total == 0);
    CHECK(other.conflicts.empty());
}

TEST_CASE("removals that wait for an operator", "[store][audit]") {
    Audit audit;
    audit.apply("corp", {{listing("o1", {"a@corp.example"}), listing("o2", {"b@corp.example"}),
                          listing("o3", {"c@other.example"}), listing("o4", {"d@corp.example"})},
                         {}});
    const auto hold = [&](const std::string& text, std::int64_t number) {
        audit.accept(text);
        audit.write([&](Writer& writer) {
            AnswerWriter(writer, kNoon)
                .hold(*EvidenceReader(writer.db).load(*find_address(writer.db, address(text))), number);
        });
    };
    hold("a@corp.example", 2);
    hold("b@corp.example", 1);
    hold("c@other.example", 2);
    hold("d@corp.example", 3);
    audit.write(
        [](Writer& writer) { approve_holds(writer, open_holds(writer.db, 3), kNoon); });  // it waits no more
    auto report = audit.report();
    CHECK(report.held_total == 3);
    REQUIRE(report.held.size() == 3);
    CHECK(report.held[0].address == "b@corp.example");
    CHECK(report.held[0].number == 1);
    CHECK(report.held[1].address == "a@corp.example");
    CHECK(report.held[1].directory == "corp");
    CHECK(report.held[1].object == "cn=o1");
    CHECK(report.held[1].cause == "gate");
    CHECK(report.held[1].at == kNoon);
    CHECK(report.domains[0].held == 2);
    CHECK(report.domains[1].held == 1);
    CHECK(report.domains[0].other == 3);  // they keep their answer; the fourth is decided soon
    report = audit.report(kNoon - 24h, kNoon + 24h, "other.example");
    CHECK(report.held_total == 1);
    REQUIRE(report.held.size() == 1);
    CHECK(report.held[0].address == "c@other.example");
    CHECK(audit.report(kNoon - 24h, kNoon + 24h, "third.example").held_total == 0);
    const auto first = audit.read([](SQLite::Database& db) {
        return load_report(db, {.since = kNoon - 24h, .until = kNoon, .now = kNoon, .most = 1});
    });
    CHECK(first.held_total == 3);
    REQUIRE(first.held.size() == 1);
    CHECK(first.held[0].number == 1);
}

TEST_CASE("objects that are not seen any more", "[store][audit]") {
    Audit audit;
    audit.apply("corp",
                {{listing("o1", {"b@corp.example", "a@corp.example"}),
                  listing("o2", {"x@corp.example", "c@other.example"}), listing("o3", {"seen@corp.example"})},
                 {}});
    const auto none = audit.report();
    CHECK(none.unseen_total == 0);
    audit.write([&](Writer& writer) {
        const Reading sweep{.directory = "corp", .kind = ReadingKind::sweep, .began_seq = writer.seq};
        ReadingWriter out(writer, sweep);
        out.mark_unseen("o1");
        out.mark_unseen("o2");
        out.finish();
    });
    auto report = audit.report();
    CHECK(report.unseen_total == 2);
    REQUIRE(report.unseen.size() == 2);
    CHECK(report.unseen[0].directory == "corp");
    CHECK(report.unseen[0].object == "cn=o1");
    CHECK(report.unseen[0].address == "a@corp.example");
    CHECK(report.unseen[1].address == "c@other.example");
    report = audit.report(kNoon - 24h, kNoon + 24h, "corp.example");
    CHECK(report.unseen_total == 2);
    CHECK(report.unseen.at(1).address == "x@corp.example");
    report = audit.report(kNoon - 24h, kNoon + 24h, "other.example");
    CHECK(report.unseen_total == 1);
    REQUIRE(report.unseen.size() == 1);
    CHECK(report.unseen[0].object == "cn=o2");
    const auto first = audit.read([](SQLite::Database& db) {
        return load_report(db, {.since = kNoon - 24h, .until = kNoon, .now = kNoon, .most = 1});
    });
    CHECK(first.unseen_total == 2);
    CHECK(first.unseen.size() == 1);
}

TEST_CASE("backscatter that got out", "[store][audit]") {
    Audit audit;
    audit.accept("a@corp.example");
    audit.write([](Writer& writer) {
        record_bounces(writer, {{address("a@corp.example"), "ex1", "550 5.1.1 gone", kNoon - 1h}}, kNoon);
        record_bounces(writer, {{address("a@corp.example"), "ex2", "550 5.1.10 gone", kNoon}}, kNoon);
    });
    const auto report = audit.report();
    REQUIRE(report.bounces_total == 1);
    CHECK(report.bounces[0].count == 2);
    CHECK(report.bounces[0].host == "ex2");
    CHECK(report.bounces[0].answer == "accept");
    CHECK(report.bounces[0].first == kNoon - 1h);
    CHECK(audit.report(kNoon - 24h, kNoon).bounces.at(0).count == 1);
    CHECK(audit.report(kNoon - 24h, kNoon).bounces.at(0).last == kNoon - 1h);
    CHECK(audit.report(kNoon - 24h, kNoon - 1h).bounces_total == 0);
    CHECK(audit.report(kNoon + 1h, kNoon + 2h).bounces_total == 0);
    // None happened between the two, and what happened long ago does not count for this period.
    CHECK(audit.report(kNoon - 59min, kNoon - 1min).bounces_total == 0);
    audit.write([](Writer& writer) {
        for (int i = 0; i < 14; ++i)
            record_bounces(writer, {{address("a@corp.example"), "ex1", "550 5.1.1 gone", kNoon - 300h}},
                           kNoon);
    });
    CHECK(audit.report().bounces.at(0).count == 2);
    CHECK(audit.report(kNoon - 400h).bounces.at(0).count == 16);
    CHECK(audit.report(kNoon - 301h, kNoon - 299h).bounces.at(0).count == 14);
    // One that we never accepted got past another table than ours.
    audit.miss("b@corp.example");
    audit.write([](Writer& writer) {
        record_bounces(writer, {{address("b@corp.example"), "ex1", "550 5.1.1 gone", kNoon}}, kNoon);
    });
    CHECK(audit.report().bounces_total == 1);
    CHECK(audit.report(kNoon - 24h, kNoon + 24h, "other.example").bounces_total == 0);

    // What is kept ends with the rest of the history.
    const Time later = kNoon + 400 * 24h;
    audit.write([&](Writer& writer) { prune(writer, later - 30min); });
    CHECK(audit.count("SELECT sum(count) FROM bounce_hour") == 1);
    CHECK(audit.count("SELECT count(*) FROM bounce") == 1);
    audit.write([&](Writer& writer) { prune(writer, later + 1ms); });
    CHECK(audit.count("SELECT count(*) FROM bounce_hour") == 0);
    CHECK(audit.count("SELECT count(*) FROM bounce") == 0);
}

TEST_CASE("who harvests", "[store][audit]") {
    Audit audit;
    audit.accept("real@corp.example");
    audit.write([](Writer& writer) {
        std::vector<StoredMiss> misses;
        for (int i = 0; i < 5; ++i) {
            const std::string name = "m" + std::to_string(i) + "@corp.example";
            misses.push_back({address(name), "192.0.2." + std::to_string(i), kNoon});
            misses.push_back({address(name), "192.0.2.9", kNoon});
        }
        misses.push_back({address("m1@corp.example"), "2001:db8::1", kNoon});
        misses.push_back({address("m2@corp.example"), "2001:db8::2", kNoon});
        misses.push_back({address("m3@corp.example"), "198.51.100.1", kNoon});  // one name: a typo
        record_misses(writer, misses, kNoon);
        note_harvest(writer, "203.0.113.0/24", kNoon, 1000);
        for (int i = 0; i < 300; ++i)
            note_harvest(writer, "10.0." + std::to_string(i % 250) + ".0/24", kNoon, 1);
        for (int i = 0; i < 300; ++i) note_harvest(writer, "10.1." + std::to_string(i) + ".0/24", kNoon, 1);
    });
    const auto networks = audit.report().networks;
    REQUIRE(networks.size() >= 4);
    CHECK(networks[0].network == "203.0.113.0/24");
    CHECK(networks[0].suppressed == 1000);
    CHECK(networks[1].network == "others");
    const auto find = [&](const std::string& name) {
        return std::find_if(networks.begin(), networks.end(),
                            [&](const auto& line) { return line.network == name; });
    };
    REQUIRE(find("192.0.2.0/24") != networks.end());
    CHECK(find("192.0.2.0/24")->missed == 5);
    CHECK(find("198.51.100.0/24") == networks.end());
    CHECK(audit.count("SELECT count(*) FROM harvest") <= 201);
}

TEST_CASE("what was asked, by server, and what is stopped", "[store][audit]") {
    Audit audit;
    audit.write([](Writer& writer) {
        count(writer, "callout-unknown", kNoon, 7, "ex1:2525");
        count(writer, "callout-unknown", kNoon - 1h, 2, "ex2:2525");
        count(writer, "sessions", kNoon, 3, "ex1:2525");
        count(writer, "callout-unknown", kNoon - 72h, 100, "ex1:2525");
        count(writer, "misses", kNoon, 4);
        count(writer, "published", kNoon, 2, "unknown");
        save_pace(writer, "ex1:2525", {.most_refused = 4, .limit_at = 5, .tarpit = 5000ms});
        set_breakers(writer, {{"ex2:2525", "", {}, "refused"}, {"ex1:2525", "corp.example", {}, "530"}},
                     kNoon);
        set_breakers(writer, {{"ex2:2525", "", {}, "timed out"}}, kNoon + 1h);
    });
    const auto report = audit.report();
    REQUIRE(report.targets.size() == 2);
    CHECK(report.targets[0].classes.at("unknown") == 7);
    CHECK(report.targets[0].sessions == 3);
    CHECK(report.targets[0].limit_at == 5);
    CHECK(report.targets[1].classes.at("unknown") == 2);
    CHECK(report.callouts.at("unknown") == 9);
    CHECK(report.counters.at("misses") == 4);
    // What is counted by server or table stands there.
    for (const char* name : {"callout-unknown", "sessions", "published"})
        CHECK_FALSE(report.counters.contains(name));
    REQUIRE(report.breakers.size() == 1);
    CHECK(report.breakers[0].since == kNoon);
    CHECK(report.breakers[0].reason == "timed out");
    REQUIRE(report.stops_total == 1);
    CHECK(report.stops.at(0).target == "ex1:2525");
    CHECK(report.stops[0].domain == "corp.example");
    CHECK(report.stops[0].reason == "530");
    CHECK(report.stops[0].since == kNoon);
    CHECK(report.stops[0].ended == kNoon + 1h);
    std::int64_t asked = 0;
    for (const auto& step : report.steps)
        if (const auto found = step.callouts.find("unknown"); found != step.callouts.end())
            asked += found->second;
    CHECK(asked == 9);
    CHECK(audit.count("SELECT value FROM total WHERE name = 'callout-unknown' AND label = 'ex1:2525'") ==
          107);
}

TEST_CASE("failsafe shows however much else was done, and a table that was never out", "[store][audit]") {
    Audit audit;
    audit.write([](Writer& writer) {
        note_command(writer, {"failsafe", "root", "emptied closed: too early"}, kNoon - 30h);
        note_command(writer, {"failsafe", "root", "emptied closed: its time was over"}, kNoon - 3h);
        note_command(writer, {"failsafe", "root", "emptied unknown: its time was over"}, kNoon - 2h);
        for (int i = 0; i < 60; ++i) note_command(writer, {"forget", "anna", "x"}, kNoon - 1h);
        note_publication(writer, "unknown", {.generation = 1, .at = kNoon});
    });
    const auto report = audit.report();
    CHECK(report.commands_total == 62);
    CHECK(report.commands.size() == 50);
    CHECK(report.failsafe_runs == 2);
    CHECK(report.unpublished == std::vector<std::string>{"directory", "learned", "closed"});
    const auto words = [&](const std::string& what) {
        for (const auto& one : census::attention_of(report))
            if (one.what == what) return one.words;
        return std::string{};
    };
    CHECK(words("failsafe") ==
          "failsafe had to step in: emptied unknown: its time was over (and 1 time more in the period)");
    CHECK(words("table").starts_with("never published: directory, learned, closed. Where main.cf"));
    CHECK(audit.report(kNoon - 1h).failsafe_runs == 0);
}

TEST_CASE("an outage that is over shows in its period", "[store][audit]") {
    Audit audit;
    const auto stop = [&](const std::vector<census::BreakerLine>& breakers, Time at) {
        audit.write([&](Writer& writer) { set_breakers(writer, breakers, at); });
    };
    stop({{"ex1:2525", "", {}, "cannot connect"}, {"ex2:2525", "corp.example", {}, "530"}}, kNoon - 4h);
    stop({{"ex1:2525", "", {}, "timed out"}, {"ex2:2525", "corp.example", {}, "530"}}, kNoon - 3h);
    stop({}, kNoon - 2h);
    const auto stops = [&](Time since, Time until, const std::string& domain = {}) {
        const auto report = audit.report(since, until, domain);
        CHECK(report.stops_total == static_cast<std::int64_t>(report.stops.size()));
        CHECK(report.breakers.empty());
        return report.stops.size();
    };
    CHECK(stops(kNoon - 24h, kNoon) == 2);
    CHECK(stops(kNoon - 24h, kNoon, "corp.example") == 2);
    CHECK(stops(kNoon - 24h, kNoon, "other.example") == 1);
    CHECK(stops(kNoon - 24h, kNoon - 4h) == 0);
    CHECK(stops(kNoon - 3h, kNoon - 150min) == 2);  // in the middle of it
    CHECK(stops(kNoon - 1h, kNoon) == 0);
    CHECK(audit.report().stops[1].reason == "timed out");
    // The clock was set back meanwhile.
    stop({{"ex1:2525", "", {}, "x"}}, kNoon);
    stop({}, kNoon - 10h);
    CHECK(audit.count("SELECT count(*) FROM stop WHERE ended < since") == 0);

    // Bounded, however often a server fails, and gone with the rest of the history.
    audit.write([](Writer& writer) {
        writer.db.exec(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO "
            "stop (target, domain, since, ended, reason) SELECT 'ex3:2525', '', 1, 2, 'x' FROM n");
    });
    stop({{"ex1:2525", "", {}, "x"}}, kNoon);
    stop({}, kNoon + 1h);
    CHECK(audit.count("SELECT count(*) FROM stop") == 10'000);
    CHECK(audit.report().stops.front().target == "ex1:2525");
    audit.write([](Writer& writer) { prune(writer, kNoon); });
    CHECK(audit.count("SELECT count(*) FROM stop") == 1);
}

TEST_CASE("misses that are over go in pieces", "[store][audit]") {
    Audit audit;
    audit.write([](Writer& writer) {
        std::vector<StoredMiss> misses;
        for (int i = 0; i < 5; ++i)
            misses.push_back({address("m" + std::to_string(i) + "@corp.example"), "192.0.2.1",
                              kNoon - 15 * 24h + i * 24h});
        record_misses(writer, misses, kNoon);
    });
    const auto piece = [&] {
        bool more = false;
        audit.write([&](Writer& writer) { more = prune_misses(writer, kNoon + 2 * 24h + 1ms, 2); });
        return more;
    };
    CHECK(audit.count("SELECT count(*) FROM miss") == 5);
    CHECK(piece());
    CHECK(audit.count("SELECT count(*) FROM miss") == 3);
    CHECK(piece());
    CHECK(!piece());
    CHECK(audit.count("SELECT count(*) FROM miss") == 1);
}

TEST_CASE("servers that do not fit are counted, and the busiest are shown", "[store][audit]") {
    Audit audit;
    audit.write([](Writer& writer) {
        for (int i = 1; i <= 60; ++i)
            count(writer, "callout-retry", kNoon, i, "ex" + std::to_string(i) + ":2525");
    });
    const auto report = audit.report();
    CHECK(report.targets_total == 60);
    CHECK(report.targets.size() == 50);
    CHECK(report.targets.front().target == "ex60:2525");
}

TEST_CASE("lookups are counted apart from readings", "[store][audit]") {
    Audit audit;
    for (const bool good : {true, true, false}) {
        const Reading lookup{.directory = "corp",
                             .kind = ReadingKind::lookup,
                             .began = kNoon,
                             .ended = kNoon,
                             .began_seq = 1,
                             .outcome = good ? "applied" : "timed out",
                             .good = good};
        if (good)
            audit.apply(lookup, {});
        else
            audit.write([&](Writer& writer) { note_failed(writer, lookup); });
    }
    auto report = audit.report();
    CHECK(report.lookups == 2);
    CHECK(report.readings_total == 1);
    CHECK(report.readings_failed == 1);
    CHECK(report.readings.size() == 1);
    audit.apply("corp", {});
    report = audit.report();
    CHECK(report.readings_total == 2);
    CHECK(report.readings.size() == 2);
    CHECK(audit.report(kNoon + 1h).lookups == 0);
}

TEST_CASE("a log that is not there needs attention", "[store][audit]") {
    Audit audit;
    const auto note = [&](bool present, Time at) {
        audit.write([&](Writer& writer) { note_log(writer, present, at); });
    };
    const auto words = [&] {
        for (const auto& one : census::attention_of(audit.report()))
            if (one.what == "log") return one.words;
        return std::string{};
    };
    note(true, kNoon - 2h);
    CHECK(words().empty());
    note(false, kNoon - 1h);
    note(false, kNoon);  // since the first time, also if `watch` was started anew
    CHECK(words().starts_with("the log of Postfix has not been there for 1 h 0 min, so nobody asks"));
    auto report = audit.report();
    report.unwatched = true;  // then nobody knows
    for (const auto& one : census::attention_of(report)) CHECK(one.what != "log");
    note(true, kNoon);
    CHECK(words().empty());
    note(false, kNoon - 4min);  // it is being rotated
    CHECK(words().empty());
}

TEST_CASE("labels are bounded", "[store][audit]") {
    Audit audit;
    audit.write([](Writer& writer) {
        for (int i = 0; i < 500; ++i) count(writer, "callout-retry", kNoon, 1, "ex" + std::to_string(i));
    });
    CHECK(audit.count("SELECT count(*) FROM total") == 201);
    CHECK(audit.count("SELECT value FROM total WHERE label = 'others'") == 300);
    CHECK(audit.count("SELECT sum(value) FROM counter") == 500);
}

TEST_CASE("what was counted by server goes on as a count of all", "[store][audit]") {
    Audit audit;
    audit.write([](Writer& writer) {
        count(writer, "callout-unknown", kNoon - 960h, 3, "ex1:2525");
        count(writer, "callout-unknown", kNoon - 960h, 4, "ex2:2525");
        count(writer, "callout-unknown", kNoon, 5, "ex1:2525");
        prune(writer, kNoon);
    });
    const auto report = audit.report(kNoon - 1000h);
    CHECK(report.callouts.at("unknown") == 12);
    REQUIRE(report.targets.size() == 2);
    CHECK(report.targets[0].target == "others");
    CHECK(report.targets[1].classes.at("unknown") == 5);
    // A server that is asked no more leaves its place; one that is keeps its total.
    CHECK(audit.count("SELECT count(*) FROM total WHERE name = 'callout-unknown'") == 1);
    CHECK(audit.count("SELECT value FROM total WHERE label = 'ex1:2525'") == 8);
}

TEST_CASE("the steps of a period", "[store][audit]") {
    Audit audit;
    CHECK(audit.report(kNoon - 72h, kNoon).step == 1h);
    CHECK(audit.report(kNoon - 73h, kNoon).step == 24h);
    CHECK(audit.report(kNoon - 400 * 24h, kNoon).step == 7 * 24h);
    CHECK(audit.report(kNoon - 400 * 24h, kNoon).steps.size() <= 60);
    audit.prove("a@corp.example", kNoon - 30min);
    audit.write([](Writer& writer) { note_size(writer, kNoon - 30min); });
    audit.prove("b@corp.example", kNoon - 20min);
    audit.write([](Writer& writer) { note_size(writer, kNoon - 20min); });
    const auto report = audit.report(kNoon - 1h, kNoon);
    std::int64_t came = 0;
    for (const auto& step : report.steps) came += step.came;
    CHECK(came == 2);
    REQUIRE(report.sizes.size() == 1);
    CHECK(report.sizes[0].learned == 2);
}

TEST_CASE("every change, page by page", "[store][audit]") {
    Audit audit;
    for (int i = 0; i < 25; ++i)
        audit.reject("p" + std::to_string(i) + "@corp.example", kNoon + std::chrono::seconds(i / 10));
    audit.accept("z@other.example");
    const auto all_of = [&](std::size_t most, const std::string& domain) {
        std::vector<std::string> all;
        ChangePlace place{kNoon - 1h, 0};
        for (;;) {
            const auto page = audit.read([&](SQLite::Database& db) {
                return next_changes(
                    db,
                    {.since = kNoon - 1h, .until = kNoon + 1h, .now = kNoon, .domain = domain, .most = most},
                    place);
            });
            if (page.empty()) return all;
            for (const auto& change : page) all.push_back(change.address);
        }
    };
    const auto all = all_of(100, "");
    CHECK(all.size() == 26);
    CHECK(all.front() == "p0@corp.example");
    CHECK(all.back() == "p24@corp.example");
    CHECK(all_of(3, "") == all);
    CHECK(all_of(1, "") == all);
    CHECK(all_of(7, "corp.example").size() == 25);
}

TEST_CASE("what a report names, explain takes", "[store][audit]") {
    Audit audit;
    const std::string name = "j \"=1\" <s>+x@corp.example";
    const std::string quoted = R"("j \"=1\" <s>+x"@corp.example)";
    audit.apply("corp", {{listing("o1", {name})}, {}});
    audit.accept(name);
    audit.callout(name, CalloutClass::unknown);
    audit.write([&](Writer& writer) {
        const AddressId id = *find_address(writer.db, address(name));
        record_bounces(writer, {{address(name), "ex1", "550 5.1.1 gone", kNoon}}, kNoon);
        ask(writer, id, "contested", kNoon, kNoon + 15min);
        AnswerWriter(writer, kNoon).hold_unseen(*EvidenceReader(writer.db).load(id), 1);
        writer.db.exec("UPDATE object SET unseen_seq = 1");
    });
    audit.prove("j s@corp.example");
    for (const Time at : {kNoon - 61min, kNoon}) audit.miss("w w@corp.example", at);
    const auto report = audit.report();
    std::vector<std::string> named;
    for (const auto& line : report.changes) named.push_back(line.address);
    CHECK(named == std::vector<std::string>{R"("j s"@corp.example)", quoted});
    REQUIRE(report.bounces.size() == 1);
    CHECK(report.bounces[0].address == quoted);
    REQUIRE(report.conflicts.size() == 1);
    CHECK(report.conflicts[0].address == quoted);
    REQUIRE(report.held.size() == 1);
    CHECK(report.held[0].address == quoted);
    REQUIRE(report.unseen.size() == 1);
    CHECK(report.unseen[0].address == quoted);
    REQUIRE(report.gaps.size() == 1);
    CHECK(report.gaps[0].address == R"("j s"@corp.example)");
    REQUIRE(report.waiting.size() == 1);
    CHECK(report.waiting[0].address == R"("w w"@corp.example)");
    CHECK(mail::Address::from_external(quoted) == address(name));
    ChangePlace place{kNoon - 1h, 0};
    const auto page = audit.read([&](SQLite::Database& db) {
        return next_changes(db, {.since = kNoon - 1h, .until = kNoon + 1h, .now = kNoon}, place);
    });
    REQUIRE(page.size() == 2);
    CHECK(page[0].address == quoted);
}

TEST_CASE("all evidence of an address", "[store][audit]") {
    Audit audit;
    CHECK_FALSE(audit.explain("nobody@corp.example").known);
    audit.apply("corp", {{listing("o1", {"a@corp.example"})}, {}});
    audit.accept("a@corp.example");
    audit.miss("a@corp.example", kNoon - 1h);
    audit.callout("a@corp.example", CalloutClass::deliverable, kNoon - 1h);
    audit.write([](Writer& writer) {
        renew_proofs(writer, {{address("a@corp.example"), "ex1", kNoon - 2h, 24h}});
        renew_proofs(writer, {{address("a@corp.example"), "ex2", kNoon - 90min, 24h}});  // within the hour
        record_bounces(writer, {{address("a@corp.example"), "ex1", "550 no", kNoon}}, kNoon);
    });
    const auto known = audit.explain("a@corp.example");
    CHECK(known.answer == Answer::accept);
    CHECK(census::rule_of(known.reason) == 2);
    CHECK(known.table == "learned");  // there is no base yet
    const auto* listed = line_of(known.evidence, "listing");
    REQUIRE(listed != nullptr);
    CHECK(listed->facts.at("dn") == "cn=o1");
    CHECK(listed->facts.at("server") == "ldaps://dc1");
    const auto* misses = line_of(known.evidence, "misses");
    REQUIRE(misses != nullptr);
    CHECK(misses->facts.at("clients") == "192.0.2.1");
    REQUIRE(line_of(known.evidence, "delivery") != nullptr);
    CHECK(line_of(known.evidence, "delivery")->facts.at("host") == "ex1");
    CHECK(line_of(known.evidence, "bounce") != nullptr);
    CHECK(line_of(known.evidence, "callout")->facts.at("class") == "deliverable");
    REQUIRE(line_of(known.next, "question") != nullptr);  // the bounce asks
    CHECK(known.history.size() == 1);

    audit.miss("b@corp.example");
    audit.reject("b@corp.example");
    const auto refused = audit.explain("b@corp.example");
    CHECK(refused.table == "unknown");
    CHECK(census::rule_of(refused.reason) == 3);
    REQUIRE(line_of(refused.next, "expires") != nullptr);
    CHECK(line_of(refused.next, "expires")->at == kNoon + 1h);
    const auto over = audit.explain("b@corp.example", kNoon + 1h);
    CHECK(over.answer == Answer::unsure);
    CHECK(over.table.empty());
    CHECK(over.reason == Reason::lease_over);
}
