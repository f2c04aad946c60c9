// SPDX-License-Identifier: MIT
// The rules: from all that is known of one recipient to its answer. One pure function, and the only place
// that decides.
//
// The law it keeps: "don't know" never becomes "no". What an outage said is not evidence (only conclusive
// callouts are), and a rejection is a lease that ends by itself.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "census/evidence.h"

namespace postcensus::census {

// A conclusive callout, and the Seq that was current before its RCPT was sent.
struct CalloutFact {
    CalloutClass klass = CalloutClass::unknown;
    Time at;
    Seq began = 0;
};

// A run of live lookups that found a listed control of the domain and not the address: its first and its
// last.
struct AbsenceFact {
    Time first_at, last_at;
    Seq first_began = 0;
};

struct Evidence {
    Answer answered = Answer::unsure;   // the last answer
    bool held = false;                  // the gate holds its removal
    bool relayed = false;               // its domain is one that a route names
    bool operator_accepts = false;      // named by a route's `accept`
    bool accept_all = false;            // its domain's server accepts every recipient
    bool postmaster = false;            // RFC 5321, 4.5.1: never refused
    int listings = 0;                   // directory objects that list it now
    int closed_listings = 0;            // those that refuse outside senders
    int unseen_listings = 0;            // those of objects that readings do not find any more
    Seq unseen_at = 0;                  // when the last of them was not found
    Seq listed_at = 0;                  // when its listings last changed or ended
    std::optional<Seq> missed;          // the first miss after it was last accepted or closed
    std::optional<Time> missed_at;      // when it was last missed
    std::vector<CalloutFact> callouts;  // conclusive ones, the one that began first in front
    std::optional<AbsenceFact> absence;
    std::optional<Seq> adopted;       // it stood in the published tables of a state that was lost
    bool directory_doubtful = false;  // its domain has unseen objects, or the last full reading failed
};

struct Policy {
    std::chrono::milliseconds unknown_expire{std::chrono::hours{1}};
    std::chrono::milliseconds confirmation_interval{std::chrono::minutes{15}};
    bool directory_complete = false;  // the directory knows every recipient of these domains
};

enum class Reason {
    held,            // the gate holds its removal
    not_relayed,     // no route names its domain
    configured,      // the operator's accept
    listed,          // the directory lists it
    unseen,          // listed, by objects that readings do not find any more
    proven,          // a callout proved it deliverable
    adopted,         // the tables of a lost state accepted it, and nothing has been proved since
    closed_listing,  // every listing of it refuses outside senders
    closed_callout,  // the server refuses outside senders for it
    proven_unknown,  // missed, then proven unknown, and the lease runs
    proven_absent,   // missed, then twice not found in a directory that knows every recipient
    lease_over,      // was proven unknown, too long ago
    not_missed,      // proven unknown, but Postfix has not missed it since it was last accepted
    contested,       // listed, and proven unknown more than once
    postmaster,      // proven unknown, but never refused
    accept_all,      // its server accepts every recipient: nothing can be proved
    no_evidence,
};
std::string_view name_of(Reason reason);
std::optional<Reason> parse_reason(std::string_view name);
// The rule behind it, of those by which decide() goes: the first that fits (docs/flow.md).
int rule_of(Reason reason);
// For people: "the directory lists it".
std::string_view explain(Reason reason);

struct Verdict {
    Answer answer = Answer::unsure;
    Reason reason = Reason::no_evidence;
    std::optional<Time> until;  // when the answer changes by itself
    bool operator==(const Verdict&) const = default;
};

Verdict decide(const Evidence& evidence, const Policy& policy, Time now);

// accept and closed: the recipient exists, and its address stands in the acceptance tables.
constexpr bool exists(Answer answer) {
    return answer == Answer::accept || answer == Answer::closed;
}

// Listed, but every conclusive callout since the last deliverable or policy said unknown, the first and the
// last at least a confirmation interval apart. Where no reading finds the objects that list it any more, one
// such callout after that is enough.
bool contested(const Evidence& evidence, const Policy& policy);

// Listed, and only by objects that readings do not find any more.
bool all_unseen(const Evidence& evidence);

}  // namespace postcensus::census
