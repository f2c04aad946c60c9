// SPDX-License-Identifier: MIT
#include "census/sightings.h"

#include <algorithm>

#include "base/hash.h"

namespace postcensus::census {
namespace {

constexpr std::uint32_t kForgotten = 24 * 3600;  // seconds

}  // namespace

Sightings::Sightings(std::uint64_t key) : key_(key), entries_(kSets * kWays) {}

std::optional<std::chrono::seconds> Sightings::see(std::string_view address, Clock::time_point now) {
    if (!begun_) begun_ = now;
    const auto since = std::chrono::duration_cast<std::chrono::seconds>(now - *begun_).count();
    const auto second = static_cast<std::uint32_t>(std::max<std::int64_t>(since, 0)) + 1;
    const std::uint64_t hash = spread(Fnv1a(key_).mix(address).value());
    const auto mark = static_cast<std::uint32_t>(hash >> 32U);
    Entry* const set = &entries_[(hash % kSets) * kWays];
    Entry* oldest = set;
    for (Entry* entry = set; entry != set + kWays; ++entry) {
        if (entry->at != 0 && entry->mark == mark && second - entry->at < kForgotten)
            return std::chrono::seconds(second - entry->at);
        if (entry->at < oldest->at) oldest = entry;
    }
    *oldest = {mark, second};
    return std::nullopt;
}

}  // namespace postcensus::census
