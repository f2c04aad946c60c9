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

// The rules once more, in one pass forward over the callouts.
Answer expected(const Evidence& evidence, Time now) {
    bool exists_by_callout = false;
    bool refuses_outsiders = false;
    const CalloutFact* first_unknown = nullptr;
    const CalloutFact* last_unknown = nullptr;
    for (const CalloutFact& fact : evidence.callouts) {
        if (fact.began < evidence.listed_at) continue;
        exists_by_callout = fact.klass != kUnknown;
        refuses_outsiders = fact.klass == kPolicy;
        if (exists_by_callout) {
            first_unknown = last_unknown = nullptr;
        } else {
            if (first_unknown == nullptr) first_unknown = &fact;
            last_unknown = &fact;
        }
    }
    const bool twice = first_unknown != nullptr && last_unknown->at - first_unknown->at >= 15min;
    Answer answer = Answer::unsure;
    if (!evidence.relayed) {
        answer = Answer::unsure;
    } else if (evidence.operator_accepts) {
        answer = Answer::accept;
    } else if (exists_by_callout || (evidence.listings > 0 && !twice)) {
        const bool all_closed = evidence.listings > 0 && evidence.listings == evidence.closed_listings;
        answer = refuses_outsiders || all_closed ? Answer::closed : Answer::accept;
    } else if (last_unknown != nullptr && evidence.missed && *evidence.missed <= last_unknown->began &&
               !evidence.postmaster && !evidence.accept_all && now - last_unknown->at < 1h &&
               last_unknown->at - now <= 1min) {
        answer = Answer::reject;
    }
    if (evidence.held && exists(evidence.answered) && !exists(answer)) return evidence.answered;
    return answer;
}

// What must never be, whatever the rules say. Empty if all is well.
std::string broken_law(const Evidence& evidence, Time now) {
    const Verdict verdict = decide(evidence, kRules, now);
    if (verdict.answer != expected(evidence, now)) return "another answer than the rules give";
    if (evidence.held && exists(evidence.answered) && !exists(verdict.answer))
        return "a held removal went out";
    if ((verdict.reason == Reason::held) && verdict.answer != evidence.answered)
        return "a hold changed the answer";
    if (verdict.until && verdict.answer != Answer::reject) return "an end for what has none";
    if (verdict.answer == Answer::reject) {
        const CalloutFact* last = evidence.callouts.empty() ? nullptr : &evidence.callouts.back();
        if (last == nullptr || last->klass != kUnknown || last->began < evidence.listed_at)
            return "rejected without a proof";
        if (!evidence.missed || last->began < *evidence.missed)
            return "rejected without a miss before the proof";
        if (!evidence.relayed || evidence.operator_accepts || evidence.postmaster || evidence.accept_all)
            return "rejected by no right";
        if (evidence.listings > 0 && !contested(evidence, kRules)) return "rejected although it is listed";
        if (!verdict.until || *verdict.until <= now) return "a lease that is over";
        if (*verdict.until > now + kRules.unknown_expire) return "a lease that is too long";
        if (decide(evidence, kRules, *verdict.until - 1ms).answer != Answer::reject)
            return "the lease ends early";
    }
    for (const Milliseconds shift : {Milliseconds(-720h), Milliseconds(-2h), Milliseconds(-1min),
                                     Milliseconds(1min), Milliseconds(2h), Milliseconds(720h)}) {
        const Verdict then = decide(evidence, kRules, now + shift);
        if (exists(verdict.answer) && then != verdict) return "an accepted recipient hangs on the clock";
        if (!exists(verdict.answer) && exists(then.answer)) return "the clock accepts a recipient";
        if (then.until && *then.until > now + shift + kRules.unknown_expire)
            return "the clock prolongs a rejection";
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

TEST_CASE("no evidence breaks the law", "[census][decide]") {
    std::map<Answer, int> answers;
    int problems = 0;
    const auto check = [&](const Evidence& evidence) {
        ++answers[decide(evidence, kRules, kNow).answer];
        const std::string problem = broken_law(evidence, kNow);
        if (!problem.empty() && ++problems <= 10) FAIL_CHECK(problem << ": " << describe(evidence));
    };
    constexpr std::array<std::pair<int, int>, 6> kListings{{{0, 0}, {1, 0}, {1, 1}, {2, 0}, {2, 1}, {2, 2}}};
    constexpr std::array<std::pair<bool, Answer>, 6> kHolds{{{false, Answer::unsure},
                                                             {false, Answer::accept},
                                                             {false, Answer::reject},
                                                             {true, Answer::accept},
                                                             {true, Answer::closed},
                                                             {true, Answer::unsure}}};
    for (const Milliseconds age :
         {Milliseconds(10min), Milliseconds(2h), Milliseconds(-30s), Milliseconds(-5min)})
        for (const auto& callouts : sequences(age))
            for (const std::optional<Seq> miss : {std::optional<Seq>{}, {4}, {11}, {16}, {25}})
                for (const auto& [listings, closed] : kListings)
                    for (const auto& [is_held, answered] : kHolds)
                        for (unsigned facts = 0; facts < 16; ++facts) {
                            Evidence evidence = listed(listings, closed, callouts);
                            evidence.missed = miss;
                            evidence.held = is_held;
                            evidence.answered = answered;
                            evidence.relayed = (facts & 1U) != 0;
                            evidence.operator_accepts = (facts & 2U) != 0;
                            evidence.accept_all = (facts & 4U) != 0;
                            evidence.postmaster = (facts & 8U) != 0;
                            check(evidence);
                        }
    CHECK(problems == 0);
    for (const Answer answer : {Answer::accept, Answer::closed, Answer::reject, Answer::unsure}) {
        CAPTURE(name_of(answer));
        CHECK(answers[answer] > 100);
    }
}

TEST_CASE("every reason has a name and words", "[census][decide]") {
    int reasons = 0;
    for (int i = 0; i <= static_cast<int>(Reason::no_evidence); ++i, ++reasons) {
        const auto reason = static_cast<Reason>(i);
        CAPTURE(i);
        CHECK(parse_reason(name_of(reason)) == reason);
        CHECK(explain(reason).size() > 10);
    }
    CHECK(reasons == 16);
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
    CHECK(decide(evidence, complete, kNow + 55min).answer == Answer::unsure);

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
