// SPDX-License-Identifier: MIT
// Misses, callouts, and the queue of what is to be asked. Marks of the log stand here too: a mark moves in
// the transaction that stores what the lines before it said. Every function here runs inside Database::read()
// or write() and may throw SQLite::Exception.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "census/pacing.h"
#include "store/addresses.h"
#include "store/database.h"

namespace postcensus::store {

struct StoredMiss {
    mail::Address recipient;
    std::string client;
    Time at;
    bool ask = true;  // whether a callout can answer it
};

void record_misses(Writer& writer, const std::vector<StoredMiss>& misses, Time now);

std::optional<std::string> load_mark(SQLite::Database& db, const std::string& source);
// Unless somebody else has moved it from where this reader had it (`from`; empty: there was none). False
// then.
bool move_mark(Writer& writer, const std::string& source, const std::string& mark, const std::string& from);

struct Question {
    AddressId id = 0;
    mail::Address address;
    std::string cause;
    int attempts = 0;
};

// Questions that are due, those of waiting senders first.
std::vector<Question> due_questions(SQLite::Database& db, Time now, std::size_t most);
std::optional<Time> next_due(SQLite::Database& db);

// Puts a question into the queue, or brings it forward; it never delays one.
void ask(Writer& writer, AddressId id, const std::string& cause, Time now, Time due);
// It was not answered: ask again later.
void put_back(Writer& writer, const Question& question, Time due);
void end_question(Writer& writer, AddressId id);

// Known-good controls of a domain: addresses that a directory lists, not closed; then those that a callout
// proved.
std::vector<mail::Address> known_good(SQLite::Database& db, const std::string& domain, std::size_t most);

// Stores what a callout said; a conclusive one makes the address undecided. Keeps a bounded number for each
// address.
void record_callout(Writer& writer, AddressId id, const census::CalloutOutcome& outcome, Seq began, Time at);

// What was learned of a server, host:port.
census::Refusals load_refusals(SQLite::Database& db, const std::string& target);
void save_refusals(Writer& writer, const std::string& target, const census::Refusals& refusals);

// Adds to a count of the report.
void count(Writer& writer, const std::string& name, Time now, std::int64_t number);

// Drops history that is over: misses and events of addresses that were never accepted after `other`, of all
// others after `accepted`.
void prune(Writer& writer, Time now);

}  // namespace postcensus::store
