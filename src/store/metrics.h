// SPDX-License-Identifier: MIT
// Reads what the metrics show. Cheap: `watch` does it every 15 s. Every function here runs inside
// Database::read() and may throw SQLite::Exception.
#pragma once

#include "census/metrics.h"
#include "store/database.h"

namespace postcensus::store {

census::WatchFacts load_watch_facts(SQLite::Database& db, Time now);
census::SyncFacts load_sync_facts(SQLite::Database& db, Time now);

}  // namespace postcensus::store
