// SPDX-License-Identifier: MIT
#include "census/pacing.h"

#include <algorithm>
#include <chrono>

namespace postcensus::census {
namespace {

using namespace std::chrono_literals;

constexpr int kFewest = 2;  // the random control and one recipient
constexpr int kMost = 100;  // every server takes so many recipients (RFC 5321, 4.5.3.1.8)
constexpr auto kRemembered = 24h;

}  // namespace

Refusals after_session(Refusals before, int allowed, int refused, bool ended_by_server, Time now) {
    Refusals after = before;
    // A clock that was set back forgets nothing; one that was set ahead only makes us try.
    if (after.met_time && now - *after.met_time >= kRemembered) {
        after.met_at.reset();
        after.met_time.reset();
    }
    if (ended_by_server && refused > 0) {
        after.met_at = std::min(after.met_at.value_or(refused), refused);
        after.met_time = now;
        after.most = std::max(kFewest, *after.met_at - 1);
    } else if (refused >= allowed && allowed >= after.most) {
        const int ceiling = after.met_at ? *after.met_at - 1 : kMost;
        after.most = std::clamp(after.most * 2, kFewest, std::max(kFewest, std::min(ceiling, kMost)));
    }
    return after;
}

}  // namespace postcensus::census
