// SPDX-License-Identifier: MIT
// How a server is asked: how many refusals in one session, few at first, more while it allows them, fewer
// where it ends a session for it or begins to slow us down; and how long it takes for one. What it was found
// to end sessions at is not tried again for a day. Pure.
#pragma once

#include <optional>

#include "base/clock.h"

namespace postcensus::census {

struct Pace {
    int most_refused = 4;           // Exchange ends a session with its fifth error by default
    std::optional<int> limit_at;    // the refusal with which the server ended or slowed one
    std::optional<Time> limit_met;  // and when
    Milliseconds tarpit{0};         // how long a refusal takes
    bool operator==(const Pace&) const = default;

    // So long that a session with several recipients keeps the last of them waiting.
    bool slow() const { return tarpit >= Milliseconds(200); }
};

// What a session showed.
struct SessionPace {
    bool over = true;          // else only its tarpit is known yet
    int allowed = 0;           // refusals that it was told to end with
    int refused = 0;           // that it had
    std::optional<int> limit;  // the refusal with which the server ended it, or slowed it down
    Milliseconds tarpit{0};    // of its first refusal
};

Pace after_session(Pace before, const SessionPace& session, Time now);

}  // namespace postcensus::census
