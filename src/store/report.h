// SPDX-License-Identifier: MIT
// Reads what `report` shows. Everything is read into values first, so that a pipe left open holds no
// transaction. Every function here runs inside Database::read() and may throw SQLite::Exception.
//
// What it costs depends on the period, not on the size of the census: counts are kept while things happen
// (store/history.h, CensusCount), and every list is read by an index that has little but what it shows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "census/report.h"
#include "store/database.h"

namespace postcensus::store {

// What of the state is asked for.
struct Scope {
    Time since, until, now;
    std::string domain;     // only this one; empty: all
    std::size_t most = 50;  // lines of each list
};

census::Report load_report(SQLite::Database& db, const Scope& scope);

// The changes of answers in the order in which they happened, a page of at most scope.most at a time: there
// may be millions.
struct ChangePlace {
    Time at;
    std::int64_t id = 0;
};
std::vector<census::ChangeLine> next_changes(SQLite::Database& db, const Scope& scope, ChangePlace& place);

}  // namespace postcensus::store
