// SPDX-License-Identifier: MIT
// What each table should hold, and what is out. The contents are read from a snapshot, in a worker; what was
// published is noted by the decider afterwards. Every function here runs inside Database::read() or write()
// and may throw SQLite::Exception.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"

namespace postcensus::store {

struct Publication {
    std::int64_t generation = 0;
    Seq seq = 0;           // what was decided up to here is in it
    std::string digest;    // of its entries
    std::string identity;  // of its files
    std::int64_t entries = 0;
    std::optional<Time> until;
    Time at;
};

std::map<std::string, Publication> load_publications(SQLite::Database& db);
void note_publication(Writer& writer, const std::string& table, const Publication& publication);

// An address that a table names.
struct Row {
    mail::Address address;
    std::optional<Time> until;
};

// Every address that is accepted now: the base. One by one: there may be a million.
void for_each_base_row(SQLite::Database& db,
                       const std::function<void(std::string_view local, const std::string& domain)>& take);
// Accepted since the base, and the operator's own.
std::vector<Row> learned_rows(SQLite::Database& db, Seq base_seq);
std::vector<Row> closed_rows(SQLite::Database& db);
// The rejections that end last, at most `most`.
std::vector<Row> unknown_rows(SQLite::Database& db, std::size_t most);

// Accepted addresses that Postfix would look up as `rejected` without its extension (access(5)).
std::vector<mail::Address> accepted_extensions(SQLite::Database& db, const mail::Address& rejected,
                                               const std::string& delimiters);

// Whether a base of this seq names an address that is not accepted any more; how much `learned` has beyond
// it, since when.
struct BaseAge {
    bool holds_removed = false;
    std::int64_t learned = 0;
};
BaseAge base_age(SQLite::Database& db, Seq base_seq);

// When the last good evidence behind the closed recipients came: the lease of `closed` runs from there.
std::optional<Time> last_good_evidence(SQLite::Database& db);

// Addresses of tables that this state does not know of (it was lost, or restored from a backup) become
// accepted evidence of unknown age. Returns how many were new to the state.
std::int64_t adopt(Writer& writer, const std::vector<mail::Address>& addresses, Time now);

// Domains without callouts: after a good full reading what was adopted for them counts no more.
void end_adoption(Writer& writer, const std::vector<std::string>& domains, Seq began);

}  // namespace postcensus::store
