// SPDX-License-Identifier: MIT
#include "tasks/decide.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <map>
#include <vector>

#include "census/gate.h"
#include "store/absences.h"
#include "store/addresses.h"
#include "store/domains.h"
#include "store/holds.h"
#include "store/questions.h"

namespace postcensus::tasks {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPiece = 500;

census::Verdict decide_one(const config::Configuration& configuration, SQLite::Database& db,
                           store::Pending& pending, Time now) {
    const config::Route* route = configuration.route_of(pending.address.domain());
    pending.evidence.relayed = route != nullptr;
    pending.evidence.operator_accepts = route != nullptr && route->accepts(pending.address);
    if (route != nullptr && route->policy.directory_complete && pending.evidence.absence)
        pending.evidence.directory_doubtful =
            store::directories_doubtful(db, std::string(pending.address.domain()));
    return census::decide(pending.evidence, route == nullptr ? census::Policy{} : route->policy, now);
}

bool is_removal(const store::Pending& pending, const census::Verdict& verdict) {
    return census::exists(pending.evidence.answered) && !census::exists(verdict.answer);
}

bool asked_since_unseen(const census::Evidence& evidence) {
    return !evidence.callouts.empty() && evidence.callouts.back().began >= evidence.unseen_at;
}

// One number for all that one decision holds; taken when it is needed.
class HoldNumber {
  public:
    std::int64_t operator()(store::Writer& writer) {
        if (!number_) number_ = store::next_hold_number(writer);
        return *number_;
    }

  private:
    std::optional<std::int64_t> number_;
};

// What an answer makes us ask: a recipient that stopped being listed, or is not seen any more, one whose
// proof grows old, one that is in conflict. Where nobody can be asked, an operator is.
void queue_follow_up(store::Writer& writer, store::AnswerWriter& answers, HoldNumber& hold_number,
                     const config::Configuration& configuration, const store::Pending& pending,
                     const census::Verdict& verdict, Time now, Decided& decided) {
    const config::Route* route = configuration.route_of(pending.address.domain());
    if (route == nullptr) return;
    if (census::all_unseen(pending.evidence) && census::exists(verdict.answer) && !pending.hold) {
        if (!route->asks())
            answers.hold_unseen(pending, hold_number(writer));
        else if (verdict.reason != census::Reason::configured && !asked_since_unseen(pending.evidence))
            store::ask(writer, pending.id, "unseen", now, now);
        ++decided.doubted;
    }
    if (!route->asks()) return;
    const auto& callouts = pending.evidence.callouts;
    if (is_removal(pending, verdict) && verdict.reason == census::Reason::no_evidence) {
        store::ask(writer, pending.id, "listing-ended", now, now);
        ++decided.doubted;
    } else if (verdict.reason == census::Reason::proven && !callouts.empty())
        store::ask(writer, pending.id, "refresh", now, callouts.back().at + route->deliverable_refresh);
    else if (verdict.reason == census::Reason::listed && !callouts.empty() &&
             callouts.back().klass == census::CalloutClass::unknown)
        store::ask(writer, pending.id, "contested", now,
                   callouts.back().at + route->policy.confirmation_interval);
}

// Addresses of each domain that this batch has accepted: they are not out yet, and must not make a loss look
// smaller.
using Arrivals = std::map<std::string, std::int64_t>;

std::vector<census::DomainLosses> count_losses(SQLite::Database& db,
                                               const std::vector<store::Pending>& removals, Arrivals arrivals,
                                               Time now) {
    std::map<std::string, census::DomainLosses> by_domain;
    for (const store::Pending& pending : removals) {
        if (pending.approved) continue;
        census::DomainLosses& losses = by_domain[std::string(pending.address.domain())];
        ++losses.losing;
    }
    std::vector<census::DomainLosses> all;
    for (auto& [domain, losses] : by_domain) {
        losses.domain = domain;
        losses.published = store::count_existing(db, domain) - arrivals[domain];
        losses.lost_today = store::count_lost(db, domain, now - 24h);
        all.push_back(losses);
    }
    return all;
}

void log_held(const std::vector<census::DomainLosses>& stopped, const std::vector<store::Pending>& removals) {
    for (const census::DomainLosses& losses : stopped)
        spdlog::error(
            "{}: {} of {} published recipients would be removed; more than the gate lets through, so they "
            "stay. See "
            "`postcensus report`; release them with `postcensus approve`",
            losses.domain, losses.losing, losses.published);
    for (std::size_t i = 0; i < std::min<std::size_t>(removals.size(), 5); ++i)
        spdlog::error("held: {}", removals[i].address.external());
}

// One transaction: all removals go, or all that nobody approved are held.
Result<std::size_t> settle_removals(store::Database& state, const config::Configuration& configuration,
                                    const std::vector<store::Pending>& removals, const Arrivals& arrivals,
                                    Time now, HoldNumber& hold_number, Decided& decided) {
    return state.write([&](store::Writer& writer) -> std::size_t {
        const auto stopped =
            census::stopped_by_gate(count_losses(writer.db, removals, arrivals, now), configuration.gate);
        if (!stopped.empty()) log_held(stopped, removals);
        store::AnswerWriter answers(writer, now);
        store::CauseReader causes(writer.db);
        store::EvidenceReader reader(writer.db);
        std::size_t held = 0;
        for (const store::Pending& removal : removals) {
            // Evidence may have come since it was looked at.
            auto pending = reader.load(removal.id);
            if (!pending) continue;
            const census::Verdict verdict = decide_one(configuration, writer.db, *pending, now);
            if (is_removal(*pending, verdict) && !pending->approved && !stopped.empty()) {
                answers.hold(*pending, hold_number(writer));
                ++held;
                continue;
            }
            answers.settle(*pending, verdict, causes.describe(pending->id, verdict.reason));
            queue_follow_up(writer, answers, hold_number, configuration, *pending, verdict, now, decided);
            if (verdict.answer != pending->evidence.answered) ++decided.changed;
        }
        return held;
    });
}

}  // namespace

