// SPDX-License-Identifier: MIT
#include "base/duration.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>

namespace postcensus {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t ms;
};
// Largest first, for formatting.
constexpr std::array<Unit, 5> kUnits{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
// A hundred years: no duration of ours is longer, and sums of them stay far from overflow.
constexpr std::int64_t kLongest = 100LL * 365 * 86'400'000;

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    std::int64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
    if (error == std::errc{} && number >= 0) {
        if (number == 0 && suffix.empty()) return std::chrono::milliseconds{0};
        for (const Unit& unit : kUnits)
            if (suffix == unit.name && number <= kLongest / unit.ms)
                return std::chrono::milliseconds{number * unit.ms};
    }
    return fail(ExitCode::configuration,
                fmt::format("'{}' is not a duration; write for example 200ms, 30s, 5m, 3h or 7d", text));
}

std::string format_duration(std::chrono::milliseconds duration) {
    for (const Unit& unit : kUnits)
        if (duration.count() >= unit.ms && duration.count() % unit.ms == 0)
            return fmt::format("{}{}", duration.count() / unit.ms, unit.name);
    return "0s";
}

std::string spell_duration(std::chrono::milliseconds duration) {
    const std::int64_t seconds = std::max<std::int64_t>(duration.count(), 0) / 1000;
    if (seconds < 60) return fmt::format("{} s", seconds);
    if (seconds < 3600) return fmt::format("{} min", seconds / 60);
    if (seconds < 86'400) return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
    return fmt::format("{} d {} h", seconds / 86'400, seconds % 86'400 / 3600);
}

}  // namespace postcensus
