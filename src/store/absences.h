// SPDX-License-Identifier: MIT
// What live lookups did not find, where the directory is said to know every recipient (directory-complete).
// Every function here runs inside Database::read() or write() and may throw SQLite::Exception.
#pragma once

#include <string>

#include "store/addresses.h"
#include "store/database.h"

namespace postcensus::store {

// Whether something stands against a conclusion from what the directories do not list: an object of this
// domain that is not seen any more or hides its addresses, or a last full reading that failed.
bool directories_doubtful(SQLite::Database& db, const std::string& domain);

// A live lookup found `control` and not this address. True if it confirms another one, at least `interval`
// before.
bool record_absence(Writer& writer, AddressId id, const std::string& server, const std::string& control,
                    Seq began, Time at, Milliseconds interval);

// Rejections that rest on what the directories do not list are looked at again: doubt has come up.
void reconsider_absences(Writer& writer);

}  // namespace postcensus::store
