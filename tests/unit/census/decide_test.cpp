// SPDX-License-Identifier: MIT
#include "census/decide.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "catch.h"

using namespace postcensus;
using namespace postcensus::census;
using namespace std::chrono_literals;

namespace {

constexpr auto kDeliverable = CalloutClass::deliverable;
constexpr auto kUnknown = CalloutClass::unknown;
constexpr auto kPolicy = CalloutClass::policy;
constexpr Policy kRules;  // an hour, and 15 minutes
const Time kNow = from_unix_ms(1'700'000'000'000);

// Its listings changed at 10. Callouts of 5 began before, those of 12 and 20 after it.
Evidence relayed() {
    return {.relayed = true, .listed_at = 10};
}

Evidence with(Evidence evidence, std::vector<CalloutFact> callouts) {
    evidence.callouts = std::move(callouts);
    return evidence;
}

Evidence listed(int listings, int closed, std::vector<CalloutFact> callouts = {}) {
    Evidence evidence = with(relayed(), std::move(callouts));
    evidence.listings = listings;
    evidence.closed_listings = closed;
    return evidence;
}

Evidence missed(Seq seq, std::vector<CalloutFact> callouts) {
    Evidence evidence = with(relayed(), std::move(callouts));
    evidence.missed = seq;
    return evidence;
}

Evidence held(Answer answered, Evidence evidence) {
    evidence.held = true;
    evidence.answered = answered;
    return evidence;
}

// Sets one of the facts that are yes or no.
Evidence set(bool Evidence::*fact, bool value, Evidence evidence) {
    evidence.*fact = value;
    return evidence;
}

Evidence adopted_at(Seq seq, Evidence evidence) {
    evidence.adopted = seq;
    return evidence;
}

std::string describe(const Evidence& evidence) {
    std::string text = fmt::format(
        "relayed {} operator {} held {} answered {} listings {}/{} missed {} accept-all {} postmaster {}:",
        evidence.relayed, evidence.operator_accepts, evidence.held, name_of(evidence.answered),
        evidence.closed_listings, evidence.listings, evidence.missed.value_or(-1), evidence.accept_all,
        evidence.postmaster);
    for (const CalloutFact& fact : evidence.callouts)
        text += fmt::format(" {}@{}({} s)", name_of(fact.klass), fact.began, (fact.at - kNow).count() / 1000);
    return text;
}

// The rules once more, in another way: one pass forward over the callouts, then the rules by number.
Verdict expected(const Evidence& evidence, const Policy& policy, Time now) {
    const CalloutFact* last = nullptr;
    const CalloutFact* first_unknown = nullptr;
    for (const CalloutFact& fact : evidence.callouts) {
        if (fact.began < evidence.listed_at || (evidence.adopted && fact.began < *evidence.adopted)) continue;
        last = &fact;
        if (fact.klass != kUnknown)
            first_unknown = nullptr;
        else if (first_unknown == nullptr)
            first_unknown = &fact;
    }
    const bool unseen = evidence.listings > 0 && evidence.listings == evidence.unseen_listings;
    const bool in_conflict = evidence.listings > 0 && first_unknown != nullptr &&
                             (last->at - first_unknown->at >= policy.confirmation_interval ||
                              (unseen && last->began >= evidence.unseen_at));
    const bool by_callout = last != nullptr && last->klass != kUnknown;
    const bool may_reject = evidence.missed && !evidence.postmaster && !evidence.accept_all;
    const auto lease = [&](Time proof) -> std::optional<Time> {
        if (proof - now > 1min) return std::nullopt;
        const Time ends = (proof < now ? proof : now) + policy.unknown_expire;
        return ends > now ? std::optional(ends) : std::nullopt;
    };

    const Verdict free = [&]() -> Verdict {
        if (!evidence.relayed) return {Answer::unsure, Reason::not_relayed, {}};
        if (evidence.operator_accepts) return {Answer::accept, Reason::configured, {}};
        if (by_callout || (evidence.listings > 0 && !in_conflict)) {
            if (by_callout && last->klass == kPolicy) return {Answer::closed, Reason::closed_callout, {}};
            if (evidence.listings > 0 && evidence.closed_listings == evidence.listings &&
                !(unseen && by_callout && last->began >= evidence.unseen_at))
                return {Answer::closed, Reason::closed_listing, {}};
            if (evidence.listings == 0 || (unseen && by_callout)) return {Answer::accept, Reason::proven, {}};
            return {Answer::accept, unseen ? Reason::unseen : Reason::listed, {}};
        }
        if (last == nullptr && evidence.adopted && *evidence.adopted >= evidence.listed_at)
            return {Answer::accept, Reason::adopted, {}};
        std::optional<Time> absent_until;
        bool absence_over = false;
        if (policy.directory_complete && may_reject && evidence.absence && evidence.listings == 0 &&
            !evidence.directory_doubtful && evidence.absence->first_began >= *evidence.missed &&
            evidence.absence->first_began >= evidence.listed_at &&
            evidence.absence->last_at - evidence.absence->first_at >= policy.confirmation_interval &&
            !(evidence.missed_at &&
              (*evidence.missed_at + policy.unknown_expire < evidence.absence->last_at ||
               evidence.absence->last_at + policy.unknown_expire < *evidence.missed_at)))
            absence_over = !(absent_until = lease(evidence.absence->last_at));
        if (last == nullptr && absent_until) return {Answer::reject, Reason::proven_absent, absent_until};
        if (last == nullptr && absence_over) return {Answer::unsure, Reason::lease_over, {}};
        if (last == nullptr)
            return {Answer::unsure, evidence.accept_all ? Reason::accept_all : Reason::no_evidence, {}};
        const bool after_miss =
            evidence.missed && last->began >= *evidence.missed &&
            !(evidence.missed_at && (*evidence.missed_at + policy.unknown_expire < last->at ||
                                     last->at + policy.unknown_expire < *evidence.missed_at));
        if (after_miss && may_reject)
            if (const auto until = lease(last->at); until >= absent_until && until)
                return {Answer::reject, Reason::proven_unknown, until};
        if (absent_until) return {Answer::reject, Reason::proven_absent, absent_until};
        if (in_conflict) return {Answer::unsure, Reason::contested, {}};
        if (!after_miss) return {Answer::unsure, Reason::not_missed, {}};
        if (evidence.postmaster) return {Answer::unsure, Reason::postmaster, {}};
        return {Answer::unsure, evidence.accept_all ? Reason::accept_all : Reason::lease_over, {}};
    }();
    if (evidence.held && exists(evidence.answered) && !exists(free.answer))
        return {evidence.answered, Reason::held, {}};
    return free;
}

std::string outages_change(const Evidence& evidence, const Policy& policy, const Verdict& verdict, Time now);

// What must never be, whatever the rules say. Empty if all is well.
std::string broken_law(const Evidence& evidence, const Policy& policy, Time now) {
    const Verdict verdict = decide(evidence, policy, now);
    if (verdict != expected(evidence, policy, now)) return "another verdict than the rules give";
    if (evidence.held && exists(evidence.answered) && !exists(verdict.answer))
        return "a held removal went out";
    if ((verdict.reason == Reason::held) && verdict.answer != evidence.answered)
        return "a hold changed the answer";
    if (verdict.until && verdict.answer != Answer::reject) return "an end for what has none";
    if (verdict.answer == Answer::reject) {
        if (!evidence.relayed || evidence.operator_accepts || evidence.postmaster || evidence.accept_all)
            return "rejected by no right";
        if (!evidence.missed) return "rejected without a miss";
        if (evidence.listings > 0 && !contested(evidence, policy)) return "rejected although it is listed";
        if (!verdict.until || *verdict.until <= now) return "a lease that is over";
        if (*verdict.until > now + policy.unknown_expire) return "a lease that is too long";
        if (decide(evidence, policy, *verdict.until - 1ms).answer != Answer::reject)
            return "the lease ends early";
    }
    for (const Milliseconds shift : {Milliseconds(-720h), Milliseconds(-2h), Milliseconds(-1min),
                                     Milliseconds(1min), Milliseconds(2h), Milliseconds(720h)}) {
        const Verdict then = decide(evidence, policy, now + shift);
        if (exists(verdict.answer) && then != verdict) return "an accepted recipient hangs on the clock";
        if (!exists(verdict.answer) && exists(then.answer)) return "the clock accepts a recipient";
        if (then.until && *then.until > now + shift + policy.unknown_expire)
            return "the clock prolongs a rejection";
    }
    return outages_change(evidence, policy, verdict, now);
}

// What an outage adds: callouts that say nothing are not among the evidence at all (the state's test has
// them); a server that accepts all, a removal that is held, a reading that failed, objects that are not
// found.
std::string outages_change(const Evidence& evidence, const Policy& policy, const Verdict& verdict, Time now) {
    std::vector<std::pair<std::string, Evidence>> outages;
    outages.emplace_back("accept-all", set(&Evidence::accept_all, true, evidence));
    outages.emplace_back("a failed reading", set(&Evidence::directory_doubtful, true, evidence));
    outages.emplace_back("a hold", held(evidence.answered, evidence));
    if (evidence.listings > 0 && evidence.unseen_listings == 0) {
        Evidence unseen = evidence;
        unseen.unseen_listings = unseen.listings;
        unseen.unseen_at = 30;  // after all callouts
        outages.emplace_back("objects out of sight", unseen);
    }
    for (const auto& [name, with_outage] : outages) {
        const Verdict then = decide(with_outage, policy, now);
        if (exists(verdict.answer) && then.answer != verdict.answer) return name + " takes a recipient away";
        if (then.answer == Answer::reject && verdict.answer != Answer::reject) return name + " rejects";
        if (then.answer == Answer::reject && *then.until > *verdict.until)
            return name + " prolongs a rejection";
    }
    return {};
}

// Each begins `age` before now, the last one being of that age.
std::vector<std::vector<CalloutFact>> sequences(Milliseconds age) {
    const Time last = kNow - age;
    return {{},
            {{kDeliverable, last, 5}},
            {{kUnknown, last, 5}},
            {{kPolicy, last, 5}},
            {{kDeliverable, last, 12}},
            {{kUnknown, last, 12}},
            {{kUnknown, last, 10}},
            {{kPolicy, last, 12}},
            {{kUnknown, last - 14min, 12}, {kUnknown, last, 20}},
            {{kUnknown, last - 15min, 12}, {kUnknown, last, 20}},
            {{kUnknown, last - 15min, 5}, {kUnknown, last, 20}},
            {{kUnknown, last - 30min, 12}, {kUnknown, last - 14min, 13}, {kUnknown, last, 20}},
            {{kDeliverable, last - 16min, 12}, {kUnknown, last, 20}},
            {{kUnknown, last - 16min, 11}, {kDeliverable, last - 8min, 12}, {kUnknown, last, 20}},
            {{kPolicy, last - 30min, 11}, {kUnknown, last - 16min, 12}, {kUnknown, last, 20}},
            {{kUnknown, last - 16min, 11}, {kUnknown, last - 8min, 12}, {kDeliverable, last, 20}},
            {{kUnknown, last - 16min, 12}, {kPolicy, last, 20}}};
}

}  // namespace

