// SPDX-License-Identifier: MIT
// What the directories listed, and the readings that said so.
// Every function here runs inside Database::read() or write() and may throw SQLite::Exception.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "census/listing.h"
#include "store/database.h"

namespace postcensus::store {

struct Reading {
    std::string directory;
    std::string kind = "full";
    std::string server;
    Time began;
    Time ended;
    Seq began_seq = 0;         // noted before its first search
    std::int64_t objects = 0;  // with at least one address
    std::string outcome = "applied";
    bool good = true;
};

// GUID -> digest of every object that a directory has in the state: what a reading is compared with.
std::unordered_map<std::string, std::uint64_t> load_digests(SQLite::Database& db,
                                                            const std::string& directory);

std::vector<std::string> directories_with_objects(SQLite::Database& db);

// Addresses that the object with this GUID lists now, sorted.
std::vector<std::string> addresses_of(SQLite::Database& db, const std::string& directory,
                                      const std::string& guid);

struct Difference {
    std::vector<census::Listing> changed;  // new objects, and those whose digest is another
    std::vector<std::string> gone;         // GUIDs that the reading did not meet
};

struct Applied {
    std::int64_t added = 0;    // addresses that are listed now and were not
    std::int64_t removed = 0;  // addresses that no object lists any more
    std::int64_t listed = 0;   // addresses listed by this directory now
};

// Applies what a whole, good reading found, in the caller's transaction; addresses whose listings changed
// become undecided.
Applied apply(Writer& writer, const Reading& reading, const Difference& difference);

// A reading that was not applied is remembered too: the report says so.
void note_failed(Writer& writer, const Reading& reading);

}  // namespace postcensus::store
