// SPDX-License-Identifier: MIT
// docs/metrics.md names each family of the metrics in the file that has it; alert rules and dashboard ask for
// no other, and the dashboard leaves none out.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "audit/metrics.h"
#include "audit/sample_metrics.h"
#include "catch.h"

namespace postcensus {
namespace {

using Names = std::set<std::string>;

std::string read(const char* path) {
    std::ifstream file(std::filesystem::path(POSTCENSUS_SOURCE) / path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

Names find_all(const std::string& text, const std::string& pattern) {
    const std::regex regex(pattern);
    Names names;
    for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at)
        names.insert((*at)[1]);
    return names;
}

// "gauge postcensus_log_present" of each TYPE line.
Names families(const std::string& metrics) {
    Names all;
    std::istringstream stream(metrics);
    for (std::string line; std::getline(stream, line);)
        if (line.starts_with("# TYPE ")) {
            const std::string family = line.substr(7, line.find(' ', 7) - 7);
            all.insert(line.substr(line.rfind(' ') + 1) + " " + family);
        }
    return all;
}

// The same of the rows of a section's table.
Names documented(const std::string& section) {
    Names all;
    const std::regex row(R"(\| `(postcensus_\w+)` \| (\w+) \|)");
    for (std::sregex_iterator at(section.begin(), section.end(), row), end; at != end; ++at)
        all.insert((*at)[2].str() + " " + (*at)[1].str());
    return all;
}

// A series of a histogram belongs to the family without its ending.
Names without_endings(const Names& names) {
    Names all;
    for (const std::string& name : names)
        all.insert(std::regex_replace(name, std::regex("(_learn_seconds)_(bucket|sum|count)$"), "$1"));
    return all;
}

Names all_families() {
    return find_all(audit::watch_metrics(audit::sample_watch_facts(), "1") +
                        audit::sync_metrics(audit::sample_sync_facts()),
                    R"(# TYPE (\w+) )");
}

void check_within(const Names& names, const Names& all) {
    for (const std::string& name : names) {
        INFO(name);
        CHECK(all.contains(name));
    }
}

}  // namespace

TEST_CASE("Every metric is documented, with its type and in its file", "[docs][metrics]") {
    const std::string text = read("docs/metrics.md");
    const std::size_t watch = text.find("## Of `watch`");
    const std::size_t sync = text.find("## Of `sync`");
    REQUIRE(watch != std::string::npos);
    REQUIRE(sync != std::string::npos);
    CHECK(documented(text.substr(watch, sync - watch)) ==
          families(audit::watch_metrics(audit::sample_watch_facts(), "1")));
    CHECK(documented(text.substr(sync)) == families(audit::sync_metrics(audit::sample_sync_facts())));
}

TEST_CASE("The alert rules ask for metrics that there are", "[docs][metrics]") {
    const Names asked = without_endings(
        find_all(read("docs/prometheus/postcensus.rules.yml"), R"((postcensus_\w+)(?![.\w]))"));
    CHECK(asked.size() > 20);
    check_within(asked, all_families());
}

TEST_CASE("The dashboard shows every metric, and no other", "[docs][metrics]") {
    const auto board = nlohmann::json::parse(read("docs/prometheus/postcensus.dashboard.json"));
    Names asked;
    std::set<int> ids;
    for (const auto& panel : board.at("panels")) {
        CHECK(ids.insert(panel.at("id").get<int>()).second);
        if (panel.at("type") == "row") continue;
        CHECK(panel.at("datasource").at("uid") == "${datasource}");
        for (const auto& target : panel.at("targets"))
            asked.merge(find_all(target.at("expr").get<std::string>(), R"((postcensus_\w+))"));
    }
    CHECK(without_endings(asked) == all_families());
    CHECK(board.at("templating").at("list").at(0).at("type") == "datasource");
}

}  // namespace postcensus
