// SPDX-License-Identifier: MIT
// What the audit shows: plain values, filled by store/, written by audit/. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "census/decide.h"

namespace postcensus::census {

struct DomainCounts {
    std::string domain;
    std::int64_t listed = 0;    // addresses that a directory lists
    std::int64_t accepted = 0;  // that Postfix accepts, closed ones included
    std::int64_t learned = 0;   // accepted because a callout proved them
    std::int64_t closed = 0;
    std::int64_t unknown = 0;  // rejected now
    std::int64_t held = 0;     // removals that the gate holds
    std::int64_t misses = 0;   // in the period
    std::int64_t missed = 0;   // distinct recipients of them
    bool accept_all = false;
};

struct ReadingLine {
    std::string directory, kind, server, outcome;
    Time began, ended;
    std::int64_t added = 0, removed = 0;
    bool good = true;
};

struct ChangeLine {
    std::string address;
    Time at;
    std::string from, to, reason, cause;
};

// A recipient that has stayed unsure for over an hour while its senders come back: mail waits.
struct WaitingLine {
    std::string address;
    Time first, last;
    std::int64_t misses = 0;
    std::string reason;
    std::string last_callout;  // class and reply, or empty
};

// A removal that waits for an operator.
struct HoldLine {
    std::int64_t number = 0;  // what `approve` takes
    std::string address, directory, object, cause;
    Time at;
};

// An object that readings do not find any more, and nothing says that it is gone.
struct UnseenLine {
    std::string directory, object, address;  // one of its addresses
};

// What an operator, or failsafe, did.
struct CommandLine {
    std::string name, user, words;
    Time at;
};

struct TableLine {
    std::string table;
    std::int64_t generation = 0, entries = 0;
    Time at;
    std::optional<Time> until;
};

struct Report {
    Time since, until;
    std::vector<DomainCounts> domains;
    std::int64_t elsewhere = 0;  // listed addresses in domains that no route names
    std::vector<WaitingLine> waiting;
    std::vector<HoldLine> held;  // the first ones
    std::int64_t held_total = 0;
    std::vector<UnseenLine> unseen;  // the first ones
    std::int64_t unseen_total = 0;
    std::vector<ReadingLine> readings;
    std::map<std::string, std::int64_t> counters;
    std::vector<ChangeLine> changes;  // the newest ones
    std::int64_t changes_total = 0;
    std::vector<CommandLine> commands;  // the newest ones
    std::vector<TableLine> tables;
};

// One piece of evidence of explain, or one line of what will happen, or of history.
struct ExplanationLine {
    std::string what;
    std::optional<Time> at;
};

struct Explanation {
    std::string address;
    Answer answer = Answer::unsure;
    std::string table;  // the one that gives the answer, or empty
    Reason reason = Reason::no_evidence;
    bool known = false;  // whether the state has ever heard of it
    std::vector<ExplanationLine> evidence, next, history;
    // What Postfix itself finds: the value, nothing for not found; an unreadable table is named in `trouble`.
    std::map<std::string, std::optional<std::string>> postfix;
    std::vector<std::string> trouble;
};

}  // namespace postcensus::census
