// SPDX-License-Identifier: MIT
// How long the base rests after a build, so that a busy census does not build it all the time. What counts is
// work, not time: a build that a disk or a busy machine held up is no reason to rest. Pure.
#pragma once

#include <algorithm>
#include <chrono>

namespace postcensus::flow {

class BaseRest {
  public:
    using Clock = std::chrono::steady_clock;

    // `work`: the processor time that the build took.
    void note_build(Clock::time_point ended, std::chrono::nanoseconds work) {
        ended_ = ended;
        rest_ = std::min<Clock::duration>(std::max<Clock::duration>(work, {}) * kRestPerWork, kLongest);
    }

    // When the next one may begin. Urgent is one that holds a removed recipient, for whom mail is taken
    // meanwhile, or that somebody changed.
    Clock::time_point end(bool urgent) const {
        return ended_ + (urgent ? std::min<Clock::duration>(rest_, kLongestIfUrgent) : rest_);
    }

  private:
    static constexpr int kRestPerWork = 10;
    static constexpr auto kLongest = std::chrono::minutes{5};
    static constexpr auto kLongestIfUrgent = std::chrono::seconds{3};
    Clock::time_point ended_;
    Clock::duration rest_{};
};

}  // namespace postcensus::flow
