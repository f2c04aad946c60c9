// SPDX-License-Identifier: MIT
// What the audit asks of the state must not grow with it: SQLite says how it would go about each query, and
// no table that may have a million rows is read from one end to the other.
#include <array>
#include <set>
#include <string>
#include <vector>

#include "store/sql_literals.h"
#include "store/state.h"

using namespace postcensus;
using namespace postcensus::store;

namespace {

// Tables that grow with the census, or with what strangers send.
const std::set<std::string> kLarge{"address",   "object",  "listing", "callout",     "miss",
                                   "event",     "reading", "bounce",  "bounce_hour", "delivery",
                                   "question",  "counter", "harvest", "census_size", "hold",
                                   "undecided", "stop"};
// Indexes of the few rows that a query is about.
const std::set<std::string> kFew{"address_waiting",    "address_contested", "address_closed",
                                 "address_proven",     "object_unseen",     "question_line",
                                 "question_contested", "hold_open"};

// The names under which a statement speaks of tables: "FROM callout AS last" is callout too.
std::string table_of(const std::string& alias, const std::string& sql) {
    const std::size_t at = sql.find(" AS " + alias);
    if (at == std::string::npos) return alias;
    const std::size_t begin = sql.rfind(' ', at - 1);
    return sql.substr(begin + 1, at - begin - 1);
}

std::vector<std::string> plan_of(TestState& state, const std::string& sql) {
    return state.read([&](SQLite::Database& db) {
        std::vector<std::string> steps;
        SQLite::Statement plan(db, "EXPLAIN QUERY PLAN " + sql);
        while (plan.executeStep()) steps.push_back(plan.getColumn("detail").getString());
        return steps;
    });
}

// The fault of a step, or nothing: "SCAN miss", "SCAN address USING INDEX address_by_left".
bool reads_all(const std::string& step, const std::string& sql) {
    constexpr std::string_view kScan = "SCAN ";
    // A domain may have a million addresses as well.
    if (step.starts_with("SEARCH ") && step.ends_with("(domain=?)") &&
        step.find(" USING INDEX sqlite_autoindex_address_1") != std::string::npos)
        return true;
    if (!step.starts_with(kScan)) return false;
    const std::size_t end = step.find(' ', kScan.size());
    const std::string name = step.substr(kScan.size(), end - kScan.size());
    if (!kLarge.contains(table_of(name, sql))) return false;
    // A row of it is two small numbers, and SQLite adds up how many each page has.
    if (name == "undecided" && sql == "SELECT count(*) FROM undecided") return false;
    const std::size_t index = step.find("INDEX ");
    return index == std::string::npos || !kFew.contains(step.substr(index + 6));
}

}  // namespace

TEST_CASE("a query that reads a whole table is found", "[store][sql]") {
    TestState state;
    const auto faulty = [&](const std::string& sql) {
        const auto steps = plan_of(state, sql);
        return std::any_of(steps.begin(), steps.end(),
                           [&](const auto& step) { return reads_all(step, sql); });
    };
    CHECK(faulty("SELECT count(*) FROM miss WHERE client = ''"));
    CHECK(faulty("SELECT count(*) FROM event WHERE reason = 'x'"));
    CHECK(faulty("SELECT * FROM callout AS last JOIN domain ON last.class = domain.domain"));
    CHECK(faulty("SELECT count(*) FROM hold WHERE cause = 'gate'"));
    CHECK(faulty("SELECT address_id FROM undecided WHERE rank + 0 = 1"));
    CHECK(faulty("SELECT min(until) FROM address WHERE domain = 'x' AND answer = 'reject'"));
    CHECK_FALSE(faulty("SELECT count(*) FROM miss WHERE at > 1"));
    CHECK_FALSE(faulty("SELECT count(*) FROM address WHERE reason = 'contested'"));
}

TEST_CASE("controls are drawn by index", "[store][sql]") {
    TestState state;
    std::size_t statements = 0;
    for (const std::filesystem::path& file : sources()) {
        if (file.filename() != "callouts.cpp") continue;
        auto text = read_file(file, 1'000'000);
        REQUIRE(text);
        for (const Literal& literal : Scanner(*text).literals()) {
            if (!literal.text.starts_with("SELECT ") ||
                literal.text.find(" FROM address WHERE domain") == std::string::npos)
                continue;
            ++statements;
            INFO(literal.text);
            const auto steps = plan_of(state, literal.text);
            REQUIRE(steps.size() == 1);
            CHECK(steps[0] == "SEARCH address USING INDEX address_known_good (domain=? AND reason=?)");
        }
    }
    CHECK(statements == 2);
}

TEST_CASE("the audit reads no large table from end to end", "[store][sql]") {
    TestState state;
    std::size_t statements = 0;
    for (const std::filesystem::path& file : sources()) {
        const std::string name = file.filename().string();
        if (!name.starts_with("report") && !name.starts_with("explanation") && !name.starts_with("metrics") &&
            name != "health.cpp")
            continue;
        auto text = read_file(file, 1'000'000);
        REQUIRE(text);
        for (const Literal& literal : Scanner(*text).literals()) {
            if (!literal.text.starts_with("SELECT ") && !literal.text.starts_with("WITH ")) continue;
            ++statements;
            for (const std::string& step : plan_of(state, literal.text)) {
                INFO(name << ":" << literal.line << ": " << literal.text << "\n" << step);
                CHECK_FALSE(reads_all(step, literal.text));
            }
        }
    }
    CHECK(statements >= 40);
}
