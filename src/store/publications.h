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
std::int64_t count_accepted(SQLite::Database& db);
// Accepted since the base, and the operator's own.
std::vector<Row> learned_rows(SQLite::Database& db, Seq base_seq);
// Some of those that were accepted after this seq.
std::vector<Row> arrived_since(SQLite::Database& db, Seq seq, std::size_t most);
// The rejections that end last, at most `most`.
std::vector<Row> unknown_rows(SQLite::Database& db, std::size_t most);

// A closed recipient, and since when nothing has confirmed that: the callout that said so, or of the
// directories that list it the one that was not read well for the longest time.
struct ClosedRow {
    mail::Address address;
    std::optional<Time> confirmed;
};
std::vector<ClosedRow> closed_rows(SQLite::Database& db);

// Accepted addresses that Postfix would look up as `base` too, without their extension (access(5)).
struct Extension {
    mail::Address address;
    bool closed = false;
};
std::vector<Extension> accepted_extensions(SQLite::Database& db, const mail::Address& base,
                                           const std::string& delimiters);
// Whether an address with such an extension was accepted, or ceased to be, after this seq.
bool extensions_changed(SQLite::Database& db, Seq since, const std::string& delimiters);

// Whether a base of this seq names an address that is not accepted any more; how much `learned` has beyond
// it, since when.
struct BaseAge {
    bool holds_removed = false;
    std::int64_t learned = 0;
};
BaseAge base_age(SQLite::Database& db, Seq base_seq);

// The cause of the question about what was adopted, and how long it waits: the directories are read before.
inline constexpr const char* kAdoptedCause = "adopted";
inline constexpr auto kAdoptionPause = std::chrono::hours{1};

// Addresses of tables that this state does not know of (it was lost, or restored from a backup) become
// accepted evidence of unknown age; whoever decides asks about them. Returns how many were new to the state.
std::int64_t adopt(Writer& writer, const std::vector<mail::Address>& addresses, Time now);

// The rejections of a state that is not the tables' own were proved elsewhere: they end, and the next miss
// asks again.
void end_rejections(Writer& writer);

// After a good full reading of all directories: who is listed need not be asked about any more; in these
// domains, which have no callouts, what was adopted counts no more.
void end_adoption(Writer& writer, const std::vector<std::string>& domains, Seq began);

}  // namespace postcensus::store
