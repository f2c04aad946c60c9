// SPDX-License-Identifier: MIT
// Durations as the configuration and the reports write them: 200ms, 30s, 5m, 3h, 7d. A bare "0" is allowed.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/failure.h"

namespace postcensus {

Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// The largest unit that gives a whole number of at least one: 90 s is "90s", 3600 s "1h".
std::string format_duration(std::chrono::milliseconds duration);

// For people: "3 d 4 h", "12 min", "5 s". Negative counts as zero.
std::string spell_duration(std::chrono::milliseconds duration);

}  // namespace postcensus
