// SPDX-License-Identifier: MIT
// Turns evidence into answers: empties the list of the undecided, misses first. Only the decider runs this
// (tasks/decider.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "census/decide.h"
#include "config/configuration.h"
#include "store/database.h"

namespace postcensus::tasks {

struct Decided {
    std::size_t looked_at = 0;
    std::size_t changed = 0;  // answers that are another now
    std::size_t held = 0;     // removals that the gate stopped
    std::size_t doubted = 0;  // recipients that are accepted, or were, about whom a question was asked
};

// Answers go out in pieces of 500 a transaction. Removals wait until all is looked at, so that the gate
// counts them together.
Result<Decided> decide_all(store::Database& state, const config::Configuration& configuration, Time now);

// What an address is answered of which nothing is known but that a directory lists it, whoever decides:
// nothing if the decider has another policy for this domain than this configuration. Inside
// Database::write().
std::optional<census::Verdict> answer_listed(const config::Configuration& configuration, SQLite::Database& db,
                                             const std::string& domain, bool closed, Time now);

}  // namespace postcensus::tasks
