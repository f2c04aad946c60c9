// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "audit/markup.h"
#include "audit/plot.h"

namespace postcensus::audit {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kMostParts =
    64;  // six points of a picture's width for each: dashes are still told apart
// Labels of an axis of time: a phone has room for no more of "11-24" and of "2026-11".
constexpr std::int64_t kMostLabels = 7, kMostLongLabels = 5;
constexpr double kMostSteps = 5;  // of an axis of values

constexpr std::array<Milliseconds, 20> kTimeSteps{1min, 5min,  15min, 30min, 1h,    2h,    3h,
                                                  6h,   12h,   24h,   48h,   96h,   168h,  336h,
                                                  672h, 1344h, 2184h, 4368h, 8760h, 17520h};

}  // namespace

std::size_t Span::part_of(Time at) const {
    if (at <= begin || width.count() <= 0 || parts == 0) return 0;
    return std::min(static_cast<std::size_t>((at - begin) / width), parts - 1);
}

Span span_of(const std::vector<Time>& times, Milliseconds step) {
    if (times.empty()) return {};
    const auto [first, last] = std::minmax_element(times.begin(), times.end());
    // A report of days has no step; then the times themselves tell.
    if (step.count() <= 0)
        step = std::max<Milliseconds>((*last - *first) / static_cast<std::int64_t>(times.size()), 1h);
    const std::int64_t steps = (*last - *first) / step + 1;
    const std::int64_t least = (steps + kMostParts - 1) / kMostParts;
    // A part of fewer steps than the others would look like a fall: best is none, and else the oldest.
    std::int64_t merged = least;
    for (std::int64_t several = least; several < 2 * least; ++several)
        if (steps % several == 0) {
            merged = several;
            break;
        }
    const std::int64_t parts = (steps + merged - 1) / merged;
    return {*first - step * (parts * merged - steps), step * merged, static_cast<std::size_t>(parts)};
}

std::vector<double> value_ticks(double most) {
    most = std::max(most, 1.0);
    const double power = std::pow(10.0, std::floor(std::log10(most / kMostSteps)));
    double step = power * 10;
    for (const double factor : {1.0, 2.0, 2.5, 5.0})
        if (most / (power * factor) <= kMostSteps) {
            step = power * factor;
            break;
        }
    if (step < 10) step = std::ceil(step);  // there are no halves of a recipient
    std::vector<double> ticks{0};
    while (ticks.back() < most) ticks.push_back(static_cast<double>(ticks.size()) * step);
    return ticks;
}

std::string compact(double value) {
    if (value < 100'000) return grouped(std::llround(value));
    const char* const units[] = {"k", "M", "G", "T", "P", "E"};
    std::size_t unit = 0;
    value /= 1000;
    for (; value >= 999.95 && unit + 1 < std::size(units); ++unit) value /= 1000;
    const std::string text = fmt::format("{:.1f}", value);
    return (text.ends_with(".0") ? text.substr(0, text.size() - 2) : text) + " " + units[unit];
}

std::vector<std::pair<Time, std::string>> time_ticks(const Span& span) {
    const Milliseconds length = span.end() - span.begin;
    const bool in_months = length > 300 * 24h;
    const std::int64_t most = in_months ? kMostLongLabels : kMostLabels;
    Milliseconds step = kTimeSteps.back();
    for (const Milliseconds candidate : kTimeSteps)
        if (length / candidate <= most) {
            step = candidate;
            break;
        }
    const Time first{std::chrono::ceil<Milliseconds>(span.begin.time_since_epoch() + step - 1ms) / step *
                     step};
    std::vector<std::pair<Time, std::string>> ticks;
    for (Time at = first; at <= span.end() && std::cmp_less(ticks.size(), most); at += step) {
        const std::string text = minute_of(at);  // 2026-11-24 03:47
        if (text.size() != 16) break;
        const bool midnight = text.ends_with("00:00");
        ticks.emplace_back(at, in_months                 ? text.substr(0, 7)
                               : step >= 24h || midnight ? text.substr(5, 5)
                                                         : text.substr(11));
    }
    return ticks;
}

}  // namespace postcensus::audit
