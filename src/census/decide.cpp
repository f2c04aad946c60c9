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

constexpr std::array<ReasonWords, 17> kReasons{{
    {Reason::held, "held", "its removal is held by the gate until an operator approves"},
    {Reason::not_relayed, "not-relayed", "no route names its domain"},
    {Reason::configured, "configured", "the configuration accepts it"},
    {Reason::listed, "listed", "the directory lists it"},
    {Reason::unseen, "unseen", "the directory listed it, and does not show that object any more"},
    {Reason::proven, "proven", "a callout proved it deliverable"},
    {Reason::adopted, "adopted",
     "the published tables of a state that was lost accepted it; it is asked about"},
    {Reason::closed_listing, "closed-listing", "the directory says that it refuses outside senders"},
    {Reason::closed_callout, "closed-callout", "the mail server refuses outside senders for it"},
    {Reason::proven_unknown, "proven-unknown",
     "missed by Postfix, then proven unknown by a callout whose controls passed"},
    {Reason::proven_absent, "proven-absent",
     "missed by Postfix, then twice not found in a directory that knows every recipient"},
    {Reason::lease_over, "lease-over", "proven unknown too long ago; the next miss asks again"},
    {Reason::not_missed, "not-missed",
     "proven unknown, but Postfix has not missed it lately, or not since it was last accepted"},
    {Reason::contested, "contested",
     "the directory lists it, and the mail server has refused it more than once"},
    {Reason::postmaster, "postmaster", "the mail server does not know it, but postmaster is never refused"},
    {Reason::accept_all, "accept-all",
     "its mail server accepts every recipient, so a callout proves nothing"},
    {Reason::no_evidence, "no-evidence", "nothing is known of it"},
}};

// Callouts that began after the listings last changed or ended: an older one says nothing about what is
// listed now. Nor does one from before the address was adopted: the tables are newer than that.
std::vector<CalloutFact> current_callouts(const Evidence& evidence) {
    std::vector<CalloutFact> current;
    std::copy_if(evidence.callouts.begin(), evidence.callouts.end(), std::back_inserter(current),
                 [&](const CalloutFact& fact) {
                     return fact.began >= evidence.listed_at && fact.began >= evidence.adopted.value_or(0);
                 });
    return current;
}

bool contested(const Evidence& evidence, const std::vector<CalloutFact>& current, const Policy& policy) {
    if (evidence.listings == 0 || current.empty() || current.back().klass != CalloutClass::unknown)
        return false;
    if (all_unseen(evidence) && current.back().began >= evidence.unseen_at) return true;
    auto first = current.end();
    while (first != current.begin() && std::prev(first)->klass == CalloutClass::unknown) --first;
    return current.back().at - first->at >= policy.confirmation_interval;
}

// A rejection that begins with its proof. Evidence dated after now counts as now, so a clock that was set
// back cannot prolong a lease. Dated far after now, its clock was wrong: counted as now it would begin a new
// lease whenever one ends.
Verdict lease_from(Time proof, Reason reason, const Policy& policy, Time now) {
    if (proof > now + kClockTolerance) return {Answer::unsure, Reason::lease_over, {}};
    const Time ends = std::min(proof, now) + policy.unknown_expire;
    if (ends <= now) return {Answer::unsure, Reason::lease_over, {}};
    return {Answer::reject, reason, ends};
}

// A miss is no reason for ever: what Postfix's own tables know may have changed since. One that is dated far
// behind the proof is of a clock that was ahead: nobody knows how old it is.
bool outdated(const Evidence& evidence, Time proof, const Policy& policy) {
    return evidence.missed_at && std::chrono::abs(proof - *evidence.missed_at) > policy.unknown_expire;
}

// Rule 3: missed, then proven unknown not long ago.
Verdict judge_unknown(const Evidence& evidence, const CalloutFact& proof, const Policy& policy, Time now) {
    if (!evidence.missed || proof.began < *evidence.missed) return {Answer::unsure, Reason::not_missed, {}};
    if (outdated(evidence, proof.at, policy)) return {Answer::unsure, Reason::not_missed, {}};
    if (evidence.postmaster) return {Answer::unsure, Reason::postmaster, {}};
    if (evidence.accept_all) return {Answer::unsure, Reason::accept_all, {}};
    return lease_from(proof.at, Reason::proven_unknown, policy, now);
}

