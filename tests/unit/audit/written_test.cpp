// SPDX-License-Identifier: MIT
// Report and explanation as text, JSON and CSV: complete, aligned, and safe whoever chose the words.
#include <nlohmann/json.hpp>

#include "audit/csv.h"
#include "audit/html.h"
#include "audit/json.h"
#include "audit/sample_report.h"
#include "audit/text.h"
#include "base/printable.h"
#include "catch.h"

using namespace postcensus;
using census::Answer;
using census::Reason;
using nlohmann::json;

namespace {

// What a terminal would act on, but for line ends.
bool is_safe(const std::string& text) {
    std::size_t start = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
        if (!is_printable(std::string_view(text).substr(start, end - start))) return false;
        start = end + 1;
    }
    return is_printable(std::string_view(text).substr(start));
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::size_t start = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
        lines.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    return lines;
}

census::Explanation explanation() {
    census::Explanation out;
    out.address = "b+x@corp.example";
    out.answer = Answer::accept;
    out.table = "directory";
    out.reason = Reason::listed;
    out.known = true;
    out.through = "b@corp.example";
    const Time noon = from_unix_ms(1'700'000'000'000);
    out.evidence.push_back({"listing", "listed by CN=\x1b[31m", noon, {{"dn", "CN=\x1b[31m"}}});
    out.next.push_back({"miss", "the next miss asks", {}});
    out.postfix["directory"] = census::Explanation::Found{"b@corp.example", "OK"};
    out.postfix["learned"] = std::nullopt;
    out.trouble.emplace_back("closed: \xff cannot be read");
    return out;
}

}  // namespace

TEST_CASE("a hostile report is safe in every format", "[audit]") {
    const census::Report report = test::hostile_report();
    CHECK(is_safe(audit::report_text(report, false)));
    CHECK(is_safe(audit::report_json(report)));
    CHECK(json::accept(audit::report_json(report)));
    const std::string csv = audit::changes_csv(report.changes);
    for (std::string line : lines_of(csv)) {
        REQUIRE(line.back() == '\r');
        line.pop_back();
        CHECK(is_printable(line));
    }
}

TEST_CASE("an empty report says so", "[audit]") {
    const std::string text = audit::report_text({}, false);
    CHECK(text.find("Nothing needs attention.") != std::string::npos);
    CHECK(text.find("no relayed domain") != std::string::npos);
    CHECK(text.find("Changes (0):") != std::string::npos);
    const json empty = json::parse(audit::report_json({}));
    CHECK(empty["attention"].is_array());
    CHECK(empty["callouts"].is_object());
    CHECK(empty["learned"]["median_seconds"].is_null());
    CHECK(empty["domain"].is_null());
}

