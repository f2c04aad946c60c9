// SPDX-License-Identifier: MIT
// The stored side of an explanation: answer, evidence, what comes next, history. Every function here runs
// inside Database::read() and may throw SQLite::Exception.
#pragma once

#include "census/report.h"
#include "store/database.h"

namespace postcensus::store {

census::Explanation load_explanation(SQLite::Database& db, const mail::Address& address, Time now);

// What is known of a domain as a whole: how many of its addresses have which answer, and whether its callouts
// are stopped or prove nothing.
std::vector<census::ExplanationLine> load_domain_evidence(SQLite::Database& db, const std::string& domain);

}  // namespace postcensus::store