TEST_CASE("the first rule that fits decides", "[census][decide]") {
    const Time ago = kNow - 10min;
    const std::vector<CalloutFact> unknown{{kUnknown, ago, 12}};
    const std::vector<CalloutFact> conflict{{kUnknown, ago - 20min, 12}, {kUnknown, ago, 20}};
    struct Case {
        const char* name;
        Evidence evidence;
        Answer answer;
        Reason reason;
    };
    const std::vector<Case> cases{
        // 0: the gate
        {"held, gone", held(Answer::accept, relayed()), Answer::accept, Reason::held},
        {"held, closed and gone", held(Answer::closed, relayed()), Answer::closed, Reason::held},
        {"held, proven unknown", held(Answer::accept, missed(11, unknown)), Answer::accept, Reason::held},
        {"held, domain gone", held(Answer::accept, {}), Answer::accept, Reason::held},
        {"held, but back", held(Answer::accept, listed(1, 0)), Answer::accept, Reason::listed},
        {"held, back as closed", held(Answer::accept, listed(1, 1)), Answer::closed, Reason::closed_listing},
        // before all others: no route
        {"not relayed", set(&Evidence::relayed, false, listed(1, 0)), Answer::unsure, Reason::not_relayed},
        {"not relayed, configured", set(&Evidence::operator_accepts, true, {}), Answer::unsure,
         Reason::not_relayed},
        // 1: the operator
        {"configured", set(&Evidence::operator_accepts, true, missed(11, unknown)), Answer::accept,
         Reason::configured},
        {"configured, listed closed", set(&Evidence::operator_accepts, true, listed(1, 1)), Answer::accept,
         Reason::configured},
        // 2: it exists
        {"listed", listed(1, 0), Answer::accept, Reason::listed},
        {"listed twice, once closed", listed(2, 1), Answer::accept, Reason::listed},
        {"all closed", listed(2, 2), Answer::closed, Reason::closed_listing},
        {"listed, unknown once", listed(1, 0, unknown), Answer::accept, Reason::listed},
        {"listed, policy", listed(1, 0, {{kPolicy, ago, 12}}), Answer::closed, Reason::closed_callout},
        {"listed closed, deliverable", listed(1, 1, {{kDeliverable, ago, 12}}), Answer::closed,
         Reason::closed_listing},
        {"proven", with(relayed(), {{kDeliverable, ago, 12}}), Answer::accept, Reason::proven},
        {"proven long ago", with(relayed(), {{kDeliverable, kNow - 8760h, 12}}), Answer::accept,
         Reason::proven},
        {"policy", with(relayed(), {{kPolicy, ago, 12}}), Answer::closed, Reason::closed_callout},
        {"proven at the change itself", with(relayed(), {{kDeliverable, ago, 10}}), Answer::accept,
         Reason::proven},
        {"proven before the change", with(relayed(), {{kDeliverable, ago, 9}}), Answer::unsure,
         Reason::no_evidence},
        {"deliverable after all",
         listed(1, 0, {{kUnknown, ago - 1h, 11}, {kUnknown, ago - 30min, 12}, {kDeliverable, ago, 20}}),
         Answer::accept, Reason::listed},
        {"adopted", adopted_at(15, relayed()), Answer::accept, Reason::adopted},
        {"adopted, and unknown before that", adopted_at(15, missed(11, unknown)), Answer::accept,
         Reason::adopted},
        {"adopted, then unknown", adopted_at(11, missed(11, unknown)), Answer::reject,
         Reason::proven_unknown},
        {"adopted, then its listing ended", adopted_at(9, relayed()), Answer::unsure, Reason::no_evidence},
        {"adopted and listed", adopted_at(15, listed(1, 0)), Answer::accept, Reason::listed},
        {"adopted and listed as closed", adopted_at(15, listed(1, 1)), Answer::closed,
         Reason::closed_listing},
        {"postmaster, proven", set(&Evidence::postmaster, true, with(relayed(), {{kDeliverable, ago, 12}})),
         Answer::accept, Reason::proven},
        {"accept-all, listed", set(&Evidence::accept_all, true, listed(1, 0)), Answer::accept,
         Reason::listed},
        // 3: proven unknown
        {"missed, then unknown", missed(11, unknown), Answer::reject, Reason::proven_unknown},
        {"unknown by the next callout", missed(12, unknown), Answer::reject, Reason::proven_unknown},
        {"missed while it was asked", missed(13, unknown), Answer::unsure, Reason::not_missed},
        {"never missed", with(relayed(), unknown), Answer::unsure, Reason::not_missed},
        {"unknown an hour ago", missed(11, {{kUnknown, kNow - 1h, 12}}), Answer::unsure, Reason::lease_over},
        {"unknown just under an hour ago", missed(11, {{kUnknown, kNow - 1h + 1ms, 12}}), Answer::reject,
         Reason::proven_unknown},
        {"unknown before the listing ended", missed(4, {{kUnknown, ago, 5}}), Answer::unsure,
         Reason::no_evidence},
        {"unknown after deliverable", missed(11, {{kDeliverable, ago - 1h, 12}, {kUnknown, ago, 20}}),
         Answer::reject, Reason::proven_unknown},
        {"postmaster", set(&Evidence::postmaster, true, missed(11, unknown)), Answer::unsure,
         Reason::postmaster},
        {"accept-all", set(&Evidence::accept_all, true, missed(11, unknown)), Answer::unsure,
         Reason::accept_all},
        // 4: unsure
        {"nothing", relayed(), Answer::unsure, Reason::no_evidence},
        {"missed", missed(11, {}), Answer::unsure, Reason::no_evidence},
        {"in conflict", listed(1, 0, conflict), Answer::unsure, Reason::contested},
        {"in conflict, closed", listed(1, 1, conflict), Answer::unsure, Reason::contested},
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        const Verdict verdict = decide(one.evidence, kRules, kNow);
        CHECK(name_of(verdict.answer) == name_of(one.answer));
        CHECK(name_of(verdict.reason) == name_of(one.reason));
        CHECK(verdict.until.has_value() == (one.answer == Answer::reject));
    }
}

