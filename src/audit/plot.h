// SPDX-License-Identifier: MIT
// Draws values over time, and bars, as inline SVG. Pure. Whatever comes in, a picture stays small: hundreds
// of steps are merged, and no text of a stranger is in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace postcensus::audit {

// A stretch of time in equal parts.
struct Span {
    Time begin;
    Milliseconds width{};  // of a part
    std::size_t parts = 0;
    Time end() const { return begin + width * static_cast<std::int64_t>(parts); }
    // The part that `at` is in; the nearest one if it is outside.
    std::size_t part_of(Time at) const;
};

// From the first of `times`, or a little before it, to a step after the last, in parts of one step, or of
// several where there would be too many of them.
Span span_of(const std::vector<Time>& times, Milliseconds step);

struct Series {
    enum class Kind { layer, line, below };  // layers stand on each other; below: under the axis
    const char* name;
    int look = 1;  // colour and dashes: 1 to 7
    Kind kind = Kind::layer;
    std::vector<std::int64_t> values;  // one for each part
    std::int64_t total = 0;            // in the legend
};

struct Plot {
    const char* id;  // ours, unique in the page
    const char* title;
    std::string unit;  // what one part counts: "per hour"
    std::string description;
    Span span;
    std::vector<Series> series;
};

// <figure> with heading, picture and legend; says in words that there is nothing to draw.
std::string figure(const Plot& plot);

struct Bar {
    std::string name;
    std::int64_t value = 0;
};
std::string bar_figure(const char* id, const char* title, const std::string& description,
                       const std::vector<Bar>& bars);

// --- for tests

// Round numbers from 0 to at least `most`, at most seven of them.
std::vector<double> value_ticks(double most);
// "950", "12,500", "120 k", "3.4 M"
std::string compact(double value);
// Where the axis of time has its labels, and what they say.
std::vector<std::pair<Time, std::string>> time_ticks(const Span& span);

}  // namespace postcensus::audit
