// SPDX-License-Identifier: MIT
#include "audit/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "catch.h"

using namespace postcensus;
using namespace postcensus::audit;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

std::vector<std::string> series_of(const std::string& text, const std::string& family) {
    std::vector<std::string> series;
    for (std::string& line : lines_of(text))
        if (line.starts_with("postcensus_" + family + "{") || line.starts_with("postcensus_" + family + " "))
            series.push_back(std::move(line));
    return series;
}

bool has(const std::string& text, const std::string& line) {
    const auto lines = lines_of(text);
    return std::find(lines.begin(), lines.end(), line) != lines.end();
}

Time at(std::int64_t seconds) {
    return from_unix_ms(seconds * 1000);
}

census::WatchFacts some_facts() {
    census::WatchFacts facts{.written = from_unix_ms(1'700'000'000'250)};
    facts.totals = {{{"misses", ""}, 7},
                    {{"callout-unknown", "ex1:2525"}, 3},
                    {{"callout-retry", "others"}, 1},
                    {{"callout-sessions", "ex1:2525"}, 2},
                    {{"published", "unknown"}, 4},
                    {{"learned", "1"}, 2},
                    {{"learned", "15"}, 1},
                    {{"learned", "more"}, 5},
                    {{"learned-ms", ""}, 12'500}};
    facts.addresses = {{{"accept", "listed"}, 40}};
    facts.questions = {{"waits", 6}};
    facts.breakers = {{"ex2:2525", "corp.example", at(1), "it does not answer"}};
    facts.accept_all = {"a.example", "b.example"};
    facts.polled = {{"corp", at(1'700'000'000)}};
    facts.tables = {{"directory", 1, 40, 0, at(100), std::nullopt}, {"unknown", 4, 2, 0, at(200), at(300)}};
    facts.entries = {{"directory", {{"corp.example", 40}}}, {"unknown", {{"corp.example", 2}}}};
    facts.log_lag = 1500ms;
    facts.log_present = true;
    return facts;
}

census::SyncFacts some_sync() {
    census::SyncFacts facts{.began = from_unix_ms(1'700'000'000'000),
                            .ended = from_unix_ms(1'700'000'002'500)};
    facts.exit_code = 1;
    facts.directories = {{"corp", 40, at(1'700'000'001), at(1'700'000'000), std::nullopt, true, "broke off"},
                         {.name = "labs"}};
    facts.readings = {{{"applied", "corp"}, 9}, {{"failed", "corp"}, 2}};
    facts.held = 51;
    return facts;
}

}  // namespace

TEST_CASE("metrics of watch", "[audit][metrics]") {
    const std::string text = watch_metrics(some_facts(), "1.2.3");
    CHECK(has(text, "postcensus_build_info{version=\"1.2.3\"} 1"));
    CHECK(has(text, "postcensus_watch_written_timestamp_seconds 1700000000.250"));
    CHECK(has(text, "postcensus_misses_total 7"));
    CHECK(has(text, "postcensus_bounces_total 0"));  // a counter is there before its first event
    CHECK(has(text, "postcensus_log_lag_seconds 1.500"));
    CHECK(has(text, "postcensus_log_present 1"));
    CHECK(has(text, "postcensus_questions{sender=\"waits\"} 6"));
    CHECK(has(text, "postcensus_questions{sender=\"nobody\"} 0"));
    CHECK(has(text, "postcensus_addresses{answer=\"accept\",reason=\"listed\"} 40"));
    CHECK(has(text, "postcensus_accept_all 2"));
    CHECK(has(text, "postcensus_publications_total{table=\"unknown\"} 4"));
    CHECK(has(text, "postcensus_table_published_timestamp_seconds{table=\"directory\"} 100.000"));
    // What accepts has no lease.
    CHECK(
        series_of(text, "table_lease_end_timestamp_seconds") ==
        std::vector<std::string>{"postcensus_table_lease_end_timestamp_seconds{table=\"unknown\"} 300.000"});
}

TEST_CASE("metrics of callouts", "[audit][metrics]") {
    const std::string text = watch_metrics(some_facts(), "1");
    CHECK(series_of(text, "callouts_total") ==
          std::vector<std::string>{"postcensus_callouts_total{class=\"retry\",target=\"others\"} 1",
                                   "postcensus_callouts_total{class=\"unknown\",target=\"ex1:2525\"} 3"});
    CHECK(series_of(text, "callout_sessions_total") ==
          std::vector<std::string>{"postcensus_callout_sessions_total{target=\"ex1:2525\"} 2"});
    // 0 of each server that is known; "others" is none.
    CHECK(series_of(text, "callouts_stopped") ==
          std::vector<std::string>{
              "postcensus_callouts_stopped{target=\"ex1:2525\",domain=\"\"} 0",
              "postcensus_callouts_stopped{target=\"ex2:2525\",domain=\"corp.example\"} 1"});
}

TEST_CASE("metrics of sync", "[audit][metrics]") {
    const std::string text = sync_metrics(some_sync());
    CHECK(has(text, "postcensus_sync_timestamp_seconds 1700000002.500"));
    CHECK(has(text, "postcensus_sync_duration_seconds 2.500"));
    CHECK(has(text, "postcensus_sync_exit_code 1"));
    CHECK(has(text, "postcensus_removals_held 51"));
    CHECK(has(text, "postcensus_directory_addresses{directory=\"corp\"} 40"));
    CHECK(has(text, "postcensus_directory_full_read_failed{directory=\"corp\"} 1"));
    CHECK(has(text, "postcensus_directory_readings_total{directory=\"corp\",outcome=\"failed\"} 2"));
    // Never read is 0, not a series that is missing: an alert must see it.
    CHECK(has(text, "postcensus_directory_good_read_timestamp_seconds{directory=\"labs\"} 0.000"));
    CHECK(has(text, "postcensus_directory_full_read_timestamp_seconds{directory=\"labs\"} 0.000"));
}

TEST_CASE("the histogram of metrics is cumulative", "[audit][metrics]") {
    const std::string text = watch_metrics(some_facts(), "1");
    const std::vector<std::string> buckets = series_of(text, "learn_seconds_bucket");
    REQUIRE(buckets.size() == std::size(census::kLearnSteps) + 1);
    CHECK(buckets[0] == "postcensus_learn_seconds_bucket{le=\"1\"} 2");
    CHECK(buckets[2] == "postcensus_learn_seconds_bucket{le=\"5\"} 2");
    CHECK(buckets[3] == "postcensus_learn_seconds_bucket{le=\"15\"} 3");
    CHECK(buckets[9] == "postcensus_learn_seconds_bucket{le=\"86400\"} 3");
    CHECK(buckets[10] == "postcensus_learn_seconds_bucket{le=\"+Inf\"} 8");
    CHECK(has(text, "postcensus_learn_seconds_count 8"));
    CHECK(has(text, "postcensus_learn_seconds_sum 12.500"));
}

TEST_CASE("hostile labels of metrics stay within their quotes", "[audit][metrics]") {
    census::WatchFacts facts = some_facts();
    facts.totals[{"callout-fault", "a\"} 1\nevil{x=\"\\"}] = 1;
    facts.breakers = {{"ex\xe2\x80\xae", std::string("a\0b", 3), at(1), ""},
                      {std::string(5000, 'x'), "\xff", at(1), ""}};
    const std::string text = watch_metrics(facts, "1");
    CHECK(
        has(text, "postcensus_callouts_total{class=\"fault\",target=\"a\\\"} 1\\\\x0aevil{x=\\\"\\\\\"} 1"));
    CHECK(has(text, R"(postcensus_callouts_stopped{target="ex\\xe2\\x80\\xae",domain="a\\x00b"} 1)"));
    for (const std::string& line : lines_of(text)) {
        INFO(line);
        CHECK(
            (line.starts_with("postcensus_") || line.starts_with("# HELP ") || line.starts_with("# TYPE ")));
        CHECK(line.size() < 500);
    }
    census::SyncFacts sync = some_sync();
    sync.directories = {{.name = "a\"b\\c\nd"}};
    CHECK(has(sync_metrics(sync), R"(postcensus_directory_addresses{directory="a\"b\\c\\x0ad"} 0)"));
}

TEST_CASE("metrics of many domains share a series", "[audit][metrics]") {
    census::WatchFacts facts = some_facts();
    facts.entries = {};
    for (int i = 1; i <= 250; ++i) facts.entries["directory"][fmt::format("d{}.example", i)] = i;
    for (int i = 1; i <= 200; ++i) facts.entries["learned"][fmt::format("d{}.example", i)] = i;
    const std::string text = watch_metrics(facts, "1");
    CHECK(series_of(text, "table_entries").size() == 201 + 200);
    // The 50 smallest: 1 + 2 + … + 50.
    CHECK(has(text, "postcensus_table_entries{table=\"directory\",domain=\"others\"} 1275"));
    CHECK(has(text, "postcensus_table_entries{table=\"directory\",domain=\"d51.example\"} 51"));
    CHECK_FALSE(has(text, "postcensus_table_entries{table=\"directory\",domain=\"d50.example\"} 50"));
    CHECK(text.find("{table=\"learned\",domain=\"others\"}") == std::string::npos);
}

TEST_CASE("the families of metrics stand together, each once", "[audit][metrics]") {
    std::set<std::string> families, series;
    for (const std::string& text : {watch_metrics(some_facts(), "1"), sync_metrics(some_sync())}) {
        CHECK(text.ends_with("\n"));
        std::string family, before;
        for (const std::string& line : lines_of(text)) {
            INFO(line);
            if (line.starts_with("# TYPE ")) {
                family = line.substr(7, line.find(' ', 7) - 7);
                CHECK(families.insert(family).second);
                CHECK(before.starts_with("# HELP " + family + " "));
                const std::string type = line.substr(line.rfind(' ') + 1);
                CHECK((type == "counter") == family.ends_with("_total"));
            } else if (!line.starts_with("#")) {
                CHECK(line.starts_with(family));
                CHECK(series.insert(line.substr(0, line.rfind(' '))).second);
            }
            before = line;
        }
    }
    CHECK(families.size() == 42);
}

TEST_CASE("metrics of an empty state", "[audit][metrics]") {
    const std::string text = watch_metrics({}, "1");
    CHECK(has(text, "postcensus_log_present 0"));
    CHECK(has(text, "postcensus_learn_seconds_bucket{le=\"+Inf\"} 0"));
    CHECK(series_of(text, "callouts_total").empty());
    CHECK(has(text, "# TYPE postcensus_callouts_total counter"));
    CHECK(has(sync_metrics({}), "postcensus_removals_held 0"));
}