TEST_CASE("a listed recipient in conflict is rejected only after a miss", "[census][decide]") {
    Evidence evidence = listed(1, 0, {{kUnknown, kNow - 30min, 12}, {kUnknown, kNow - 10min, 20}});
    REQUIRE(contested(evidence, kRules));
    evidence.missed = 15;
    CHECK(decide(evidence, kRules, kNow) == Verdict{Answer::reject, Reason::proven_unknown, kNow + 50min});
    evidence.missed = 21;
    CHECK(decide(evidence, kRules, kNow) == Verdict{Answer::unsure, Reason::contested, std::nullopt});
    // One conclusive answer to the contrary ends the conflict; so does a change of the listing.
    evidence.callouts.insert(evidence.callouts.begin() + 1, {kDeliverable, kNow - 20min, 15});
    CHECK_FALSE(contested(evidence, kRules));
    evidence.callouts.erase(evidence.callouts.begin() + 1);
    evidence.listed_at = 13;
    CHECK_FALSE(contested(evidence, kRules));
}

TEST_CASE("a conflict takes the confirmation interval", "[census][decide]") {
    const Policy policy{.unknown_expire = 1h, .confirmation_interval = 20min};
    Evidence evidence = listed(1, 0, {{kUnknown, kNow - 20min, 12}, {kUnknown, kNow - 1ms, 20}});
    CHECK_FALSE(contested(evidence, policy));
    evidence.callouts.back().at = kNow;
    CHECK(contested(evidence, policy));
    evidence.listings = 0;
    CHECK_FALSE(contested(evidence, policy));
}

