// SPDX-License-Identifier: MIT
// How many refusals a server is asked for in one session: few at first, more while it allows them, fewer
// where it ends a session for it. What it was found to end sessions at is not tried again for a day. Pure.
#pragma once

#include <optional>

#include "base/clock.h"

namespace postcensus::census {

struct Refusals {
    int most = 4;                  // Exchange ends a session with its fifth error by default
    std::optional<int> met_at;     // the refusal at which the server ended one
    std::optional<Time> met_time;  // and when
    bool operator==(const Refusals&) const = default;
};

// After a session that was told to end at `allowed` refusals, and had `refused` of them. `ended_by_server`:
// it was closed or answered 421 behind a refusal.
Refusals after_session(Refusals before, int allowed, int refused, bool ended_by_server, Time now);

}  // namespace postcensus::census
