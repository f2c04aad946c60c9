// SPDX-License-Identifier: MIT
// Removals that wait for an operator. Who writes them: AnswerWriter (store/addresses.h).
// Every function here runs inside Database::read() or write() and may throw SQLite::Exception.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"

namespace postcensus::store {

// The number of the next hold: what `approve` takes.
std::int64_t next_hold_number(Writer& writer);

// All that nobody has approved, or those of one hold.
std::int64_t count_holds(SQLite::Database& db, std::optional<std::int64_t> number = {});

// Releases the removals that wait for an operator, or those of one hold; the listings of objects that are not
// seen any more end with it. Returns the addresses.
std::vector<std::string> approve_holds(Writer& writer, std::optional<std::int64_t> number, Time now);

}  // namespace postcensus::store