TEST_CASE("a miss is no reason for ever", "[census][decide]") {
    Evidence evidence = missed(11, {{kUnknown, kNow, 12}});
    for (const auto& [age, answer] : std::vector<std::pair<Milliseconds, Answer>>{{0min, Answer::reject},
                                                                                  {60min, Answer::reject},
                                                                                  {61min, Answer::unsure},
                                                                                  {72h, Answer::unsure},
                                                                                  {-5min, Answer::reject},
                                                                                  {-61min, Answer::unsure},
                                                                                  {-72h, Answer::unsure}}) {
        evidence.missed_at = kNow - age;
        CHECK(decide(evidence, kRules, kNow).answer == answer);
        if (answer == Answer::unsure) CHECK(decide(evidence, kRules, kNow).reason == Reason::not_missed);
    }
    Policy complete = kRules;
    complete.directory_complete = true;
    evidence = missed(11, {});
    evidence.absence = AbsenceFact{kNow - 20min, kNow - 5min, 12};
    evidence.missed_at = kNow - 30min;
    CHECK(decide(evidence, complete, kNow).answer == Answer::reject);
    evidence.missed_at = kNow - 66min;
    CHECK(decide(evidence, complete, kNow).answer == Answer::unsure);
}

TEST_CASE("a rejection is a lease", "[census][decide]") {
    const Evidence evidence = missed(11, {{kUnknown, kNow, 12}});
    const Policy policy{.unknown_expire = 30min};
    CHECK(decide(evidence, policy, kNow).until == kNow + 30min);
    CHECK(decide(evidence, policy, kNow + 10min).until == kNow + 30min);
    CHECK(decide(evidence, policy, kNow + 30min) ==
          Verdict{Answer::unsure, Reason::lease_over, std::nullopt});
    // The clock was set back a little: the lease is not longer than any other. Far back: which clock was
    // wrong?
    CHECK(decide(evidence, policy, kNow - 30s).until == kNow - 30s + 30min);
    CHECK(decide(evidence, policy, kNow - 24h) == Verdict{Answer::unsure, Reason::lease_over, std::nullopt});
}

