// SPDX-License-Identifier: MIT
#include "audit/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "audit/markup.h"
#include "audit/plot.h"
#include "base/duration.h"

namespace postcensus::audit {
namespace {

using Look = Series::Kind;

Span span_of_steps(const census::Report& report) {
    std::vector<Time> times;
    for (const census::Step& step : report.steps) times.push_back(step.at);
    return span_of(times, report.step);
}

// "per hour", "per 3 days"
std::string per(Milliseconds width) {
    struct Unit {
        std::int64_t minutes;
        const char* name;
    };
    for (const Unit& unit : {Unit{1440, "day"}, Unit{60, "hour"}, Unit{1, "minute"}}) {
        const std::int64_t number = width / std::chrono::minutes(unit.minutes);
        if (number < 1 || width % std::chrono::minutes(unit.minutes) != Milliseconds::zero()) continue;
        return number == 1 ? fmt::format("per {}", unit.name) : fmt::format("per {} {}s", number, unit.name);
    }
    return "per " + format_duration(width);
}

// What one field of each step adds up to in each part.
template <typename Field>
Series added(const census::Report& report, const Span& span, const char* name, int look, Look kind,
             Field field) {
    Series series{.name = name, .look = look, .kind = kind};
    series.values.assign(span.parts, 0);
    for (const census::Step& step : report.steps) {
        std::int64_t& part = series.values[span.part_of(step.at)];
        part = sum_of(part, field(step));
        series.total = sum_of(series.total, field(step));
    }
    return series;
}

// "misses: 1,234 in all, at most 56; …"
std::string described(const std::vector<Series>& all, const std::string& unit) {
    std::string out;
    for (const Series& series : all) {
        const auto most = std::max_element(series.values.begin(), series.values.end());
        if (most == series.values.end()) continue;
        out += fmt::format("{}{}: {} in all, at most {} {}", out.empty() ? "" : "; ", series.name,
                           grouped(series.total), grouped(*most), unit);
    }
    return out + ".";
}

std::string miss_bars(const census::Report& report, const Span& span) {
    using census::Step;
    std::vector<Series> series;
    series.push_back(added(report, span, "misses not asked about", 2, Look::layer,
                           [](const Step& step) { return step.suppressed; }));
    series.push_back(added(report, span, "other misses", 1, Look::layer, [](const Step& step) {
        return std::max<std::int64_t>(step.misses - std::max<std::int64_t>(step.suppressed, 0), 0);
    }));
    series.push_back(added(report, span, "refusals of unknown recipients", 5, Look::line,
                           [](const Step& step) { return step.asked; }));
    const std::string unit = per(span.width);
    return figure({"misses", "Misses and refusals", unit, described(series, unit), span, series});
}

std::string answers(const census::Report& report, const Span& span) {
    using census::Step;
    std::vector<Series> series;
    series.push_back(added(report, span, "came", 3, Look::layer, [](const Step& step) { return step.came; }));
    series.push_back(added(report, span, "left", 4, Look::below, [](const Step& step) { return step.left; }));
    series.push_back(
        added(report, span, "proved unknown", 5, Look::line, [](const Step& step) { return step.rejected; }));
    const std::string unit = per(span.width);
    return figure({"answers", "Recipients that came and left", unit, described(series, unit), span, series});
}

std::string callout_bars(const census::Report& report, const Span& span) {
    struct Class {
        const char* key;
        const char* name;
        int look;
    };
    // What proves something stands below, what proves nothing above it.
    static constexpr Class kClasses[] = {
        {"deliverable", "deliverable", 3},     {"unknown", "unknown", 1}, {"policy", "closed (policy)", 7},
        {"accept-all", "accepts everyone", 2}, {"fault", "fault", 5},     {"retry", "retry", 4}};
    std::vector<Series> series;
    for (const Class& klass : kClasses)
        series.push_back(
            added(report, span, klass.name, klass.look, Look::layer, [&](const census::Step& step) {
                const auto found = step.callouts.find(klass.key);
                return found == step.callouts.end() ? 0 : found->second;
            }));
    series.push_back(added(report, span, "other", 6, Look::layer, [](const census::Step& step) {
        std::int64_t others = 0;
        for (const auto& [key, value] : step.callouts)
            if (std::none_of(std::begin(kClasses), std::end(kClasses),
                             [&key = key](const Class& klass) { return key == klass.key; }))
                others = sum_of(others, value);
        return others;
    }));
    std::erase_if(series, [](const Series& one) { return one.total == 0; });
    const std::string unit = per(span.width);
    return figure({"callouts", "Answers to callouts", unit, described(series, unit), span, series});
}

std::string learn_times(const census::LearnTimes& learned) {
    std::vector<Bar> bars;
    constexpr std::size_t kSteps = std::size(census::kLearnSteps);
    std::string description;
    for (std::size_t i = 0; i <= kSteps; ++i) {
        const std::string name = i < kSteps ? "≤ " + spelled(census::kLearnSteps[i]) : "longer";
        bars.push_back({name, i < learned.histogram.size() ? learned.histogram[i] : 0});
        description +=
            fmt::format("{}{}: {}", description.empty() ? "" : "; ", name, grouped(bars.back().value));
    }
    return bar_figure("learning", "Time until a missed recipient is accepted", description + ".", bars);
}

// The last value in each part, and before the first one nothing.
template <typename Field>
Series levels(const census::Report& report, const Span& span, const char* name, int look, Look kind,
              Field field) {
    Series series{.name = name, .look = look, .kind = kind};
    series.values.assign(span.parts, -1);
    for (const census::SizePoint& point : report.sizes) {
        series.total = std::max<std::int64_t>(field(point), 0);
        series.values[span.part_of(point.at)] = series.total;
    }
    std::int64_t last = 0;
    for (std::int64_t& value : series.values) last = value = value < 0 ? last : value;
    return series;
}

// As described(), of what is and not of what happened.
std::string described_levels(const std::vector<Series>& all) {
    std::string out;
    for (const Series& series : all)
        if (!series.values.empty())
            out += fmt::format("{}{}: {} at first, {} in the end", out.empty() ? "" : "; ", series.name,
                               grouped(series.values.front()), grouped(series.total));
    return out + ".";
}

std::string sizes(const census::Report& report) {
    using census::SizePoint;
    std::vector<Time> times;
    for (const SizePoint& point : report.sizes) times.push_back(point.at);
    const Span span = span_of(times, {});
    std::vector<Series> accepted;
    accepted.push_back(
        levels(report, span, "listed", 1, Look::layer, [](const SizePoint& point) { return point.listed; }));
    accepted.push_back(levels(report, span, "learned", 3, Look::layer,
                              [](const SizePoint& point) { return point.learned; }));
    accepted.push_back(
        levels(report, span, "other", 6, Look::layer, [](const SizePoint& point) { return point.other; }));
    accepted.push_back(levels(report, span, "of these closed", 4, Look::line,
                              [](const SizePoint& point) { return point.closed; }));
    std::vector<Series> unknown;
    unknown.push_back(levels(report, span, "unknown recipients", 5, Look::layer,
                             [](const SizePoint& point) { return point.rejected; }));
    return figure(
               {"accepted", "Accepted recipients", "by reason", described_levels(accepted), span, accepted}) +
           figure({"unknown", "Unknown recipients", "refused at the time", described_levels(unknown), span,
                   unknown});
}

}  // namespace

std::string charts(const census::Report& report) {
    const Span span = span_of_steps(report);
    // The log and the servers are not counted by domain, nor is the size.
    if (!report.domain.empty()) return answers(report, span) + learn_times(report.learned);
    return miss_bars(report, span) + answers(report, span) + callout_bars(report, span) +
           learn_times(report.learned) + sizes(report);
}

}  // namespace postcensus::audit
