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
constexpr auto kSameTarpit = 100ms;  // not every millisecond is news

}  // namespace

Pace after_session(Pace before, const SessionPace& session, Time now) {
    Pace after = before;
    // A clock that was set back forgets nothing; one that was set ahead only makes us try.
    if (after.limit_met && now - *after.limit_met >= kRemembered) {
        after.limit_at.reset();
        after.limit_met.reset();
    }
    if (session.refused > 0 && std::chrono::abs(session.tarpit - before.tarpit) > kSameTarpit)
        after.tarpit = session.tarpit;
    if (!session.over) return after;
    if (session.limit && *session.limit > 0) {
        after.limit_at = std::min(after.limit_at.value_or(*session.limit), *session.limit);
        after.limit_met = now;
        after.most_refused = std::clamp(*after.limit_at - 1, kFewest, kMost);
    } else if (session.refused >= session.allowed && session.allowed >= after.most_refused) {
        const int ceiling = after.limit_at ? *after.limit_at - 1 : kMost;
        after.most_refused =
            std::clamp(after.most_refused * 2, kFewest, std::max(kFewest, std::min(ceiling, kMost)));
    }
    return after;
}

}  // namespace postcensus::census