TEST_CASE("a proof from the future is not renewed again and again", "[census][decide]") {
    // The clock was ahead when it was noted, and was then set right.
    for (const Milliseconds ahead :
         {Milliseconds(1s), Milliseconds(1min), Milliseconds(5min), Milliseconds(8760h)}) {
        const Evidence evidence = missed(11, {{kUnknown, kNow + ahead, 12}});
        Time time = kNow;
        int leases = 0;
        for (; leases < 5; ++leases) {
            const Verdict verdict = decide(evidence, kRules, time);
            if (verdict.answer != Answer::reject) break;
            REQUIRE(verdict.until);
            time = *verdict.until;
        }
        CAPTURE(ahead.count());
        CHECK(leases <= 2);
        CHECK(time <= kNow + kRules.unknown_expire + 1min);
    }
}

// Every combination of what can be known of an address, by what decide() tells apart.
TEST_CASE("every combination of evidence has its answer, and none breaks the law", "[census][decide]") {
    std::map<std::pair<Answer, Reason>, int> verdicts;
    int problems = 0;
    const auto check = [&](const Evidence& evidence, const Policy& policy) {
        const Verdict verdict = decide(evidence, policy, kNow);
        ++verdicts[{verdict.answer, verdict.reason}];
        const std::string problem = broken_law(evidence, policy, kNow);
        if (!problem.empty() && ++problems <= 10) FAIL_CHECK(problem << ": " << describe(evidence));
    };
    struct Listings {
        int all, closed, unseen;
        Seq unseen_at;
    };
    constexpr std::array<Listings, 10> kListings{{{0, 0, 0, 0},
                                                  {1, 0, 0, 0},
                                                  {1, 1, 0, 0},
                                                  {2, 0, 0, 0},
                                                  {2, 1, 0, 0},
                                                  {2, 2, 0, 0},
                                                  {1, 0, 1, 15},
                                                  {1, 1, 1, 15},
                                                  {2, 0, 1, 15},
                                                  {1, 0, 1, 30}}};
    constexpr std::array<std::pair<bool, Answer>, 6> kHolds{{{false, Answer::unsure},
                                                             {false, Answer::accept},
                                                             {false, Answer::reject},
                                                             {true, Answer::accept},
                                                             {true, Answer::closed},
                                                             {true, Answer::unsure}}};
    const std::vector<std::optional<AbsenceFact>> absences{
        {},
        AbsenceFact{kNow - 20min, kNow - 5min, 12},   // confirmed
        AbsenceFact{kNow - 20min, kNow - 5min, 3},    // begun before the miss and the listing's end
        AbsenceFact{kNow - 10min, kNow - 5min, 12},   // too close
        AbsenceFact{kNow - 3h, kNow - 2h, 12},        // too old
        AbsenceFact{kNow - 20min, kNow + 5min, 12}};  // by a clock that was wrong
    Policy complete = kRules;
    complete.directory_complete = true;
    for (const Milliseconds age :
         {Milliseconds(10min), Milliseconds(2h), Milliseconds(-30s), Milliseconds(-5min)})
        for (const auto& callouts : sequences(age))
            for (const std::optional<Seq> miss : {std::optional<Seq>{}, {4}, {11}, {16}, {25}})
                for (const Listings& listings : kListings)
                    for (const auto& [is_held, answered] : kHolds)
                        for (unsigned facts = 0; facts < 32; ++facts) {
                            Evidence evidence = listed(listings.all, listings.closed, callouts);
                            evidence.unseen_listings = listings.unseen;
                            evidence.unseen_at = listings.unseen_at;
                            evidence.missed = miss;
                            evidence.held = is_held;
                            evidence.answered = answered;
                            evidence.relayed = (facts & 1U) != 0;
                            evidence.operator_accepts = (facts & 2U) != 0;
                            evidence.accept_all = (facts & 4U) != 0;
                            evidence.postmaster = (facts & 8U) != 0;
                            evidence.directory_doubtful = (facts & 16U) != 0;
                            if (!evidence.directory_doubtful) check(evidence, kRules);
                            if (miss && !evidence.directory_doubtful && !is_held)
                                for (const Milliseconds ago : {Milliseconds(5min), Milliseconds(75min)}) {
                                    evidence.missed_at = kNow - ago;
                                    check(evidence, kRules);
                                    evidence.missed_at.reset();
                                }
                            if (!evidence.directory_doubtful && !evidence.operator_accepts && !is_held)
                                for (const Seq adopted : {3, 11, 15, 30}) {
                                    evidence.adopted = adopted;
                                    check(evidence, kRules);
                                    check(evidence, complete);
                                    evidence.adopted.reset();
                                }
                            if (is_held || answered != Answer::unsure || evidence.postmaster) continue;
                            for (const auto& absence : absences) {
                                evidence.absence = absence;
                                check(evidence, complete);
                            }
                        }
    CHECK(problems == 0);
    // Each reason occurs, with the answers that it can have and no other.
    const std::map<Reason, std::vector<Answer>> possible{{Reason::held, {Answer::accept, Answer::closed}},
                                                         {Reason::configured, {Answer::accept}},
                                                         {Reason::listed, {Answer::accept}},
                                                         {Reason::unseen, {Answer::accept}},
                                                         {Reason::proven, {Answer::accept}},
                                                         {Reason::adopted, {Answer::accept}},
                                                         {Reason::closed_listing, {Answer::closed}},
                                                         {Reason::closed_callout, {Answer::closed}},
                                                         {Reason::proven_unknown, {Answer::reject}},
                                                         {Reason::proven_absent, {Answer::reject}}};
    std::size_t expected_kinds = 0;
    for (int i = 0; i <= static_cast<int>(Reason::no_evidence); ++i) {
        const auto reason = static_cast<Reason>(i);
        const auto found = possible.find(reason);
        for (const Answer answer :
             found == possible.end() ? std::vector<Answer>{Answer::unsure} : found->second) {
            CAPTURE(name_of(reason), name_of(answer));
            CHECK(verdicts[{answer, reason}] > 10);
            ++expected_kinds;
        }
    }
    CHECK(verdicts.size() == expected_kinds);
}

