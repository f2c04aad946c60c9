// SPDX-License-Identifier: MIT
// Counts different things in memory of a fixed size: exactly up to a bound, by estimate beyond it. Keeps the
// smallest of their hashes: the closer these lie, the more there are (Bar-Yossef et al., "Counting Distinct
// Elements in a Data Stream", 2002). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace postcensus::census {

class DistinctCount {
  public:
    // The estimate's error is some 1 / sqrt(exact_up_to).
    explicit DistinctCount(std::size_t exact_up_to) : most_(exact_up_to) {}

    void add(std::string_view thing);
    std::int64_t value() const;
    bool exact() const { return !dropped_; }

  private:
    std::size_t most_;
    std::vector<std::uint64_t> smallest_;  // sorted
    bool dropped_ = false;
};

}  // namespace postcensus::census