// Rule 3 where the directory is complete: missed, then not found twice, a while apart.
std::optional<Verdict> judge_absent(const Evidence& evidence, const Policy& policy, Time now) {
    if (!policy.directory_complete || !evidence.absence || evidence.directory_doubtful ||
        evidence.listings > 0 || evidence.postmaster || evidence.accept_all || !evidence.missed)
        return std::nullopt;
    const AbsenceFact& absence = *evidence.absence;
    if (absence.first_began < *evidence.missed || absence.first_began < evidence.listed_at ||
        absence.last_at - absence.first_at < policy.confirmation_interval ||
        outdated(evidence, absence.last_at, policy))
        return std::nullopt;
    return lease_from(absence.last_at, Reason::proven_absent, policy, now);
}

Verdict decide_unheld(const Evidence& evidence, const Policy& policy, Time now) {
    if (!evidence.relayed) return {Answer::unsure, Reason::not_relayed, {}};
    if (evidence.operator_accepts) return {Answer::accept, Reason::configured, {}};

    const std::vector<CalloutFact> current = current_callouts(evidence);
    const bool listed = evidence.listings > 0;
    const bool in_conflict = contested(evidence, current, policy);
    const CalloutFact* last = current.empty() ? nullptr : &current.back();
    const bool proven = last != nullptr && last->klass != CalloutClass::unknown;
    const bool adopted = current.empty() && evidence.adopted && *evidence.adopted >= evidence.listed_at;
    if ((listed && !in_conflict) || proven || adopted) {
        if (proven && last->klass == CalloutClass::policy)
            return {Answer::closed, Reason::closed_callout, {}};
        // Of who is not seen any more a callout since then says more than the listing did.
        const bool reopened = proven && all_unseen(evidence) && last->began >= evidence.unseen_at;
        if (listed && !reopened && evidence.closed_listings == evidence.listings)
            return {Answer::closed, Reason::closed_listing, {}};
        if (proven && (!listed || all_unseen(evidence))) return {Answer::accept, Reason::proven, {}};
        if (adopted && !listed) return {Answer::accept, Reason::adopted, {}};
        return {Answer::accept, all_unseen(evidence) ? Reason::unseen : Reason::listed, {}};
    }
    // Of two proofs the one that lasts longer stands: what casts doubt on the other changes nothing.
    const auto absent = judge_absent(evidence, policy, now);
    const bool is_absent = absent && absent->answer == Answer::reject;
    if (last != nullptr) {
        const Verdict verdict = judge_unknown(evidence, *last, policy, now);
        const bool is_unknown = verdict.answer == Answer::reject;
        if (is_unknown && !(is_absent && *absent->until > *verdict.until)) return verdict;
        if (!is_absent && !in_conflict) return verdict;
    }
    if (absent && (is_absent || (last == nullptr && !in_conflict))) return *absent;
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

int rule_of(Reason reason) {
    switch (reason) {
        case Reason::held:
            return 0;
        case Reason::configured:
            return 1;
        case Reason::listed:
        case Reason::unseen:
        case Reason::proven:
        case Reason::adopted:
        case Reason::closed_listing:
        case Reason::closed_callout:
            return 2;
        case Reason::proven_unknown:
        case Reason::proven_absent:
            return 3;
        case Reason::not_relayed:
        case Reason::lease_over:
        case Reason::not_missed:
        case Reason::contested:
        case Reason::postmaster:
        case Reason::accept_all:
        case Reason::no_evidence:
            break;
    }
    return 4;
}

bool all_unseen(const Evidence& evidence) {
    return evidence.listings > 0 && evidence.unseen_listings == evidence.listings;
}

bool contested(const Evidence& evidence, const Policy& policy) {
    return contested(evidence, current_callouts(evidence), policy);
}

Verdict decide(const Evidence& evidence, const Policy& policy, Time now) {
    const Verdict verdict = decide_unheld(evidence, policy, now);
    if (evidence.held && exists(evidence.answered) && !exists(verdict.answer))
        return {evidence.answered, Reason::held, {}};
    return verdict;
}

}  // namespace postcensus::census
