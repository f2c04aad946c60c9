// SPDX-License-Identifier: MIT
#include "audit/metrics.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "audit/sample_metrics.h"
#include "catch.h"

using namespace postcensus;
using namespace postcensus::audit;
using census::SyncFacts;
using census::WatchFacts;

namespace {

// The value of each series. Fails on a line that is none, on a series that stands there twice, on a family
// whose series do not stand together, and on one without HELP and TYPE in front.
std::map<std::string, std::string> series_of(const std::string& text) {
    std::map<std::string, std::string> all;
    std::set<std::string> families;
    std::string family, type;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        INFO(line);
        if (line.starts_with("# HELP ")) {
            family = line.substr(7, line.find(' ', 7) - 7);
            CHECK(families.insert(family).second);
            CHECK(family.starts_with("postcensus_"));
            continue;
        }
        if (line.starts_with("# TYPE ")) {
            CHECK(line.substr(7, line.find(' ', 7) - 7) == family);
            type = line.substr(line.rfind(' ') + 1);
            CHECK(family.ends_with("_total") == (type == "counter"));
            continue;
        }
        const std::size_t blank = line.rfind(' ');
        REQUIRE(blank != std::string::npos);
        std::string name = line.substr(0, line.find_first_of("{ "));
        if (type == "histogram") name = name.substr(0, name.rfind('_'));
        CHECK(name == family);
        CHECK(all.emplace(line.substr(0, blank), line.substr(blank + 1)).second);
    }
    return all;
}

std::string value_of(const std::map<std::string, std::string>& series, const std::string& name) {
    const auto found = series.find("postcensus_" + name);
    return found == series.end() ? "none" : found->second;
}

std::size_t count_of(const std::map<std::string, std::string>& series, const std::string& begin) {
    return static_cast<std::size_t>(std::count_if(series.begin(), series.end(), [&](const auto& one) {
        return one.first.starts_with("postcensus_" + begin);
    }));
}

}  // namespace

TEST_CASE("metrics are well-formed, and no series stands in both files", "[audit][metrics]") {
    const auto watch = series_of(watch_metrics(sample_watch_facts(), "1.2.3"));
    const auto sync = series_of(sync_metrics(sample_sync_facts()));
    CHECK(value_of(watch, "build_info{version=\"1.2.3\"}") == "1");
    CHECK(value_of(watch, "watch_written_timestamp_seconds") == "1700000000.000");
    CHECK(value_of(watch, "callouts_total{class=\"unknown\",target=\"ex1:2525\"}") == "7");
    CHECK(value_of(watch, "callout_sessions_total{target=\"ex1:2525\"}") == "3");
    CHECK(value_of(watch, "questions{sender=\"came-back\"}") == "4");
    CHECK(value_of(watch, "questions{sender=\"nobody\"}") == "0");
    CHECK(value_of(watch, "log_lag_seconds") == "1.500");
    CHECK(value_of(watch, "table_lease_end_timestamp_seconds{table=\"unknown\"}") == "1700003600.000");
    CHECK(value_of(sync, "sync_duration_seconds") == "2.000");
    CHECK(value_of(sync, "directory_server_away{directory=\"corp\"}") == "1");
    CHECK(value_of(sync, "directory_readings_total{directory=\"corp\",outcome=\"failed\"}") == "2");
    CHECK(value_of(watch, "removals_held") == "5");
    CHECK(value_of(watch, "objects_unseen") == "1");
    for (const auto& [name, value] : watch) CHECK(sync.count(name) == 0);
}

TEST_CASE("without any facts there are the counters, and nothing is torn", "[audit][metrics]") {
    const auto watch = series_of(watch_metrics(WatchFacts{}, ""));
    CHECK(value_of(watch, "misses_total") == "0");
    CHECK(value_of(watch, "learn_seconds_bucket{le=\"+Inf\"}") == "0");
    CHECK(value_of(watch, "log_present") == "0");
    CHECK(count_of(watch, "table_entries") == 0);
}

TEST_CASE("a run of sync shows where the state cannot be read", "[audit][metrics]") {
    SyncFacts facts;
    facts.exit_code = 75;
    const auto sync = series_of(sync_metrics(facts));
    CHECK(value_of(sync, "sync_exit_code") == "75");
    // Nothing is claimed of what is not known.
    CHECK(count_of(sync, "directory_") == 0);
}