TEST_CASE("every reason has a name and words", "[census][decide]") {
    int reasons = 0;
    for (int i = 0; i <= static_cast<int>(Reason::no_evidence); ++i, ++reasons) {
        const auto reason = static_cast<Reason>(i);
        CAPTURE(i);
        CHECK(parse_reason(name_of(reason)) == reason);
        CHECK(explain(reason).size() > 10);
    }
    CHECK(reasons == 17);
    CHECK_FALSE(parse_reason("?"));
}

TEST_CASE("an unseen listing counts, and one refusal after that contests it", "[census][decide]") {
    Evidence evidence = listed(1, 0);
    evidence.unseen_listings = 1;
    evidence.unseen_at = 15;
    CHECK(decide(evidence, kRules, kNow) == Verdict{Answer::accept, Reason::unseen, {}});
    // A refusal from before it was unseen is one of two that are needed, as ever.
    evidence.callouts = {{kUnknown, kNow - 1min, 12}};
    CHECK(decide(evidence, kRules, kNow).answer == Answer::accept);
    evidence.callouts = {{kUnknown, kNow - 1min, 15}};
    CHECK(decide(evidence, kRules, kNow).answer == Answer::unsure);
    evidence.callouts = {{kDeliverable, kNow - 1min, 15}};
    CHECK(decide(evidence, kRules, kNow) == Verdict{Answer::accept, Reason::proven, {}});
    // As long as another object is seen, nothing of this applies.
    evidence.listings = 2;
    evidence.callouts = {{kUnknown, kNow - 1min, 15}};
    CHECK(decide(evidence, kRules, kNow) == Verdict{Answer::accept, Reason::listed, {}});
}

