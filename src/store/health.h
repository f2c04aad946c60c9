// SPDX-License-Identifier: MIT
// How the state is: what waits in it, when the directories were last read, how many misses came. Read-only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "census/report.h"
#include "store/database.h"

namespace postcensus::store {

struct SchemaVersion {
    int found = 0;
    int newest = 0;  // that this program knows
};

// Looks without bringing an older state up to date, as Database::open() would.
Result<SchemaVersion> schema_version(const std::filesystem::path& path);

struct StateHealth {
    std::int64_t undecided = 0;
    std::int64_t waiting = 0;  // questions in line
    std::optional<Time> oldest_in_line;
    std::int64_t held = 0;
    std::int64_t unseen = 0;
    std::int64_t misses_without_route = 0;  // of today and yesterday
    std::int64_t misses_suppressed = 0;
    std::vector<std::string> accept_all;             // domains whose server accepts every recipient
    std::vector<census::DirectoryLine> directories;  // that the state knows, by name
};

// Both run inside Database::read() and may throw SQLite::Exception.
StateHealth load_state_health(SQLite::Database& db, Time now);

// Distinct recipients of this domain that were missed, in the busiest hour since then.
std::int64_t busiest_hour(SQLite::Database& db, const std::string& domain, Time since);

}  // namespace postcensus::store