std::optional<census::Verdict> answer_listed(const config::Configuration& configuration, SQLite::Database& db,
                                             const std::string& domain, bool closed, Time now) {
    const config::Route* route = configuration.route_of(domain);
    const auto facts = store::load_domain(db, domain);
    // The state's domains are those of the decider.
    if ((route == nullptr ? std::nullopt : std::optional(route->policy_text(domain))) !=
        (facts ? std::optional(facts->policy) : std::nullopt))
        return std::nullopt;
    census::Evidence evidence;
    evidence.relayed = route != nullptr;
    evidence.accept_all = facts && facts->accept_all;
    // An address that `accept` names by itself is known already.
    evidence.operator_accepts = route != nullptr && route->accepts_all_of(domain);
    evidence.listings = 1;
    evidence.closed_listings = closed ? 1 : 0;
    const census::Verdict verdict =
        census::decide(evidence, route == nullptr ? census::Policy{} : route->policy, now);
    if (verdict.until) return std::nullopt;
    return verdict;
}

Result<Decided> decide_all(store::Database& state, const config::Configuration& configuration, Time now) {
    Decided decided;
    HoldNumber hold_number;
    std::vector<store::Pending> removals;
    Arrivals arrivals;
    store::UndecidedPosition position;
    for (;;) {
        auto piece =
            state.read([&](SQLite::Database& db) { return store::next_undecided(db, position, kPiece); });
        if (!piece) return fail(piece.error());
        if (piece->empty()) break;
        decided.looked_at += piece->size();
        auto settled = state.write([&](store::Writer& writer) {
            store::AnswerWriter answers(writer, now);
            store::CauseReader causes(writer.db);
            store::EvidenceReader reader(writer.db);
            for (const store::AddressId id : *piece) {
                auto pending = reader.load(id);
                if (!pending) {
                    answers.drop_undecided(id);  // the address has gone
                    continue;
                }
                const census::Verdict verdict = decide_one(configuration, writer.db, *pending, now);
                if (is_removal(*pending, verdict)) {
                    removals.push_back(*std::move(pending));
                    continue;
                }
                const bool changed = verdict.answer != pending->evidence.answered;
                if (census::exists(verdict.answer) && !census::exists(pending->evidence.answered))
                    ++arrivals[std::string(pending->address.domain())];
                answers.settle(*pending, verdict,
                               changed ? causes.describe(pending->id, verdict.reason) : std::string{});
                queue_follow_up(writer, answers, hold_number, configuration, *pending, verdict, now, decided);
                if (changed) ++decided.changed;
            }
        });
        if (!settled) return fail(settled.error());
    }
    if (!removals.empty()) {
        auto held = settle_removals(state, configuration, removals, arrivals, now, hold_number, decided);
        if (!held) return fail(held.error());
        decided.held = *held;
    }
    return decided;
}

}  // namespace postcensus::tasks