TEST_CASE("the histogram is cumulative", "[audit][metrics]") {
    WatchFacts facts;
    facts.totals[{"learned", "1"}] = 2;
    facts.totals[{"learned", "5"}] = 3;
    facts.totals[{"learned", "86400"}] = 1;
    facts.totals[{"learned", "more"}] = 4;
    facts.totals[{"learned-ms", ""}] = 1'234'567;
    const auto watch = series_of(watch_metrics(facts, ""));
    const auto bucket = [&](const std::string& le) {
        return value_of(watch, "learn_seconds_bucket{le=\"" + le + "\"}");
    };
    CHECK(bucket("1") == "2");
    CHECK(bucket("2") == "2");
    CHECK(bucket("5") == "5");
    CHECK(bucket("14400") == "5");
    CHECK(bucket("86400") == "6");
    CHECK(bucket("+Inf") == "10");
    CHECK(value_of(watch, "learn_seconds_count") == "10");
    CHECK(value_of(watch, "learn_seconds_sum") == "1234.567");
    CHECK(count_of(watch, "learn_seconds_bucket") == std::size(census::kLearnSteps) + 1);
}

TEST_CASE("labels from outside stay within their quotes", "[audit][metrics]") {
    WatchFacts facts;
    facts.totals[{"callout-retry", "ex1\"} 1\nevil 2\\"}] = 3;
    facts.totals[{"callout-retry", std::string("\x00\x1b[2J\xff", 6)}] = 4;
    facts.breakers.push_back({"\u202eex1:2525", std::string(10'000, 'd'), {}, "x"});
    const auto watch = series_of(watch_metrics(facts, "\"\n"));
    CHECK(value_of(watch, R"(callouts_total{class="retry",target="ex1\"} 1\\x0aevil 2\\"})") == "3");
    CHECK(value_of(watch, R"(callouts_total{class="retry",target="\\x00\\x1b[2J\\xff"})") == "4");
    CHECK(value_of(watch, R"(build_info{version="\"\\x0a"})") == "1");
    for (const auto& [name, value] : watch) CHECK(name.size() < 600);
}

TEST_CASE("labels that look the same are one series", "[audit][metrics]") {
    // What differs only where they are cut: node_exporter would drop the whole file.
    WatchFacts facts;
    facts.totals[{"callout-retry", std::string(400, 'x') + "1"}] = 3;
    facts.totals[{"callout-retry", std::string(400, 'x') + "2"}] = 4;
    facts.entries["learned"] = {{"others", 5}};
    const auto watch = series_of(watch_metrics(facts, ""));
    CHECK(count_of(watch, "callouts_total") == 1);
    CHECK(value_of(watch, "table_entries{table=\"learned\",domain=\"others\"}") == "5");
}

TEST_CASE("a large hosting has as many series as any", "[audit][metrics]") {
    constexpr int kDomains = 5000;
    WatchFacts facts;
    for (int i = 1; i <= kDomains; ++i) {
        const std::string domain = "d" + std::to_string(i) + ".example";
        facts.entries["directory"][domain] = i;
        facts.breakers.push_back({"ex1:2525", domain, {}, "x"});
    }
    facts.entries["unknown"] = {};
    const auto watch = series_of(watch_metrics(facts, ""));
    CHECK(count_of(watch, "table_entries{table=\"directory\"") == 201);
    CHECK(value_of(watch, "table_entries{table=\"directory\",domain=\"d5000.example\"}") == "5000");
    CHECK(value_of(watch, "table_entries{table=\"directory\",domain=\"d4800.example\"}") == "none");
    CHECK(value_of(watch, "table_entries{table=\"directory\",domain=\"others\"}") ==
          std::to_string(4800 * 4801 / 2));
    CHECK(count_of(watch, "callouts_stopped") == 201);
    CHECK(value_of(watch, "callouts_stopped{target=\"others\",domain=\"others\"}") == "1");
    // A sum over its domains there is also of a table that is empty.
    CHECK(value_of(watch, "table_entries{table=\"unknown\",domain=\"others\"}") == "0");
}

TEST_CASE("a server that works again shows 0", "[audit][metrics]") {
    WatchFacts facts;
    facts.totals[{"callout-deliverable", "ex1:2525"}] = 1;
    facts.totals[{"sessions", "ex2:2525"}] = 1;
    facts.totals[{"sessions", "others"}] = 9;
    facts.breakers.push_back({"ex2:2525", "", {}, "x"});
    const auto watch = series_of(watch_metrics(facts, ""));
    CHECK(value_of(watch, "callouts_stopped{target=\"ex1:2525\",domain=\"\"}") == "0");
    CHECK(value_of(watch, "callouts_stopped{target=\"ex2:2525\",domain=\"\"}") == "1");
    CHECK(count_of(watch, "callouts_stopped") == 2);
}
