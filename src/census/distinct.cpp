// SPDX-License-Identifier: MIT
#include "census/distinct.h"

#include <algorithm>

#include "base/hash.h"

namespace postcensus::census {
void DistinctCount::add(std::string_view thing) {
    const std::uint64_t hash = spread(Fnv1a().mix(thing).value());
    const bool full = smallest_.size() == most_;
    if (full && hash > smallest_.back()) {
        dropped_ = true;
        return;
    }
    const auto place = std::lower_bound(smallest_.begin(), smallest_.end(), hash);
    if (place != smallest_.end() && *place == hash) return;
    smallest_.insert(place, hash);
    if (!full) return;
    smallest_.pop_back();
    dropped_ = true;
}

std::int64_t DistinctCount::value() const {
    if (!dropped_) return static_cast<std::int64_t>(smallest_.size());
    const double largest = static_cast<double>(smallest_.back()) / 18446744073709551616.0;
    return static_cast<std::int64_t>(static_cast<double>(most_ - 1) / largest);
}

}  // namespace postcensus::census
