// SPDX-License-Identifier: MIT
// Reads what report and explain show. Everything is read into values first, so that a pipe left open holds no
// transaction. Every function here runs inside Database::read() and may throw SQLite::Exception.
#pragma once

#include <optional>
#include <string>

#include "census/report.h"
#include "store/database.h"

namespace postcensus::store {

// `domain`: only this one; empty: all.
census::Report load_report(SQLite::Database& db, Time since, Time until, const std::string& domain, Time now);

// The stored side of an explanation: answer, evidence, what comes next, history.
census::Explanation load_explanation(SQLite::Database& db, const mail::Address& address, Time now);

}  // namespace postcensus::store
