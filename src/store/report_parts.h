// SPDX-License-Identifier: MIT
// The parts of a report, each of which fills its fields. Only for store/report.cpp.
#pragma once

#include "store/report.h"

namespace postcensus::store {

// Binds :since and :until, :domain and :most of a statement, those of them that it has.
void bind_scope(SQLite::Statement& statement, const Scope& scope);

// The address of a row in the quoted form, which `explain` takes and prints.
std::string quoted_address(SQLite::Statement& row);

// --- report_misses.cpp: what Postfix missed
void load_misses(SQLite::Database& db, const Scope& scope, census::Report& report);
void load_waiting(SQLite::Database& db, const Scope& scope, census::Report& report);
void load_learned(SQLite::Database& db, const Scope& scope, census::Report& report);

// --- report_doubts.cpp: where directory, server and tables do not agree
void load_gaps(SQLite::Database& db, const Scope& scope, census::Report& report);
void load_conflicts(SQLite::Database& db, const Scope& scope, census::Report& report);
void load_bounces(SQLite::Database& db, const Scope& scope, census::Report& report);
void load_held(SQLite::Database& db, const Scope& scope, census::Report& report);
void load_unseen(SQLite::Database& db, const Scope& scope, census::Report& report);

// --- mistyped.cpp
void load_mistyped(SQLite::Database& db, const Scope& scope, census::Report& report);

// --- report_work.cpp: what was read, asked and published
void load_directories(SQLite::Database& db, const Scope& scope, census::Report& report);
void load_servers(SQLite::Database& db, const Scope& scope, census::Report& report);
void load_breakers_and_stops(SQLite::Database& db, const Scope& scope, census::Report& report);
void load_log(SQLite::Database& db, census::Report& report);
void load_tables(SQLite::Database& db, const Scope& scope, census::Report& report);
void load_commands(SQLite::Database& db, const Scope& scope, census::Report& report);

// --- report_course.cpp: how it went over time
void load_changes(SQLite::Database& db, const Scope& scope, census::Report& report);
void load_counters(SQLite::Database& db, const Scope& scope, census::Report& report);
void load_sizes(SQLite::Database& db, const Scope& scope, census::Report& report);

}  // namespace postcensus::store
