// SPDX-License-Identifier: MIT
#include "flow/decide/decision.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <vector>

#include "census/gate.h"
#include "store/absences.h"
#include "store/addresses.h"
#include "store/causes.h"
#include "store/domains.h"
#include "store/holds.h"
#include "store/publications.h"
#include "store/questions.h"

namespace postcensus::flow {
namespace {

constexpr std::size_t kPiece = 500;
constexpr Milliseconds kClosedRefresh = std::chrono::hours{12};
constexpr std::size_t kShown = 5;  // of the held ones in the log
constexpr int kAskedInVain = 24;   // times, for a day: one pause is an hour at most

census::Verdict decide_one(const config::Configuration& configuration, SQLite::Database& db,
                           store::Pending& pending, Time now) {
    const config::Route* route = configuration.route_of(pending.address.domain());
    pending.evidence.relayed = route != nullptr;
    pending.evidence.operator_accepts = route != nullptr && route->accepts(pending.address);
    // What a server says to everybody says nothing where nobody is called out any more.
    pending.evidence.accept_all = pending.evidence.accept_all &&
                                  ((route != nullptr && route->asks()) || !pending.evidence.callouts.empty());
    if (route != nullptr && route->policy.directory_complete && pending.evidence.absence)
        pending.evidence.directory_doubtful =
            store::directories_doubtful(db, std::string(pending.address.domain()));
    return census::decide(pending.evidence, route == nullptr ? census::Policy{} : route->policy, now);
}

bool is_removal(const store::Pending& pending, const census::Verdict& verdict) {
    return census::exists(pending.evidence.answered) && !census::exists(verdict.answer);
}

bool asked_since_unseen(const census::Evidence& evidence) {
    return !evidence.callouts.empty() &&
           evidence.callouts.back().began >= std::max(evidence.unseen_at, evidence.listed_at);
}

// Refused since it was not seen any more, and only once: a second time says that it has left
// (store/leavers.h).
bool wants_confirmation(const census::Evidence& evidence, const config::Route& route) {
    if (!census::all_unseen(evidence) || !asked_since_unseen(evidence)) return false;
    const auto known =
        std::find_if(evidence.callouts.rbegin(), evidence.callouts.rend(), [&](const auto& fact) {
            return fact.klass != census::CalloutClass::unknown || fact.began < evidence.unseen_at;
        });
    const auto first = known.base();  // of the refusals behind the last word to the contrary
    return first != evidence.callouts.end() &&
           evidence.callouts.back().at - first->at < route.policy.confirmation_interval;
}

void log_stopped(const std::vector<census::DomainLosses>& stopped) {
    for (const census::DomainLosses& losses : stopped)
        spdlog::error(
            "{}: {} of {} published recipients would be removed; more than the gate lets through, so they "
            "stay. See `postcensus report`; release them with `postcensus approve`",
            losses.domain, losses.losing, losses.published);
}

std::optional<census::Verdict> answer_one(const config::Configuration& configuration, SQLite::Database& db,
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

}  // namespace

store::ListedAnswer answer_listed(const config::Configuration& configuration, Time now) {
    return [&configuration, now](SQLite::Database& db, const std::string& domain, bool closed) {
        return answer_one(configuration, db, domain, closed, now);
    };
}

std::int64_t Decision::hold_number(store::Writer& writer) {
    if (!hold_number_) hold_number_ = store::next_hold_number(writer);
    return *hold_number_;
}

// What an answer makes us ask: a recipient that stopped being listed, or is not seen any more, one whose
// proof grows old, one that is in conflict. Where nobody can be asked, an operator is.
void Decision::queue_follow_up(store::Writer& writer, store::AnswerWriter& answers,
                               const store::Pending& pending, const census::Verdict& verdict, Time now,
                               Decided& sum) {
    const config::Route* route = configuration_.route_of(pending.address.domain());
    if (route == nullptr) return;
    if (census::all_unseen(pending.evidence) && census::exists(verdict.answer) && !pending.hold) {
        const bool wanted =
            verdict.reason != census::Reason::configured && !asked_since_unseen(pending.evidence);
        // Nobody can be asked, or nobody has an answer.
        if (!route->asks() || (wanted && (pending.evidence.accept_all ||
                                          store::times_asked(writer.db, pending.id) >= kAskedInVain)))
            answers.hold_unseen(pending, hold_number(writer));
        if (route->asks() && wanted) store::ask(writer, pending.id, "unseen", now, now);
        ++sum.doubted;
    }
    if (!route->asks()) return;
    const auto& callouts = pending.evidence.callouts;
    if (is_removal(pending, verdict) && verdict.reason == census::Reason::no_evidence) {
        store::ask(writer, pending.id, "listing-ended", now, now);
        ++sum.doubted;
    } else if (verdict.reason == census::Reason::adopted) {
        store::ask(writer, pending.id, store::kAdoptedCause, now, now + store::kAdoptionPause);
    } else if (verdict.reason == census::Reason::proven && !callouts.empty()) {
        store::ask(writer, pending.id, "refresh", now, callouts.back().at + route->deliverable_refresh);
    } else if (verdict.reason == census::Reason::closed_callout) {
        // Strangers are refused for it only as long as that is confirmed, within a day.
        store::ask(writer, pending.id, "refresh", now,
                   callouts.back().at + std::min(route->deliverable_refresh, kClosedRefresh));
    } else if (!callouts.empty() && callouts.back().klass == census::CalloutClass::unknown &&
               (verdict.reason == census::Reason::listed || wants_confirmation(pending.evidence, *route)))
        store::ask(writer, pending.id, "contested", now,
                   callouts.back().at + route->policy.confirmation_interval);
}

Result<bool> Decision::step(Time now) {
    if (at_gate_) return settle_removals(now);
    auto piece = next_piece();
    if (!piece) return fail(piece.error());
    if (auto decided = decide_piece(*piece, now); !decided) return fail(decided.error());
    domain_ = piece->domain;
    after_ = piece->after;
    if (!piece->last) return false;
    return ask_gate(now);
}

// A list that is refilled as fast as it is emptied keeps nobody waiting: a piece that is not full goes on to
// the changed domains.
Result<Decision::Piece> Decision::next_piece() {
    return state_.read([&](SQLite::Database& db) {
        Piece piece{store::next_undecided(db, kPiece), domain_, after_, false};
        if (!domains_) domains_ = store::changed_domains(db);
        while (piece.ids.size() < kPiece && piece.domain < domains_->size()) {
            const auto ids = store::next_of_domain(db, (*domains_)[piece.domain].domain, piece.after,
                                                   kPiece - piece.ids.size());
            piece.ids.insert(piece.ids.end(), ids.begin(), ids.end());
            if (!ids.empty()) continue;
            ++piece.domain;
            piece.after.clear();
        }
        piece.last = piece.ids.size() < kPiece;
        return piece;
    });
}

// One transaction over these addresses, each with the evidence of now. Undone, nothing has been counted.
Result<void> Decision::look_at(const std::vector<store::AddressId>& ids, Time now, const Settle& settle) {
    Look look{.sum = decided_};
    const auto number = hold_number_;
    auto looked = state_.write([&](store::Writer& writer) {
        store::AnswerWriter answers(writer, now);
        store::CauseReader causes(writer.db);
        store::EvidenceReader reader(writer.db);
        store::GateQueue gate(writer);
        look.writer = &writer;
        look.answers = &answers;
        look.gate = &gate;
        for (const store::AddressId id : ids) {
            auto pending = reader.load(id);
            if (!pending) {
                answers.drop_undecided(id);  // the address has gone
                continue;
            }
            const census::Verdict verdict = decide_one(configuration_, writer.db, *pending, now);
            if (settle(look, *pending, verdict)) continue;
            const bool changed = verdict.answer != pending->evidence.answered;
            answers.settle(*pending, verdict,
                           changed ? causes.describe(*pending, verdict.reason) : std::string{});
            queue_follow_up(writer, answers, *pending, verdict, now, look.sum);
            if (changed) ++look.sum.changed;
        }
    });
    if (looked)
        decided_ = look.sum;
    else
        hold_number_ = number;
    return looked;
}

Result<void> Decision::decide_piece(const Piece& piece, Time now) {
    if (piece.ids.empty()) return {};
    return look_at(piece.ids, now,
                   [](Look& look, const store::Pending& pending, const census::Verdict& verdict) {
                       ++look.sum.looked_at;
                       if (!is_removal(pending, verdict)) return false;
                       look.gate->add(pending.id);
                       return true;
                   });
}

Result<bool> Decision::ask_gate(Time now) {
    auto losses = state_.read([&](SQLite::Database& db) { return store::count_losses(db, now); });
    if (!losses) return fail(losses.error());
    const auto stopped = census::stopped_by_gate(*losses, configuration_.gate);
    stopped_ = !stopped.empty();
    log_stopped(stopped);
    at_gate_ = true;
    return settle_removals(now);
}

// All go, or all that nobody approved are held. Killed between two pieces, the next pass counts those that
// are gone, those that are held and those that are left, and comes to the same end.
Result<bool> Decision::settle_removals(Time now) {
    auto ids = state_.read([](SQLite::Database& db) { return store::next_at_gate(db, kPiece); });
    if (!ids) return fail(ids.error());
    if (ids->empty()) {
        if (domains_->empty()) return true;
        auto ended = state_.write([&](store::Writer& writer) { store::end_changes(writer, *domains_); });
        if (!ended) return fail(ended.error());
        return true;
    }
    auto settled =
        look_at(*ids, now, [this](Look& look, const store::Pending& pending, const census::Verdict& verdict) {
            // Evidence may have come since it was looked at.
            if (!is_removal(pending, verdict) || pending.approved || !stopped_) return false;
            if (look.sum.held < kShown) spdlog::error("held: {}", pending.address.external());
            look.answers->hold(pending, hold_number(*look.writer));
            ++look.sum.held;
            return true;
        });
    if (!settled) return fail(settled.error());
    return false;
}

Result<Decided> decide_all(store::Database& state, const config::Configuration& configuration, Time now) {
    Decision decision(state, configuration);
    for (;;) {
        auto done = decision.step(now);
        if (!done) return fail(done.error());
        if (*done) return decision.decided();
    }
}

}  // namespace postcensus::flow
