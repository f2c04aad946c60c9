// SPDX-License-Identifier: MIT
// Values of the directories that people meant for addresses, as the last readings met them; a bounded number.
// Every function here runs inside Database::read() or write() and may throw SQLite::Exception.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "census/mistyped.h"
#include "store/database.h"

namespace postcensus::store {

constexpr std::size_t kMostMistyped = 1000;  // of a directory

// The keys of objects that have some.
std::set<std::string> mistyped_objects(SQLite::Database& db, const std::string& directory);
// In order of the objects.
std::vector<census::Mistyped> load_mistyped(SQLite::Database& db, const std::string& directory);

// What a reading met; before that, what was known of `met` objects is dropped, after a full reading of all.
void note_mistyped(Writer& writer, const std::string& directory, bool full,
                   const std::vector<std::string>& met, const std::vector<census::Mistyped>& mistyped);

}  // namespace postcensus::store
