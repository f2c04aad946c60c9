// SPDX-License-Identifier: MIT
// Values out of a row.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace postcensus::store {

// Nothing where it is NULL.
inline std::optional<Time> time_of(const SQLite::Column& column) {
    if (column.isNull()) return std::nullopt;
    return from_unix_ms(column.getInt64());
}

// Of a statement that gives one row with one number.
inline std::int64_t count_of(SQLite::Statement& statement) {
    statement.executeStep();
    return statement.getColumn(0).getInt64();
}

}  // namespace postcensus::store
