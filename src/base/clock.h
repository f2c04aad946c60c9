// SPDX-License-Identifier: MIT
// Wall-clock time as the program keeps it: milliseconds since the epoch, UTC. Pure code takes a Time as a
// value; only flow/ and what stands above it ask for now().
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace postcensus {

using Milliseconds = std::chrono::milliseconds;
using Time = std::chrono::sys_time<Milliseconds>;

Time now();

// When something was heard, on both clocks: what waits to be stored ages meanwhile, and a wall clock that is
// set meanwhile does not make it younger.
struct Moment {
    Time wall;
    std::chrono::steady_clock::time_point steady;
    static Moment now();
    // By the wall clock of `later`: the earlier of what the clock said then, and of what it says now less the
    // time that has passed.
    Time seen_at(const Moment& later) const;
};

inline std::int64_t to_unix_ms(Time time) {
    return time.time_since_epoch().count();
}
inline Time from_unix_ms(std::int64_t ms) {
    return Time{Milliseconds{ms}};
}

// "2026-11-24T03:47:46Z" (RFC 3339, whole seconds).
std::string format_time(Time time);

// Reads what format_time() writes.
std::optional<Time> parse_time(const std::string& text);

}  // namespace postcensus
