// SPDX-License-Identifier: MIT
#include "flow/follow/follow_log.h"

#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "store/domains.h"
#include "store/publications.h"
#include "store/report.h"
#include "store/state.h"

using namespace postcensus;
using namespace postcensus::store;
using flow::LogFollower;

namespace {

const std::string kSmtpd = "2023-11-14T22:13:20Z gw postfix/smtpd[7]: ";
const std::string kSmtp = "2023-11-14T22:13:20Z gw postfix/relay/smtp[8]: A1: ";

std::string miss(const std::string& rcpt, Time at = now()) {
    return format_time(at) +
           " gw postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 450 4.1.1 <" + rcpt +
           ">: Recipient address rejected: User unknown in relay recipient table; from=<a@b.test> to=<" +
           rcpt + "> proto=ESMTP helo=<x>";
}
std::string delivery(const std::string& rcpt, const std::string& end) {
    return kSmtp + "to=<" + rcpt +
           ">, relay=ex1[192.0.2.10]:25, delay=0.1, delays=0/0/0.1/0, dsn=2.0.0, status=" + end;
}
std::string bounce(const std::string& rcpt) {
    return delivery(
        rcpt, "bounced (host ex1[192.0.2.10] said: 550 5.1.10 not found (in reply to RCPT TO command))");
}

// A state, a log, and a route for c.example whose server can be asked.
class Town {
  public:
    Town() {
        spdlog::set_default_logger(
            std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>()));
        configuration.log.source = maillog::SourceKind::file;
        configuration.log.path = state.path().parent_path() / "mail.log";
        configuration.log.syslog_names = {"postfix"};
        configuration.route_by_domain.emplace("c.example", 0);
        configuration.routes.push_back({.name = "c", .domains = {"c.example"}});
        configuration.routes[0].callout.targets = {callout::Target{"ex1", 2525}};
        configuration.routes[0].deliverable_refresh = std::chrono::hours(7 * 24);
        std::ofstream(configuration.log.path) << "";
        open();
        step();
    }

    void open() { follower = LogFollower::open(configuration, state.database(), admission).value(); }
    void log(const std::string& line) {
        std::ofstream(configuration.log.path, std::ios::app) << line << "\n";
    }

    LogFollower::Step step(bool all = true) {
        const auto done = follower->step(state.database(), all);
        REQUIRE(done);
        return *done;
    }
    std::int64_t count(const std::string& name) {
        return state.count("SELECT coalesce(sum(value), 0) FROM counter WHERE name = '" + name + "'");
    }
    std::string mark() {
        return state.read([&](SQLite::Database& db) {
            return load_mark(db, "file:" + configuration.log.path.string()).value_or("none");
        });
    }

    TestState state;
    config::Configuration configuration;
    census::Admission admission{{}, 42};
    std::unique_ptr<LogFollower> follower;
};

}  // namespace

TEST_CASE("the mark moves with lines that say nothing", "[flow][follow_log]") {
    Town town;
    const std::string before = town.mark();
    town.log(kSmtpd + "connect from unknown[192.0.2.7]");
    const auto rests = town.step(false);
    REQUIRE(rests.rest);
    CHECK(*rests.rest > std::chrono::milliseconds(5000));
    CHECK(town.mark() == before);
    town.step();
    CHECK(town.mark() != before);
    // Nothing is there: nothing is written.
    const Seq seq = *town.state.database().current_seq();
    CHECK_FALSE(town.step().rest);
    CHECK(*town.state.database().current_seq() == seq);
}

TEST_CASE("a miss is stored at once, what has time together with what comes behind it",
          "[flow][follow_log]") {
    Town town;
    town.log(delivery("anna@c.example", "sent (250 ok)"));
    const auto rests = town.step(false);
    REQUIRE(rests.rest);
    CHECK(*rests.rest <= std::chrono::milliseconds(1000));
    CHECK(town.count("deliveries") == 0);
    town.log(miss("new@c.example"));
    CHECK(town.step(false).stored_questions);
    CHECK(town.count("deliveries") == 1);
    CHECK(town.count("misses") == 1);
    CHECK(town.state.pending("new@c.example").evidence.missed);
}

