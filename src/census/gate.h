// SPDX-License-Identifier: MIT
// The gate before the tables: whatever the cause, a mass removal waits for a human. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace postcensus::census {

struct GateLimits {
    int percent = 10;  // of a domain's published addresses, in a sliding day
    int always = 50;   // so many may go without a question, unless they are all of a domain
};

// One domain's count. Removals that an operator approved are in none of them.
struct DomainLosses {
    std::string domain;
    std::int64_t published = 0;   // addresses accepted before this batch
    std::int64_t lost_today = 0;  // already lost in the last 24 hours
    std::int64_t losing = 0;      // would be lost by this batch
};

// The domains for whose sake the whole batch's removals are held; empty: they may go.
std::vector<DomainLosses> stopped_by_gate(const std::vector<DomainLosses>& losses, const GateLimits& limits);

}  // namespace postcensus::census
