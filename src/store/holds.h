// SPDX-License-Identifier: MIT
// Removals that wait for an operator. Who writes them: AnswerWriter (store/addresses.h).
// Every function here runs inside Database::read() or write() and may throw SQLite::Exception.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/addresses.h"
#include "store/database.h"

namespace postcensus::store {

// The number of the next hold: what `approve` takes.
std::int64_t next_hold_number(Writer& writer);

// All that nobody has approved, or those of one hold.
std::int64_t count_holds(SQLite::Database& db, std::optional<std::int64_t> number = {});

// A removal as it waits: one that comes back and is held again is another.
struct Hold {
    AddressId address = 0;
    std::int64_t at = 0;
};
// The same, one by one: what an operator can have seen.
std::vector<Hold> open_holds(SQLite::Database& db, std::optional<std::int64_t> number = {});

// Releases those of these removals that still wait for an operator, whatever the number they wait under by
// now; the listings of objects that are not seen any more end with it. Returns the addresses, sorted.
std::vector<std::string> approve_holds(Writer& writer, const std::vector<Hold>& holds, Time now);

}  // namespace postcensus::store
