// SPDX-License-Identifier: MIT
// Counts for the report, and the end of what is kept for it. Every function here runs inside
// Database::write() and may throw SQLite::Exception.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "store/addresses.h"
#include "store/database.h"

namespace postcensus::store {

// Adds to a count of the report and the metrics. `label`: of which server or table, where there are several.
void count(Writer& writer, const std::string& name, Time now, std::int64_t number,
           const std::string& label = {});

// What a recipient waited from its first miss until it was accepted. Counted as "learned", labelled by the
// seconds of the first of census::kLearnSteps that it did not exceed ("more" if none), and as the sum
// "learned-ms".
void count_learned(Writer& writer, Milliseconds waited, Time now);

// Misses of this network became no question. Only so many networks an hour have a row of their own; the
// others share one without a name.
void note_harvest(Writer& writer, const std::string& network, Time now, std::int64_t suppressed);

// The size of the census: one row an hour, the last one of it.
void note_size(Writer& writer, Time now);

// Whether `watch` finds the log of Postfix, for the report: since when it does not.
void note_log(Writer& writer, bool present, Time now);

// A line of the log that looks like one of Postfix's and is not understood: the last one, as an example.
void note_strange_line(Writer& writer, const std::string& line, Time now);
struct StrangeLine {
    std::string line;  // printable, and bounded
    Time at;           // when it was met
};
std::optional<StrangeLine> load_strange_line(SQLite::Database& db);

// What an operator, failsafe or the decider did beside the flow.
struct CommandRun {
    std::string name;   // approve, forget, failsafe, decider
    std::string user;   // who ran it
    std::string words;  // to what, and how much of it
};
void note_command(Writer& writer, const CommandRun& run, Time now);

// Drops history that is over: 400 days of recipients that were ever accepted, 14 of others.
void prune(Writer& writer, Time now);
// Before it, for a thread that has no time: at most `piece` of the misses, which may be a million. True if
// there may be more.
bool prune_misses(Writer& writer, Time now, std::size_t piece);

// Strangers choose the names that are missed: of those that were never accepted only the last `most` are
// kept, and those that something is to be done about. The newest that goes, if there are more than that.
std::optional<AddressId> newest_of_too_many_strangers(SQLite::Database& db, std::size_t most);
// Drops those up to it, at most `piece`.
void prune_strangers(Writer& writer, AddressId newest, std::size_t piece);

// Drops what is known of an address, unless it is more than that it was missed.
void forget_missed(Writer& writer, AddressId id);

}  // namespace postcensus::store