TEST_CASE("numbers stand below each other", "[audit]") {
    census::Report report;
    report.domains.push_back({.domain = "a.example", .accepted = 5});
    report.domains.push_back({.domain = "b\xc3\xbc"
                                        "cher.example",
                              .accepted = 1'000'000'000});
    const auto lines = lines_of(audit::report_text(report, false));
    std::vector<std::size_t> ends;
    for (const std::string& line : lines)
        for (const char* word : {"accepted", " 5 ", "1000000000"})
            if (const std::size_t at = line.find(word); at != std::string::npos && ends.size() < 3) {
                // Two bytes are one character.
                const auto wide = static_cast<std::size_t>(std::count(line.begin(), line.end(), '\xc3'));
                ends.push_back(line.find_last_not_of(' ', at + std::string(word).size() - 1) - wide);
            }
    REQUIRE(ends.size() == 3);
    CHECK(ends[0] == ends[1]);
    CHECK(ends[1] == ends[2]);
}

TEST_CASE("colours only where they are wanted", "[audit]") {
    const census::Report report = test::ordinary_report();
    CHECK(audit::report_text(report, true).find("\x1b[1m") != std::string::npos);
    CHECK(audit::report_text(report, false).find('\x1b') == std::string::npos);
    CHECK(audit::explanation_text(explanation(), from_unix_ms(0), true).find("\x1b[32maccept") !=
          std::string::npos);
}

TEST_CASE("a list that is cut says so", "[audit]") {
    census::Report report;
    report.held_total = 1234;
    report.held.resize(50);
    report.changes_total = 900;
    report.changes.resize(60);
    report.commands_total = 77;
    report.commands.resize(50);
    const std::string text = audit::report_text(report, false);
    CHECK(text.find("… and 1224 more") != std::string::npos);
    CHECK(text.find("Changes (900, the newest 50; --format csv has all):") != std::string::npos);
    const json whole = json::parse(audit::report_json(report));
    CHECK(whole["held"]["total"] == 1234);
    CHECK(whole["held"]["first"].size() == 50);
    CHECK(text.find("… and 67 more") != std::string::npos);
    CHECK(whole["commands"]["total"] == 77);
    CHECK(audit::report_html(report).find("The newest 50 of 77; 27 more are not shown.") !=
          std::string::npos);
}

TEST_CASE("what an operator has to look at", "[audit]") {
    census::Report report;
    report.made = from_unix_ms(1'700'000'000'000);
    CHECK(census::attention_of(report).empty());
    report.directories.push_back({.name = "corp", .last_good = report.made, .last_full = report.made});
    CHECK(census::attention_of(report).empty());
    report.directories.push_back({.name = "never"});
    report.directories.push_back({.name = "old", .last_good = report.made - std::chrono::hours(2)});
    report.directories.push_back(
        {.name = "bad", .last_good = report.made, .full_failure = "0 entries", .outcome = "applied"});
    report.waiting_total = 1;
    report.held_total = 2;
    report.breakers.push_back({"ex1:2525", "", report.made, "530"});
    report.breakers.push_back({"ex2:2525", "a.example", report.made, "relay"});
    report.breakers.push_back({"ex2:2525", "b.example", report.made, "relay"});
    report.unwatched = true;
    report.directories.push_back({.name = "away",
                                  .last_good = report.made,
                                  .last_full = report.made,
                                  .away_since = report.made - std::chrono::hours(50)});
    report.tables.push_back({.table = "unknown", .entries = 3, .until = report.made - std::chrono::hours(1)});
    report.tables.push_back({.table = "closed", .entries = 0, .until = report.made - std::chrono::hours(1)});
    report.domains.push_back({.domain = "all.example", .accept_all = true});
    report.conflicts_total = 1;
    report.bounces_total = 3;
    report.counters["log-gaps"] = 1;
    report.counters["lines-not-understood"] = 2;
    report.counters["tables-repaired"] = 1;
    report.failsafe_runs = 1;
    report.unpublished = {"learned", "unknown"};
    std::vector<std::string> found;
    for (const auto& one : census::attention_of(report)) found.push_back(one.what);
    CHECK(found == std::vector<std::string>{"watch", "waiting", "held", "reading", "reading", "reading",
                                            "away", "breaker", "breaker", "accept-all", "conflict", "bounce",
                                            "log", "log", "failsafe", "table", "lease", "table"});
}

TEST_CASE("a period that is over says what is as of now", "[audit]") {
    census::Report report = test::ordinary_report();
    CHECK(audit::report_text(report, false).find("as of now") == std::string::npos);
    CHECK(audit::report_html(report).find("as of now") == std::string::npos);
    report.until -= std::chrono::hours(1);
    const std::string text = audit::report_text(report, false);
    for (const char* title :
         {"Needs attention (of the period, and as of now):", "Domains (accepted to held: as of now):",
          "(mail waits) (as of now):", "Gaps (as of now): the", "Conflicts (as of now): a",
          "Held (as of now): 2 removals", "Unseen (as of now): 1 objects", "Directories (as of now):",
          "Tables (as of now):", "stopped (as of now): [2001", "4 questions stand in line (as of now)"}) {
        CAPTURE(title);
        CHECK(text.find(title) != std::string::npos);
    }
    CHECK(text.find("Bounces of accepted recipients:") != std::string::npos);
    const std::string page = audit::report_html(report);
    for (const char* title :
         {"Needs attention (of the period, and as of now)", "Mail that waits (as of now)",
          "Held removals (as of now)", "Conflicts (as of now)", "Gaps in the directory (as of now)",
          "Unseen objects (as of now)", "Directories (as of now)", "Tables (as of now)"}) {
        CAPTURE(title);
        CHECK(page.find("<h2>" + std::string(title) + "</h2>") != std::string::npos);
    }
    CHECK(page.find("and that mail waits for: as of now.") != std::string::npos);
}

TEST_CASE("rejections that lapsed are changes", "[audit]") {
    census::Report report;
    report.lapsed = 655;
    report.changes_total = 700;
    CHECK(
        audit::report_text(report, false)
            .find("Changes (700, the newest 0; --format csv has all):\n  of these 655 rejections that ended "
                  "with their lease\n") != std::string::npos);
}

TEST_CASE("what there are thousands of makes few lines", "[audit]") {
    census::Report report{.made = from_unix_ms(1'700'000'000'000)};
    for (int i = 0; i < 1000; ++i) {
        report.domains.push_back({.domain = "d" + std::to_string(i) + ".example", .accept_all = true});
        report.breakers.push_back({"ex" + std::to_string(i) + ":2525", "", report.made, "refused"});
    }
    report.targets.resize(50);
    report.targets_total = 1200;
    report.stops.resize(50, {"ex:2525", "", report.made - std::chrono::hours(2), "refused", report.made});
    report.stops_total = 300;
    report.attention = census::attention_of(report);
    REQUIRE(report.attention.size() == 12);
    CHECK(report.attention[10].words == "callouts to 990 more servers are stopped");
    CHECK(report.attention[11].words ==
          "the servers of 1000 domains accept every recipient: unknown recipients cannot be refused "
          "(d0.example, d1.example, d2.example and 997 more)");
    const std::string text = audit::report_text(report, false);
    CHECK(text.find("… and 1190 more") != std::string::npos);  // servers
    CHECK(text.find("… and 990 more") != std::string::npos);   // that are stopped
    CHECK(text.find("… and 290 more") != std::string::npos);   // that were
    CHECK(text.find("was stopped: ex:2525 since 2023-11-14T20:13:20Z until 2023-11-14T22:13:20Z (2 h 0 min): "
                    "refused") != std::string::npos);
    const json whole = json::parse(audit::report_json(report));
    CHECK(whole["targets"]["total"] == 1200);
    CHECK(whole["breakers"]["total"] == 1000);
    CHECK(whole["breakers"]["first"][0]["ended"].is_null());
    CHECK(whole["stops"]["total"] == 300);
    CHECK(whole["stops"]["first"][0]["ended"] == "2023-11-14T22:13:20Z");
    const std::string page = audit::report_html(report);
    CHECK(page.find("of 1,300;") != std::string::npos);
    CHECK(page.find("of 1,200;") != std::string::npos);

    report.domains.resize(2);
    const auto two = census::attention_of(report);
    CHECK(two.back().words.ends_with("cannot be refused (d0.example, d1.example)"));
}

TEST_CASE("readings, what was held of them, and lookups apart", "[audit]") {
    census::Report report = test::ordinary_report();
    std::string text = audit::report_text(report, false);
    CHECK(text.find("Readings (10044, 1 not applied; and 2345 lookups of single recipients):") !=
          std::string::npos);
    CHECK(text.find("1 removed (1 held), in 60.0 s") != std::string::npos);
    CHECK(text.find("… and 10036 more") != std::string::npos);
    const std::string page = audit::report_html(report);
    CHECK(page.find("10,044 in the period, 1 of them not applied; and 2,345 lookups of single") !=
          std::string::npos);
    CHECK(page.find(">of these held</th>") != std::string::npos);
    json readings = json::parse(audit::report_json(report))["readings"];
    CHECK(readings["lookups"] == 2345);
    CHECK(readings["first"][7]["held"] == 1);
    // Where there were only lookups, nothing else is claimed.
    report.readings.clear();
    report.readings_total = report.readings_failed = 0;
    text = audit::report_text(report, false);
    CHECK(text.find("Readings (0, 0 not applied; and 2345 lookups") != std::string::npos);
    CHECK(audit::report_html(report).find("2,345 lookups") != std::string::npos);
    CHECK(json::parse(audit::report_json(report))["readings"]["total"] == 0);
}

TEST_CASE("each domain has its own time to learn", "[audit]") {
    census::Report report = test::ordinary_report();
    const std::string text = audit::report_text(report, false);
    CHECK(text.find("\n  corp.example                   61  0.78 s       33 s\n") != std::string::npos);
    CHECK(text.find("\n  research.corp.example          12  4.00 s  5 h 0 min\n") != std::string::npos);
    const std::string page = audit::report_html(report);
    CHECK(page.find("Time to learn, by domain") != std::string::npos);
    CHECK(page.find("<td class=\"n\">780 ms</td><td class=\"n\">33 s</td>") != std::string::npos);
    const json whole = json::parse(audit::report_json(report));
    CHECK(whole["domains"][0]["learned_after_miss"] ==
          json({{"count", 61}, {"median_seconds", 0.78}, {"p95_seconds", 33.0}}));
    CHECK(whole["domains"][2]["learned_after_miss"]["median_seconds"].is_null());
    report.learned = {};
    CHECK(audit::report_html(report).find("Time to learn, by domain") == std::string::npos);
}

TEST_CASE("a directory that is polled and never read in full needs attention", "[audit]") {
    census::Report report{.made = from_unix_ms(1'700'000'000'000)};
    report.directories.push_back({.name = "corp", .last_good = report.made, .outcome = "applied"});
    const auto words = [&] {
        const auto all = census::attention_of(report);
        return all.empty() ? std::string{} : all.at(0).words;
    };
    CHECK(words() == "directory corp has not been read in full yet: run `postcensus sync corp`");
    report.directories[0].last_full = report.made - std::chrono::hours(72);
    CHECK(words().starts_with("directory corp was last read in full 3 d 0 h ago: does the timer"));
    report.directories[0].last_full = report.made - std::chrono::hours(47);
    CHECK(words().empty());
    // The reason is that of the full reading, not of a lookup that came later.
    report.directories[0].full_failure = "broke off";
    CHECK(words() == "directory corp: the last full reading was not applied: broke off");
}

TEST_CASE("an explanation in words and for programs", "[audit]") {
    const Time now = from_unix_ms(1'700'000'000'000) + std::chrono::hours(2);
    const std::string text = audit::explanation_text(explanation(), now, false);
    CHECK(text.starts_with("b+x@corp.example: accept\nPostfix answers 250 (table directory)\n"));
    CHECK(text.find("Postfix looks it up as b@corp.example too") != std::string::npos);
    CHECK(text.find("(2 h 0 min ago)") != std::string::npos);
    CHECK(text.find("directory  OK (as b@corp.example)") != std::string::npos);
    CHECK(text.find("Warning: closed: \\xff cannot be read") != std::string::npos);
    CHECK(is_safe(text));

    const json whole = json::parse(audit::explanation_json(explanation()));
    CHECK(whole["rule"] == 2);
    CHECK(whole["reason"] == "listed");
    CHECK(whole["through"] == "b@corp.example");
    CHECK(whole["evidence"][0]["dn"] == "CN=\\x1b[31m");
    CHECK(whole["next"][0]["at"].is_null());
    CHECK(whole["postfix"]["directory"] == "OK");
    CHECK(whole["postfix"]["learned"] == false);
    CHECK(whole["postfix"]["closed"].is_null());  // "don't know" is no "not found"
    CHECK(whole["history_more"] == 0);
    const json unknown = json::parse(audit::explanation_json({.address = "x@corp.example"}));
    CHECK(unknown["table"].is_null());
    CHECK(unknown["words"] == "it was never listed, missed or configured");

    census::Explanation domain{.address = "@corp.example"};
    const std::string words =
        "no catch-all is configured: each recipient of the domain is answered by itself";
    CHECK(json::parse(audit::explanation_json(domain))["words"] == words);
    CHECK(audit::explanation_text(domain, now, false)
              .starts_with("@corp.example: unsure\nPostfix answers each recipient of the domain by itself\n"
                           "Why: " +
                           words + " (rule 4, no-evidence)\n"));

    census::Explanation cut = explanation();
    cut.history = {{"change", "unsure -> accept", now}};
    cut.history_more = 7;
    CHECK(json::parse(audit::explanation_json(cut))["history_more"] == 7);
    CHECK(audit::explanation_text(cut, now, false).find("\n  … and 7 older ones that are not shown\n") !=
          std::string::npos);
}

TEST_CASE("values of a table of commas", "[audit]") {
    const Time noon = from_unix_ms(1'700'000'000'000);
    const auto row = [&](const std::string& address, const std::string& cause) {
        return audit::changes_csv({{address, noon, "unsure", "accept", "proven", cause, Milliseconds(1500)}});
    };
    CHECK(row("a@corp.example", "x") ==
          "2023-11-14T22:13:20Z,a@corp.example,unsure,accept,proven,x,1.500\r\n");
    CHECK(row("=1+1@corp.example", "x").find(",'=1+1@corp.example,") != std::string::npos);
    CHECK(row("+1@corp.example", "x").find(",'+1@corp.example,") != std::string::npos);
    CHECK(row("\"a,\\\"b\"@corp.example", "x").find(",\"\"\"a,\\\"\"b\"\"@corp.example\",") !=
          std::string::npos);
    CHECK(row("a@b", "two\r\nlines").find("two\\x0d\\x0alines") != std::string::npos);
    CHECK(row("a@b", "\t=1").find(",'") == std::string::npos);  // not what a spreadsheet takes for a formula
    // Where a semicolon ends a cell, quotes within one do not begin another.
    CHECK(row("\"a;=cmd\"@corp.example", "x").find(",\"\"\"a;'=cmd\"\"@corp.example\",") !=
          std::string::npos);
    CHECK(row("a@b", "CN=a; \"-1\";x;;@y").find(",\"CN=a; \"\"'-1\"\";x;;'@y\",") != std::string::npos);
    CHECK(row("a@b", "a=b-c+d").find(",a=b-c+d,") != std::string::npos);
    CHECK(row("a@b", "1; 2;a=3").find(",\"1; 2;a=3\",") != std::string::npos);
    CHECK(row("a@b", "x;\t=1").find(",\"x;\\x09=1\",") != std::string::npos);
    for (const std::string sign : {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0"}) {
        CHECK(row(sign + "1@corp.example", "x").find(",'" + sign + "1@corp.example,") != std::string::npos);
        CHECK(row("a@b", "x;" + sign + "1").find(",\"x;'" + sign + "1\",") != std::string::npos);
    }
    CHECK(audit::changes_csv_head() == "at,address,from,to,reason,cause,waited_seconds\r\n");
    census::ChangeLine left{"a@b", noon, "accept", "unsure", "no-evidence", "x", {}};
    CHECK(audit::changes_csv({left}).ends_with(",x,\r\n"));
}

TEST_CASE("what is not counted by domain is not nought", "[audit]") {
    census::Report report = test::ordinary_report();
    const json all = json::parse(audit::report_json(report));
    CHECK(all["counters"].is_object());
    CHECK(all["steps"][0]["misses"].is_number());
    report.domain = "corp.example";
    const json one = json::parse(audit::report_json(report));
    for (const char* key : {"counters", "elsewhere"}) CHECK(one[key].is_null());
    CHECK(one["networks"][0]["suppressed"].is_null());
    CHECK(all["networks"][0]["suppressed"] == 741);
    CHECK(one["domain_ended"] == false);
    CHECK(all["domain_ended"].is_null());
    for (const char* key : {"misses", "suppressed", "asked", "callouts"})
        CHECK(one["steps"][0][key].is_null());
    CHECK(one["steps"][0]["came"].is_number());
    const std::string page = audit::report_html(report);
    CHECK(page.find("Misses and refusals") == std::string::npos);
    CHECK(page.find("Recipients that came and left") != std::string::npos);
    CHECK(page.find("Directories, readings, lookups, servers and their callouts, questions in line, tables "
                    "and commands are those of all domains.") != std::string::npos);
    CHECK(page.find("misses not asked about</th>") == std::string::npos);
    std::string text = audit::report_text(report, false);
    CHECK(text.find("questions in line, tables and commands are those of all domains") != std::string::npos);
    CHECK(text.find("distinct  suppressed") == std::string::npos);
    CHECK(text.find("\n  203.0.113.0/24       1980\n") != std::string::npos);
    CHECK(text.find("no route names this") == std::string::npos);
    report.ended = true;
    CHECK(audit::report_text(report, false).find("\nno route names this domain any more: what") !=
          std::string::npos);
    CHECK(audit::report_html(report).find("No route names this domain any more: what follows") !=
          std::string::npos);
}
