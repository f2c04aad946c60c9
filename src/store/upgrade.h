// SPDX-License-Identifier: MIT
// Brings a state to the schema of this program, whole or not at all. One that is older is copied first, where
// there is room: `state.db.vN` beside it, N its schema. Only the newest such copy is kept.
//
// May run for minutes, and tells systemd so. Other processes go on reading meanwhile; who wants to write, or
// to bring it up to date too, waits as long as its connection has patience. One of an older program that has
// the state open notices at its next transaction (Database).
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>
#include <string>

#include "base/failure.h"
#include "store/migrations.h"

namespace postcensus::store {

// May throw SQLite::Exception. `db` is the connection to `path`, outside a transaction.
Result<void> upgrade(SQLite::Database& db, const std::filesystem::path& path, const Migrations& known);

// What a program says that knows fewer migrations than the state has; names the copy to go back to.
Failure newer_state(const std::filesystem::path& path, int found, const Migrations& known);

std::filesystem::path copy_path(const std::filesystem::path& path, int version);

}  // namespace postcensus::store