TEST_CASE("what a crash took is read again, what was stored is not", "[flow][follow_log]") {
    Town town;
    town.log(miss("one@c.example"));
    town.step();
    town.log(delivery("anna@c.example", "sent (250 ok)"));
    town.step(false);  // read, and not stored
    town.open();
    town.step();
    CHECK(town.count("misses") == 1);
    CHECK(town.count("deliveries") == 1);
    CHECK(town.state.count("SELECT count(*) FROM miss") == 1);
}

TEST_CASE("a state that is busy loses no line", "[flow][follow_log]") {
    Town town;
    town.log(miss("one@c.example"));
    auto other = Database::open(town.state.path(), Database::Mode::existing, std::chrono::milliseconds(0));
    REQUIRE(other);
    const auto held = other->write([&](Writer&) {
        for (int tries = 0; tries < 3; ++tries) {
            const auto step = town.follower->step(town.state.database(), true);
            REQUIRE_FALSE(step);
            CHECK(step.error().code == ExitCode::try_again);
            town.log(miss("more" + std::to_string(tries) + "@c.example"));
        }
    });
    REQUIRE(held);
    while (town.step().stored_questions) {
    }
    CHECK(town.count("misses") == 4);
    CHECK(town.state.count("SELECT count(DISTINCT address_id) FROM miss") == 4);
}

TEST_CASE("a mark that somebody else moved stays", "[flow][follow_log]") {
    Town town;
    town.log(miss("one@c.example"));
    const std::string mark = town.mark();
    town.state.write([&](Writer& writer) {
        return move_mark(writer, "file:" + town.configuration.log.path.string(), "theirs", mark);
    });
    town.step();
    CHECK(town.mark() == "theirs");
    CHECK(town.count("misses") == 1);
}

TEST_CASE("a bounce of an accepted recipient is a question, and proves nothing", "[flow][follow_log]") {
    Town town;
    town.state.accept("gone@c.example");
    town.log(bounce("gone@c.example"));
    town.log(bounce("stranger@c.example"));
    town.log(bounce("world@elsewhere.example"));
    const auto step = town.step(false);
    CHECK(step.doubted);
    CHECK(town.count("bounces") == 2);
    CHECK(town.state.question("gone@c.example").starts_with("bounce 0"));
    CHECK(town.state.pending("gone@c.example").evidence.answered == census::Answer::accept);
    CHECK(town.state.count("SELECT count(*) FROM address") == 1);  // strangers make no rows
    CHECK(town.state.count("SELECT count FROM bounce") == 1);
    // A callout that has just answered is not repeated for the next bounce.
    town.state.write([](Writer& writer) { writer.db.exec("DELETE FROM question"); });
    town.state.callout("gone@c.example", census::CalloutClass::deliverable, now());
    town.log(bounce("gone@c.example"));
    CHECK_FALSE(town.step().doubted);
    CHECK(town.state.question("gone@c.example").empty());
    CHECK(town.state.count("SELECT count FROM bounce") == 2);
}

TEST_CASE("a delivery puts the next callout off, for that host and not for ever", "[flow][follow_log]") {
    Town town;
    const auto days = [](int number) { return std::chrono::hours(24 * number); };
    const auto proved = [&](const std::string& rcpt, Time at) {
        town.state.callout(rcpt, census::CalloutClass::deliverable, at);
        town.state.write([&](Writer& writer) {
            ask(writer, *find_address(writer.db, address(rcpt)), "refresh", at, at + days(7));
        });
    };
    const auto due = [&](const std::string& rcpt) {
        return town.state.count(
            "SELECT coalesce(max(due), 0) FROM question JOIN address ON id = address_id WHERE address = '" +
            rcpt + "'");
    };
    proved("proved@c.example", kNoon - days(5));
    proved("old@c.example", kNoon - days(25));
    proved("other@c.example", kNoon - days(5));
    town.state.accept("listed@c.example");
    for (const char* rcpt : {"proved@c.example", "old@c.example", "listed@c.example", "stranger@c.example"})
        town.log(delivery(rcpt, "sent (250 ok)"));  // at kNoon
    std::string elsewhere = delivery("other@c.example", "sent (250 ok)");
    town.log(elsewhere.replace(elsewhere.find("ex1"), 3, "ex2"));
    town.step();
    CHECK(due("proved@c.example") == to_unix_ms(kNoon + days(7)));
    CHECK(due("old@c.example") == to_unix_ms(kNoon + days(3)));  // 28 days after the callout
    CHECK(due("other@c.example") == to_unix_ms(kNoon + days(2)));
    CHECK(due("listed@c.example") == 0);
    CHECK(town.state.count("SELECT count(*) FROM address") == 4);

    // A server that accepts everything delivers everything.
    town.state.write([](Writer& writer) {
        replace_domains(writer, {{"c.example", "", {}}});
        set_accept_all(writer, "c.example", true);
    });
    town.log(delivery("other@c.example", "sent (250 ok)"));
    town.step();
    CHECK(due("other@c.example") == to_unix_ms(kNoon + days(2)));
}

