// SPDX-License-Identifier: MIT
#include "census/gate.h"

namespace postcensus::census {

std::vector<DomainLosses> stopped_by_gate(const std::vector<DomainLosses>& losses, const GateLimits& limits) {
    std::vector<DomainLosses> stopped;
    for (const DomainLosses& domain : losses) {
        if (domain.losing == 0) continue;
        const std::int64_t lost = domain.lost_today + domain.losing;
        const std::int64_t before = domain.published + domain.lost_today;
        const bool too_many = lost > limits.always && lost * 100 > before * limits.percent;
        // What was accepted after the last publication, or adopted, is lost too, and is not in `published`.
        const bool all = domain.losing >= domain.published && lost >= 2;
        if (too_many || all) stopped.push_back(domain);
    }
    return stopped;
}

}  // namespace postcensus::census
