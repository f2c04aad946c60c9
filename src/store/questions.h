// SPDX-License-Identifier: MIT
// Misses, and the queue of what is to be asked. Marks of the log stand here too: a mark moves in the
// transaction that stores what the lines before it said. Every function here runs inside Database::read() or
// write() and may throw SQLite::Exception.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "census/admission.h"
#include "store/addresses.h"
#include "store/database.h"

namespace postcensus::store {

// A question waits until it is due, then stands in one of two lines.
enum class Step { waits = 0, look_up = 1, call_out = 2 };

struct StoredMiss {
    mail::Address recipient;
    std::string client;
    Time at;
    // Where its question begins; waits: nobody can answer it, so there is none.
    Step first = Step::call_out;
    census::Place place = {};
    // Whether a rejection may follow from it. One that is old, or may be, only raises a question: much may
    // have happened since, a virtual alias for one.
    bool counts = true;
    Milliseconds age{0};                              // when it was read
    Milliseconds counts_for = std::chrono::hours{1};  // unknown-expire
};

void record_misses(Writer& writer, const std::vector<StoredMiss>& misses, Time now);

// How many misses are queued, and where the last one of the domain that has most of them stands.
struct MissQueue {
    std::size_t size = 0;
    std::string fullest;
    std::size_t fullest_size = 0;
    census::Place last = {};
};
MissQueue miss_queue(SQLite::Database& db);
// Drops the last ones beyond `most` of the domain that has most, and what else is known of those. Returns how
// many.
std::size_t shorten_queue(Writer& writer, std::size_t most);

std::optional<std::string> load_mark(SQLite::Database& db, const std::string& source);
// Unless somebody else has moved it from where this reader had it (`from`; empty: there was none). False
// then.
bool move_mark(Writer& writer, const std::string& source, const std::string& mark, const std::string& from);

struct Question {
    AddressId id = 0;
    mail::Address address;
    int attempts = 0;
    bool sender_waits = false;
    census::Place place = {};
    std::string client;
};

// Moves those whose time has come into their line; `look_up`: misses begin with a lookup. Without directories
// those that stand there already are called out.
void line_up(Writer& writer, Time now, bool look_up);
// When the next one's time comes.
std::optional<Time> next_due(SQLite::Database& db);

std::vector<std::string> domains_in_line(SQLite::Database& db, Step step);
// The first of a line: those that a sender waits for, or the others.
std::vector<Question> in_line(SQLite::Database& db, Step step, const std::string& domain, bool sender_waits,
                              std::size_t most);
// For each domain the turn that stands first.
std::vector<std::pair<std::string, double>> first_turns(SQLite::Database& db);

// Puts a question that no sender waits for into the queue, or brings it forward; it never delays one.
void ask(Writer& writer, AddressId id, const std::string& cause, Time now, Time due);
// It was looked up in vain.
void call_out(Writer& writer, AddressId id);
// It was not answered: ask again after a pause.
void put_back(Writer& writer, const Question& question, Time now, Milliseconds pause);
// All of a domain that wait because they were not answered are due.
void bring_forward(Writer& writer, const std::string& domain, Time now);
void end_question(Writer& writer, AddressId id);
// How often the question about an address was asked, and not answered.
int times_asked(SQLite::Database& db, AddressId id);

// Whether it still is the address that was asked about: what was dropped meanwhile gets no answer.
bool is_same(SQLite::Database& db, const Question& question);
// Whether a callout that began then says something: its listings have not changed since, nor was it missed
// for the first time.
bool is_news(SQLite::Database& db, AddressId id, Seq began);

}  // namespace postcensus::store
