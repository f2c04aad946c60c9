// SPDX-License-Identifier: MIT
#include "census/decide.h"

#include <algorithm>
#include <array>
#include <utility>

namespace postcensus::census {
namespace {

// Clocks are set a little now and then.
constexpr std::chrono::minutes kClockTolerance{1};

struct ReasonWords {
    Reason reason;
    std::string_view name;
    std::string_view words;
};

constexpr std::array<ReasonWords, 14> kReasons{{
    {Reason::held, "held", "its removal is held by the gate until an operator approves"},
    {Reason::not_relayed, "not-relayed", "no route names its domain"},
    {Reason::configured, "configured", "the configuration accepts it"},
    {Reason::listed, "listed", "the directory lists it"},
    {Reason::proven, "proven", "a callout proved it deliverable"},
    {Reason::closed_listing, "closed-listing", "the directory says that it refuses outside senders"},
    {Reason::closed_callout, "closed-callout", "the mail server refuses outside senders for it"},
    {Reason::proven_unknown, "proven-unknown",
     "missed by Postfix, then proven unknown by a callout whose controls passed"},
    {Reason::lease_over, "lease-over", "proven unknown too long ago; the next miss asks again"},
    {Reason::not_missed, "not-missed",
     "proven unknown, but Postfix has not missed it since it was last accepted"},
    {Reason::contested, "contested",
     "the directory lists it, and the mail server has refused it more than once"},
    {Reason::postmaster, "postmaster", "the mail server does not know it, but postmaster is never refused"},
    {Reason::accept_all, "accept-all",
     "its mail server accepts every recipient, so a callout proves nothing"},
    {Reason::no_evidence, "no-evidence", "nothing is known of it"},
}};

// Callouts that began after the listings last changed or ended: an older one says nothing about what is
// listed now.
std::vector<CalloutFact> current_callouts(const Evidence& evidence) {
    std::vector<CalloutFact> current;
    std::copy_if(evidence.callouts.begin(), evidence.callouts.end(), std::back_inserter(current),
                 [&](const CalloutFact& fact) { return fact.began >= evidence.listed_at; });
    return current;
}

bool contested(const std::vector<CalloutFact>& current, bool listed, const Policy& policy) {
    if (!listed || current.empty() || current.back().klass != CalloutClass::unknown) return false;
    auto first = current.end();
    while (first != current.begin() && std::prev(first)->klass == CalloutClass::unknown) --first;
    return current.back().at - first->at >= policy.confirmation_interval;
}

// Rule 3: missed, then proven unknown not long ago.
Verdict judge_unknown(const Evidence& evidence, const CalloutFact& proof, const Policy& policy, Time now) {
    if (!evidence.missed || proof.began < *evidence.missed) return {Answer::unsure, Reason::not_missed, {}};
    if (evidence.postmaster) return {Answer::unsure, Reason::postmaster, {}};
    if (evidence.accept_all) return {Answer::unsure, Reason::accept_all, {}};
    // Evidence dated after now counts as now, so a clock that was set back cannot prolong a lease. Dated far
    // after now, its clock was wrong: counted as now it would begin a new lease whenever one ends.
    if (proof.at > now + kClockTolerance) return {Answer::unsure, Reason::lease_over, {}};
    const Time ends = std::min(proof.at, now) + policy.unknown_expire;
    if (ends <= now) return {Answer::unsure, Reason::lease_over, {}};
    return {Answer::reject, Reason::proven_unknown, ends};
}

Verdict decide_unheld(const Evidence& evidence, const Policy& policy, Time now) {
    if (!evidence.relayed) return {Answer::unsure, Reason::not_relayed, {}};
    if (evidence.operator_accepts) return {Answer::accept, Reason::configured, {}};

    const std::vector<CalloutFact> current = current_callouts(evidence);
    const bool listed = evidence.listings > 0;
    const bool in_conflict = contested(current, listed, policy);
    const CalloutFact* last = current.empty() ? nullptr : &current.back();
    const bool proven = last != nullptr && last->klass != CalloutClass::unknown;
    if ((listed && !in_conflict) || proven) {
        if (proven && last->klass == CalloutClass::policy)
            return {Answer::closed, Reason::closed_callout, {}};
        if (listed && evidence.closed_listings == evidence.listings)
            return {Answer::closed, Reason::closed_listing, {}};
        return {Answer::accept, listed ? Reason::listed : Reason::proven, {}};
    }
    if (last != nullptr) {
        const Verdict verdict = judge_unknown(evidence, *last, policy, now);
        if (verdict.answer == Answer::reject || !in_conflict) return verdict;
    }
    if (in_conflict) return {Answer::unsure, Reason::contested, {}};
    return {Answer::unsure, evidence.accept_all ? Reason::accept_all : Reason::no_evidence, {}};
}

}  // namespace

std::string_view name_of(Reason reason) {
    for (const ReasonWords& entry : kReasons)
        if (entry.reason == reason) return entry.name;
    return "?";
}

std::optional<Reason> parse_reason(std::string_view name) {
    for (const ReasonWords& entry : kReasons)
        if (entry.name == name) return entry.reason;
    return std::nullopt;
}

std::string_view explain(Reason reason) {
    for (const ReasonWords& entry : kReasons)
        if (entry.reason == reason) return entry.words;
    return "?";
}

bool contested(const Evidence& evidence, const Policy& policy) {
    return contested(current_callouts(evidence), evidence.listings > 0, policy);
}

Verdict decide(const Evidence& evidence, const Policy& policy, Time now) {
    const Verdict verdict = decide_unheld(evidence, policy, now);
    if (evidence.held && exists(evidence.answered) && !exists(verdict.answer))
        return {evidence.answered, Reason::held, {}};
    return verdict;
}

}  // namespace postcensus::census
