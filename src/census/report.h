// SPDX-License-Identifier: MIT
// What the audit shows: plain values, filled by store/ and audit/, written by audit/. Pure. Lists are
// bounded; where one is, its total stands beside it. Texts come from strangers: whoever writes them out makes
// them harmless first.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "census/decide.h"

namespace postcensus::census {

// --- a report

// Of recipients that were accepted after a miss: how long that took from the first miss.
struct WaitTimes {
    std::int64_t count = 0;
    Milliseconds median{}, p95{};
};

struct DomainCounts {
    std::string domain;
    std::int64_t accepted = 0;  // that Postfix accepts, closed ones included
    std::int64_t listed = 0;    // of these: because a directory lists them
    std::int64_t learned = 0;   // because a callout proved them
    std::int64_t other = 0;     // for another reason: the configuration, a hold
    std::int64_t closed = 0;    // of the accepted ones
    std::int64_t unknown = 0;   // rejected now
    std::int64_t held = 0;      // removals that wait for an operator
    // In the period:
    std::int64_t misses = 0;    // those that are kept: of each recipient the first, and the last few
    std::int64_t missed = 0;    // distinct recipients of them
    std::int64_t came = 0;      // distinct addresses that became accepted, after the first reading
    std::int64_t left = 0;      // that stopped being so
    std::int64_t rejected = 0;  // that were proved unknown
    bool accept_all = false;    // its server accepts every recipient, where callouts are to prove them
    WaitTimes waits;
};

// A recipient that has been unsure for over an hour while its senders come back: mail waits.
struct WaitingLine {
    std::string address;
    Time first, last;
    std::int64_t misses = 0;  // that are kept
    std::string reason;
    std::string last_callout;  // class and reply, or empty
};

// The same of all domains, and how it spreads.
struct LearnTimes : WaitTimes {
    Milliseconds longest{};
    std::vector<std::int64_t> histogram;  // up to each of kLearnSteps, and beyond
};
constexpr Milliseconds kLearnSteps[] = {
    Milliseconds(1000),       Milliseconds(2000),      Milliseconds(5000),    Milliseconds(15'000),
    Milliseconds(60'000),     Milliseconds(300'000),   Milliseconds(900'000), Milliseconds(3'600'000),
    Milliseconds(14'400'000), Milliseconds(86'400'000)};

// A recipient that a callout proved, and that no directory lists.
struct GapLine {
    std::string address;
    Time at;           // of the proof
    std::string kind;  // what it may be
};

// A recipient that a directory lists, and the server refuses.
struct ConflictLine {
    std::string address;
    std::string object;  // DN
    Time at;             // of the last refusal
    std::string target, reply;
    bool refused = false;  // more than once, and no longer accepted
    bool unseen = false;   // no reading finds the objects that listed it: it may have left
};

// A recipient that was accepted and whose mail the server refused: backscatter that got out.
struct BounceLine {
    std::string address, host, reply;  // host and reply are those of the last one of all
    Time first, last;                  // in the period, as is
    std::int64_t count = 0;            // by whole hours
    std::string answer;                // what it is now
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

// A value that was meant for an address, and is none.
struct MistypedLine {
    std::string directory, object, value, why;
};

struct DirectoryLine {
    std::string name;
    std::int64_t listed = 0;
    std::optional<Time> last_good;   // the end of the last reading that was applied, or of the last poll
    std::optional<Time> last_full;   // that was applied
    std::optional<Time> away_since;  // the server that we follow does not answer
    std::optional<std::string> full_failure;  // why the last full reading that was tried was not applied
    std::string outcome;                      // of the last reading
};
// A full reading that is older is late: `sync` reads everything once a day.
constexpr std::chrono::hours kFullStale{48};

struct ReadingLine {
    std::string directory, kind, server, outcome;
    Time began, ended;
    std::int64_t added = 0, removed = 0;
    std::int64_t held = 0;  // of the removed ones: that the gate held
    bool good = true;
};

// A server that is asked by callouts.
struct TargetLine {
    std::string target;
    std::map<std::string, std::int64_t> classes;  // answers in the period
    std::int64_t sessions = 0;
    Milliseconds tarpit{};
    std::int64_t most_refused = 0;         // RCPTs that may be refused in a session; 0: not learned yet
    std::optional<std::int64_t> limit_at;  // the refusal at which it ended one
};

// Callouts that are stopped, or were.
struct BreakerLine {
    std::string target;
    std::string domain;  // empty: all
    Time since;
    std::string reason;
    std::optional<Time> ended = {};
};

struct NetworkLine {
    std::string network;
    std::int64_t missed = 0;      // distinct recipients that are not accepted
    std::int64_t suppressed = 0;  // misses that became no question; not counted by domain
};

struct TableLine {
    std::string table;
    std::int64_t generation = 0, entries = 0;
    std::int64_t published = 0;  // in the period
    Time at;
    std::optional<Time> until;
};

struct ChangeLine {
    std::string address;
    Time at;
    std::string from, to, reason, cause;
    std::optional<Milliseconds> waited;  // an acceptance: since its first miss
};

// What an operator, failsafe or the decider did beside the flow.
struct CommandLine {
    std::string name, user, words;
    Time at;
};

// What happened in one step of the period. Changes, not addresses: one may have come and left several times.
struct Step {
    Time at;                      // its begin
    std::int64_t misses = 0;      // in the log
    std::int64_t suppressed = 0;  // of these: that became no question
    std::int64_t asked = 0;       // rejections of ours that were used
    std::int64_t came = 0, left = 0, rejected = 0;
    std::map<std::string, std::int64_t> callouts;  // by class
};

struct SizePoint {
    Time at;
    std::int64_t listed = 0, learned = 0, other = 0, closed = 0, rejected = 0;
};

// Something that an operator has to look at.
struct Attention {
    std::string what;   // a word for programs: waiting, held, reading, away, breaker, accept-all, …
    std::string words;  // for people
};

struct Report {
    Time since, until, made;
    std::string domain;  // empty: all; else domains, waiting, … are this one's alone
    bool ended = false;  // no route names that one any more
    std::vector<Attention> attention;
    std::vector<DomainCounts> domains;
    std::int64_t elsewhere = 0;       // known addresses in domains that no route names
    bool unwatched = false;           // no `watch` runs: nobody follows the log, asks, or renews leases
    std::optional<Time> log_missing;  // since when `watch` does not find the log
    std::optional<std::string> strange_line;  // the last line of the log that was not understood, ever

    std::vector<WaitingLine> waiting;
    std::int64_t waiting_total = 0;
    LearnTimes learned;
    std::vector<GapLine> gaps;
    std::int64_t gaps_total = 0;
    std::vector<ConflictLine> conflicts;
    std::int64_t conflicts_total = 0;
    std::int64_t conflicts_unseen = 0;  // of these: that no directory shows any more
    std::vector<BounceLine> bounces;
    std::int64_t bounces_total = 0;  // recipients
    std::vector<HoldLine> held;
    std::int64_t held_total = 0;
    std::vector<UnseenLine> unseen;
    std::int64_t unseen_total = 0;
    std::vector<MistypedLine> mistyped;
    std::int64_t mistyped_total = 0;

    std::vector<DirectoryLine> directories;
    std::vector<ReadingLine> readings;  // the newest ones, without good lookups of single addresses
    std::int64_t readings_total = 0, readings_failed = 0;
    std::int64_t lookups = 0;                      // the good ones
    std::map<std::string, std::int64_t> callouts;  // answers by class
    std::vector<TargetLine> targets;               // the busiest ones
    std::int64_t targets_total = 0;
    std::vector<BreakerLine> breakers;  // now: all of them
    std::vector<BreakerLine> stops;     // that ended in the period, or after it and began before its end
    std::int64_t stops_total = 0;
    std::vector<NetworkLine> networks;
    std::int64_t questions = 0;                    // in the queue now
    std::int64_t lapsed = 0;                       // rejections that ended by themselves
    std::map<std::string, std::int64_t> counters;  // misses, misses-suppressed, lines-cut, log-gaps, …
    std::vector<TableLine> tables;
    std::vector<std::string> unpublished;  // tables that have never been put out

    std::vector<ChangeLine> changes;  // the newest ones
    std::int64_t changes_total = 0;
    std::vector<CommandLine> commands;  // the newest ones
    std::int64_t commands_total = 0;
    std::int64_t failsafe_runs = 0;  // of these: tables that failsafe emptied
    std::string last_failsafe;       // what it said of the last one

    Milliseconds step{};  // the length of each of
    std::vector<Step> steps;
    std::vector<SizePoint> sizes;
};

// What in it an operator has to look at, what matters most in front. Empty: nothing.
std::vector<Attention> attention_of(const Report& report);

// --- an explanation

// A piece of evidence, something that will happen, or a line of history.
struct ExplanationLine {
    std::string kind;  // a word for programs
    std::string what;  // for people
    std::optional<Time> at;
    std::map<std::string, std::string> facts = {};  // for programs: dn, server, reply, …
};

struct Explanation {
    std::string address;
    Answer answer = Answer::unsure;
    std::string table;  // the one that gives the answer (closed: to strangers), or empty
    Reason reason = Reason::no_evidence;
    bool known = false;  // whether the state has ever heard of it
    std::string
        through;  // the entry that answers for it: its address without extension, or @domain; or empty
    std::vector<ExplanationLine> evidence, next, history;
    std::int64_t history_more = 0;  // changes that are older than those, and left out
    // What Postfix itself finds in each table, and under which key; no value: not found. A table that could
    // not be asked is missing here, and named in `trouble`.
    struct Found {
        std::string key, value;
    };
    std::map<std::string, std::optional<Found>> postfix;
    std::vector<std::string> trouble;
};

// Why it has this answer, for people.
std::string_view words_of(const Explanation& explanation);
// Whether it is about a domain that has no catch-all: then the answer says nothing of its recipients.
bool lacks_catch_all(const Explanation& explanation);

}  // namespace postcensus::census