TEST_CASE("a bounce of a rewritten recipient is one of what was accepted", "[flow][follow_log]") {
    Town town;
    town.state.accept("bob@c.example");
    std::string line = bounce("bob@inside.example");
    town.log(line.insert(line.find(", relay="), ", orig_to=<bob@c.example>"));
    CHECK(town.step().doubted);
    CHECK(town.state.question("bob@c.example").starts_with("bounce 0"));
}

TEST_CASE("what could not be stored does not end a catch-up", "[flow][follow_log]") {
    Town town;
    for (int i = 0; i < 1200; ++i) town.log(delivery("anna@c.example", "sent (250 ok)"));
    auto other = Database::open(town.state.path(), Database::Mode::existing, std::chrono::milliseconds(0));
    REQUIRE(other);
    REQUIRE(other->write([&](Writer&) { CHECK_FALSE(town.follower->step(town.state.database(), true)); }));
    int steps = 0;
    while (town.step().more) ++steps;
    CHECK(steps >= 2);
    CHECK(town.count("deliveries") == 1200);
}

TEST_CASE("a rejection that was used stays longest", "[flow][follow_log]") {
    Town town;
    const auto reject = [&](const std::string& rcpt, Time until) {
        town.state.settle(rcpt, {census::Answer::reject, census::Reason::proven_unknown, until});
    };
    reject("used@c.example", kNoon);
    reject("younger@c.example", kNoon + std::chrono::minutes(5));
    std::string line = miss("used@c.example");
    const std::string words = "User unknown in relay recipient table";
    town.log(line.replace(line.find(words), words.size(), std::string(mail::kUnknownRecipient)));
    town.step();
    CHECK(town.count("asked") == 1);
    CHECK(town.count("misses") == 0);
    const auto rows = town.state.read([](SQLite::Database& db) { return unknown_rows(db, 1); });
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].address.text() == "used@c.example");
}

TEST_CASE("a miss that is old raises a question, and allows no rejection", "[flow][follow_log]") {
    using std::chrono::hours;
    using std::chrono::minutes;
    struct Case {
        const char* rcpt;
        Milliseconds age;
        bool counts;
    };
    const std::vector<Case> cases{{"fresh@c.example", minutes(0), true},
                                  {"recent@c.example", minutes(50), true},
                                  {"old@c.example", minutes(61), false},
                                  {"ancient@c.example", hours(72), false},
                                  {"ahead@c.example", -hours(2), false}};
    Town town;
    for (const Case& one : cases) town.log(miss(one.rcpt, now() - one.age));
    CHECK(town.step().stored_questions);
    for (const Case& one : cases) {
        INFO(one.rcpt);
        CHECK(town.state.pending(one.rcpt).evidence.missed.has_value() == one.counts);
        CHECK(town.state.question(one.rcpt).starts_with("miss"));
    }
    CHECK(town.count("misses") == 5);
    CHECK(town.count("misses-old") == 3);
    // The next one is a miss like any other; and an old one takes nothing from it.
    town.log(miss("old@c.example"));
    town.step();
    const auto missed = town.state.pending("old@c.example").evidence.missed;
    CHECK(missed);
    town.log(miss("old@c.example", now() - hours(5)));
    town.step();
    CHECK(town.state.pending("old@c.example").evidence.missed == missed);
}