TEST_CASE("a complete directory proves an absence by two looks", "[census][decide]") {
    Policy complete = kRules;
    complete.directory_complete = true;
    Evidence evidence = missed(12, {});
    evidence.absence = AbsenceFact{kNow - 20min, kNow - 5min, 12};
    CHECK(decide(evidence, complete, kNow) == Verdict{Answer::reject, Reason::proven_absent, kNow + 55min});
    CHECK(decide(evidence, kRules, kNow).answer == Answer::unsure);
    CHECK(decide(evidence, complete, kNow + 55min) == Verdict{Answer::unsure, Reason::lease_over, {}});

    const auto unsure_if = [&](const char* why, auto&& change) {
        INFO(why);
        Evidence other = evidence;
        change(other);
        CHECK(decide(other, complete, kNow).answer != Answer::reject);
    };
    unsure_if("doubt", [](Evidence& other) { other.directory_doubtful = true; });
    unsure_if("never missed", [](Evidence& other) { other.missed.reset(); });
    unsure_if("looked up before the miss", [](Evidence& other) { other.absence->first_began = 11; });
    unsure_if("looked up before its listings ended", [](Evidence& other) { other.listed_at = 13; });
    unsure_if("one look", [](Evidence& other) { other.absence->first_at = other.absence->last_at; });
    unsure_if("too close", [](Evidence& other) { other.absence->first_at = kNow - 19min; });
    unsure_if("listed", [](Evidence& other) { other.listings = 1; });
    unsure_if("postmaster", [](Evidence& other) { other.postmaster = true; });
    unsure_if("accept-all", [](Evidence& other) { other.accept_all = true; });
    unsure_if("held", [](Evidence& other) {
        other.held = true;
        other.answered = Answer::accept;
    });
    unsure_if("the clock was wrong", [](Evidence& other) { other.absence->last_at = kNow + 2h; });
}
