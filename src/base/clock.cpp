// SPDX-License-Identifier: MIT
#include "base/clock.h"

#include <algorithm>
#include <cstring>
#include <ctime>

namespace postcensus {

Time now() {
    return std::chrono::time_point_cast<Milliseconds>(std::chrono::system_clock::now());
}

Moment Moment::now() {
    return {postcensus::now(), std::chrono::steady_clock::now()};
}

Time Moment::seen_at(const Moment& later) const {
    return std::min(wall, later.wall - std::chrono::ceil<Milliseconds>(later.steady - steady));
}

std::string format_time(Time time) {
    const auto seconds =
        static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count());
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[40];
    const auto length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text, length};
}

std::optional<Time> parse_time(const std::string& text) {
    std::tm parts{};
    const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    const Time time{std::chrono::seconds{timegm(&parts)}};
    // strptime() allows blanks and missing zeros, and timegm() makes March of 30 February.
    if (format_time(time) != text) return std::nullopt;
    return time;
}

}  // namespace postcensus