TEST_CASE("lines without a year that run into the future are old", "[flow][follow_log]") {
    Town town;
    // Each December is followed by a January: where that ends nobody knows.
    const std::string rest = miss("someone@c.example").substr(20);
    for (const char* day :
         {"Jan 10 10:00:00", "Jun 10 10:00:00", "Jan 10 10:00:00", "Jun 10 10:00:00", "Jan 10 10:00:00"})
        town.log(day + rest);
    town.step();
    CHECK(town.count("misses") == 5);
    CHECK(town.count("misses-old") == 5);
    CHECK_FALSE(town.state.pending("someone@c.example").evidence.missed);
}

TEST_CASE("a log that cannot be read is said once for each form, counted, and shown", "[flow][follow_log]") {
    Town town;
    std::ostringstream said;
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(said)));
    const auto times_said = [&] {
        const std::string text = said.str();
        std::size_t times = 0;
        for (std::size_t at = text.find("is not understood"); at != std::string::npos;
             at = text.find("is not understood", at + 1))
            ++times;
        return times;
    };
    const auto report = [&] {
        return town.state.read([](SQLite::Database& db) {
            return load_report(db, {now() - std::chrono::hours(1), now(), now(), "", 50});
        });
    };
    const std::string message = miss("new@c.example").substr(kSmtpd.size());
    // Another program's words, and a stranger's, are not Postfix's.
    town.log("Nov 14 22:13:20 gw dovecot: Error: User unknown");
    town.log("Nov 14 22:13:20 gw web[1]: " + miss("new@c.example"));
    town.step();
    CHECK(town.count("lines-not-understood") == 1);  // a container's log driver would write so
    for (int i = 0; i < 300; ++i) {
        town.log("[ " + std::to_string(1000 + i) + ".5] gw postfix/smtpd[1]: " + message);
        town.log("lis 14 22:13:2" + std::to_string(i % 10) + " gw postfix/smtpd[1]: " + message + "\x1b[31m");
    }
    while (town.step().more) {
    }
    CHECK(town.count("lines-not-understood") == 601);
    CHECK(town.count("misses") == 0);
    CHECK(times_said() == 3);
    CHECK(said.str().find('\x1b') == std::string::npos);
    const auto shown = report();
    REQUIRE(shown.strange_line);
    CHECK(shown.strange_line->starts_with("lis 14"));
    const auto attention = census::attention_of(shown);
    CHECK(std::any_of(attention.begin(), attention.end(), [](const census::Attention& one) {
        return one.what == "log" && one.words.find("601 lines of the log") != std::string::npos &&
               one.words.find("lis 14") != std::string::npos;
    }));
    // After a restart it is said again.
    town.open();
    town.log("lis 14 22:13:20 gw postfix/smtpd[1]: " + message);
    town.step();
    CHECK(times_said() == 4);
    // What is understood does not count.
    town.log("<22>1 2023-11-14T22:13:20.123456+00:00 gw postfix/smtpd 7 - - " + message);
    town.step();
    CHECK(town.count("misses") == 1);
    CHECK(town.count("lines-not-understood") == 602);
}

TEST_CASE("a message that syslog repeated counts as often", "[flow][follow_log]") {
    Town town;
    town.log(kSmtpd + "message repeated 4 times: [ " + miss("new@c.example").substr(kSmtpd.size()) + "]");
    CHECK(town.step().stored_questions);
    CHECK(town.count("misses") == 4);
    CHECK(town.state.count("SELECT count(*) FROM miss") == 1);
}

TEST_CASE("a miss that is long over is renewed by the next one", "[flow][follow_log]") {
    Town town;
    town.log(miss("anna@c.example", now() - std::chrono::minutes(40)));
    town.step();
    const auto first = town.state.pending("anna@c.example").evidence;
    REQUIRE(first.missed);
    town.log(miss("anna@c.example"));
    town.step();
    // The first one of a row counts, and the time of the last.
    const auto second = town.state.pending("anna@c.example").evidence;
    CHECK(second.missed == first.missed);
    CHECK(*second.missed_at > *first.missed_at + std::chrono::minutes(30));
    town.state.write(
        [](Writer& writer) { writer.db.exec("UPDATE address SET missed_at = missed_at - 7200000"); });
    town.log(miss("anna@c.example"));
    town.step();
    CHECK(*town.state.pending("anna@c.example").evidence.missed > *second.missed);
}
