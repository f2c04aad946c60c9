// SPDX-License-Identifier: MIT
// Which addresses were asked for lately: mail servers come back for a recipient that was put off, harvesters
// do not. Strangers choose the addresses, so it is of fixed size (8 MB for a million addresses): where they
// are more, the oldest are forgotten. Pure but for its key.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace postcensus::census {

class Sightings {
  public:
    using Clock = std::chrono::steady_clock;
    explicit Sightings(std::uint64_t key);

    // How long ago it was first seen; empty if it was not, which it is from now on. After a day it is new
    // again.
    std::optional<std::chrono::seconds> see(std::string_view address, Clock::time_point now);

  private:
    struct Entry {
        std::uint32_t mark = 0;  // of the address
        std::uint32_t at = 0;    // seconds since `begun_`, plus one; 0: empty
    };
    // Many to a set: with half the table full, one of a hundred sets has overflown.
    static constexpr std::size_t kWays = 16;
    static constexpr std::size_t kSets = 1U << 16U;

    std::uint64_t key_;
    std::optional<Clock::time_point> begun_;
    std::vector<Entry> entries_;
};

}  // namespace postcensus::census
