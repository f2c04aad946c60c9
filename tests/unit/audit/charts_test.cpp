// SPDX-License-Identifier: MIT
#include "audit/charts.h"

#include <array>
#include <limits>

#include "audit/plot.h"
#include "audit/sample_report.h"
#include "catch.h"

using namespace postcensus;
using namespace postcensus::audit;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

int count_of(const std::string& text, const std::string& word) {
    int count = 0;
    for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; ++at) ++count;
    return count;
}

bool has(const std::string& text, const std::string& word) {
    return count_of(text, word) > 0;
}

}  // namespace

TEST_CASE("ticks of values are round and reach", "[audit][charts]") {
    for (const double most :
         {0.0, 1.0, 2.0, 3.0, 7.0, 10.0, 11.0, 99.0, 345.0, 1038.0, 12'590.0, 1e6, 9.3e18}) {
        CAPTURE(most);
        const std::vector<double> ticks = value_ticks(most);
        CHECK(ticks.front() == 0);
        CHECK(ticks.back() >= most);
        CHECK(ticks.size() >= 2);
        CHECK(ticks.size() <= 7);
    }
    CHECK(value_ticks(1038) == std::vector<double>{0, 250, 500, 750, 1000, 1250});
    CHECK(value_ticks(3) == std::vector<double>{0, 1, 2, 3});
    CHECK(compact(950) == "950");
    CHECK(compact(12'500) == "12,500");
    CHECK(compact(120'000) == "120 k");
    CHECK(compact(999'999) == "1 M");
    CHECK(compact(3'400'000) == "3.4 M");
    CHECK(compact(9.3e18) == "9.3 E");
}

TEST_CASE("ticks of time", "[audit][charts]") {
    struct Case {
        Milliseconds length;
        std::size_t least;
        std::string first;
    };
    const std::array<Case, 6> cases{{{1h, 3, "04:00"},
                                     {24h, 4, "06:00"},
                                     {168h, 5, "11-25"},
                                     {31 * 24h, 4, "11-27"},
                                     {400 * 24h, 3, ""},
                                     {4000 * 24h, 3, ""}}};
    for (const Case& one : cases) {
        CAPTURE(one.length.count());
        const auto ticks = time_ticks({test::kMade, one.length, 1});
        CHECK(ticks.size() >= one.least);
        CHECK(ticks.size() <= 7);
        for (const auto& [at, label] : ticks) CHECK((at >= test::kMade && at <= test::kMade + one.length));
        if (!one.first.empty() && !ticks.empty()) CHECK(ticks.front().second == one.first);
    }
    CHECK(time_ticks({}).size() <= 1);
}

TEST_CASE("many steps are merged, and none is lost", "[audit][charts]") {
    const Span hour = span_of({test::kMade}, 1h);
    CHECK(hour.parts == 1);
    CHECK(hour.width == 1h);
    const Span days = span_of({test::kMade, test::kMade + 399 * 24h}, 24h);
    CHECK(days.parts == 50);  // of eight days each: no part is shorter
    CHECK(days.end() == test::kMade + 400 * 24h);
    const Span prime = span_of({test::kMade, test::kMade + 400 * 24h}, 24h);
    CHECK(prime.end() == test::kMade + 401 * 24h);
    CHECK(prime.begin < test::kMade);
    CHECK(days.width % Milliseconds(24h) == 0ms);
    CHECK(days.end() > test::kMade + 399 * 24h);
    CHECK(days.part_of(test::kMade - 1h) == 0);
    CHECK(days.part_of(test::kMade + 399 * 24h) == days.parts - 1);
    CHECK(days.part_of(test::kMade + 4000 * 24h) == days.parts - 1);
    CHECK(span_of({}, 1h).parts == 0);
    CHECK(span_of({test::kMade, test::kMade + 10h}, 0ms).parts > 1);

    census::Report report;
    test::add_steps(report, 5000, 1h, 3000);
    std::int64_t misses = 0;
    for (const census::Step& step : report.steps) misses += step.misses - step.suppressed;
    const std::string html = charts(report);
    CHECK(html.size() < 60'000);
    CHECK(has(html, fmt::format("other misses: {},{:03}", misses / 1000, misses % 1000)));
}

TEST_CASE("pictures without anything in them say so", "[audit][charts]") {
    census::Report report;
    CHECK(count_of(charts(report), "Nothing in this period.") == 6);
    report.step = 1h;
    report.steps = {{test::kMade}, {test::kMade + 1h}};
    report.sizes = {{test::kMade}};
    report.learned.histogram = {0, 0, 0};
    CHECK(count_of(charts(report), "Nothing in this period.") == 6);
    CHECK_FALSE(has(charts(report), "<svg"));
}

TEST_CASE("a single step, and the largest numbers", "[audit][charts]") {
    census::Report report;
    report.step = 1h;
    report.steps = {{test::kMade, 10, 4, 1, 2, 1, 3, {{"unknown", 5}, {"<b>", 2}}}};
    report.sizes = {{test::kMade, 100, 20, 3, 4, 50}};
    report.learned.histogram = {5};
    const std::string one = charts(report);
    CHECK(count_of(one, "<svg") == 6);
    CHECK(has(one, "per hour"));
    CHECK(has(one, "misses not asked about: 4 in all, at most 4 per hour; other misses: 6 in all"));
    CHECK(has(one, "other <b>2</b>"));
    CHECK_FALSE(has(one, "<b><"));
    CHECK(has(one, "listed: 100 at first, 100 in the end"));

    report.steps = {
        {test::kMade, kMost, kMost, kMost, kMost, kMost, kMost, {{"unknown", kMost}, {"retry", kMost}}},
        {test::kMade + 1h, kMost, -5, kMost, kMost, -kMost, kMost, {{"fault", -kMost}}}};
    report.sizes.push_back({test::kMade + 1h, kMost, kMost, kMost, kMost, -1});
    report.learned.histogram = {kMost, -kMost, 0, 1};
    const std::string large = charts(report);
    CHECK(count_of(large, "<svg") == 6);
    CHECK_FALSE(has(large, "nan"));
    CHECK_FALSE(has(large, "inf"));
    CHECK(has(large, " E</text>"));
}

TEST_CASE("every picture has words for those who do not see it", "[audit][charts]") {
    const std::string html = charts(test::ordinary_report());
    CHECK(count_of(html, "<svg") == 6);
    CHECK(count_of(html, "role=\"img\"") == 6);
    CHECK(count_of(html, "</title><desc id=") == 6);
    // What left hangs below the axis, what is drawn over it stands above.
    CHECK(has(html, "left: 26 in all"));
    CHECK(has(html, "≤ 5 min"));
}
