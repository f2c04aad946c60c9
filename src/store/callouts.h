// SPDX-License-Identifier: MIT
// What callouts said, whom to ask as a control, and what was learned of the servers. Every function here runs
// inside Database::read() or write() and may throw SQLite::Exception.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "census/pacing.h"
#include "census/report.h"
#include "store/addresses.h"
#include "store/database.h"

namespace postcensus::store {

// Known-good controls of a domain, drawn at random, each for itself: addresses that a directory lists, not
// closed, and by turns those that a callout proved: of a callee's several sources one may be empty. The first
// is a listed one: a caching server may know the others from us.
std::vector<mail::Address> known_good(SQLite::Database& db, const std::string& domain, std::size_t most);
// Listed ones alone.
std::vector<mail::Address> draw_listed(SQLite::Database& db, const std::string& domain, std::size_t most);

// Stores what a callout said; a conclusive one makes the address undecided. Keeps a bounded number for each
// address.
void record_callout(Writer& writer, AddressId id, const census::CalloutOutcome& outcome, Seq began, Time at);

// Callouts that are stopped. These are now, and no others; `since` is when each was first stored. Those that
// have ended are history.
void set_breakers(Writer& writer, const std::vector<census::BreakerLine>& breakers, Time now);
std::vector<census::BreakerLine> load_breakers(SQLite::Database& db);

// What was learned of a server, host:port.
census::Pace load_pace(SQLite::Database& db, const std::string& target);
void save_pace(Writer& writer, const std::string& target, const census::Pace& pace);

}  // namespace postcensus::store
