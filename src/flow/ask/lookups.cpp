// SPDX-License-Identifier: MIT
#include "flow/ask/lookups.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "flow/ask/retry_pause.h"
#include "flow/ask/turns.h"
#include "store/absences.h"
#include "store/callouts.h"
#include "store/history.h"

namespace postcensus::flow {
namespace {

constexpr std::size_t kMost = 100;  // of one search

}  // namespace

Result<Lookups::Batch> Lookups::next() {
    Batch batch;
    const auto time = Clock::now();
    batch.again = Clock::time_point::max();
    auto filled = state_.read([&](SQLite::Database& db) {
        std::vector<std::string> domains = store::domains_in_line(db, store::Step::look_up);
        // Behind the domain that the last batch began with: each has its turn.
        std::rotate(domains.begin(), std::upper_bound(domains.begin(), domains.end(), first_), domains.end());
        if (!domains.empty()) first_ = domains.front();
        for (const std::string& domain : domains) {
            if (batch.questions.size() == kMost) break;
            add(db, domain, time, batch);
        }
    });
    if (!filled) return fail(filled.error());
    return batch;
}

void Lookups::add(SQLite::Database& db, const std::string& domain, Clock::time_point time, Batch& batch) {
    const std::size_t before = batch.questions.size();
    // No line is read for nothing.
    if (const auto allowed = admission_.next_ask(domain, time); allowed > time) {
        batch.again = std::min(batch.again, allowed);
        return;
    }
    auto line = store::in_line(db, store::Step::look_up, domain, true, kMost);
    put_in_order(line, admission_);
    for (store::Question& question : line) {
        if (batch.questions.size() == kMost) break;
        if (!admission_.may_ask(domain, time)) {
            batch.again = std::min(batch.again, admission_.next_ask(domain, time));
            break;
        }
        admission_.note_taken(domain, question.place.turn);
        batch.request.addresses.push_back(question.address);
        batch.questions.push_back(std::move(question));
    }
    const config::Route* route = configuration_.route_of(domain);
    if (batch.questions.size() == before || route == nullptr || !route->policy.directory_complete) return;
    for (mail::Address& control : store::draw_listed(db, domain, 2))
        batch.request.controls.push_back(std::move(control));
}

Result<void> Lookups::take_answer(const Batch& batch, const AddressFinder::Answer& answer, const Moment& at) {
    const Moment moment = Moment::now();
    const Time now = moment.wall;
    auto stored = state_.write([&](store::Writer& writer) {
        store::count(writer, "lookups", now, static_cast<std::int64_t>(batch.questions.size()));
        for (const store::Question& question : batch.questions) {
            const config::Route* route = configuration_.route_of(question.address.domain());
            const bool found =
                std::find(answer.found.begin(), answer.found.end(), question.address) != answer.found.end();
            if (!store::is_same(writer.db, question)) continue;
            if (found || route == nullptr) {
                store::end_question(writer, question.id);
                if (found) store::count(writer, "lookups-found", now, 1);
                continue;
            }
            if (route->asks()) store::call_out(writer, question.id);
            take_absence(writer, question, *route, answer, at.seen_at(moment), now);
        }
    });
    if (!stored) return stored;
    for (const store::Question& question : batch.questions)
        if (std::find(answer.found.begin(), answer.found.end(), question.address) != answer.found.end())
            admission_.note_answer(question.client, false);
    for (const mail::Address& address : answer.found)
        spdlog::info("directory: {} is listed", address.external());
    return {};
}

// No directory lists it. That proves nothing, unless the directories know every recipient of the domain.
void Lookups::take_absence(store::Writer& writer, const store::Question& question, const config::Route& route,
                           const AddressFinder::Answer& answer, Time at, Time now) {
    const auto again = [&](Milliseconds pause) { store::put_back(writer, question, now, pause); };
    if (!answer.complete) {
        // A directory did not answer: that is no answer to anybody who asks nobody else.
        if (!route.asks()) again(retry_pause(question.attempts));
        return;
    }
    const bool doubtful =
        std::find(answer.doubtful.begin(), answer.doubtful.end(), question.address) != answer.doubtful.end();
    const auto control = std::find_if(
        answer.controls.begin(), answer.controls.end(),
        [&](const mail::Address& address) { return address.domain() == question.address.domain(); });
    if (!route.policy.directory_complete || doubtful || control == answer.controls.end()) {
        if (!route.asks()) store::end_question(writer, question.id);
        return;
    }
    const bool confirmed = store::record_absence(writer, question.id, answer.server, control->external(),
                                                 answer.began, at, route.policy.confirmation_interval);
    if (route.asks()) return;
    if (confirmed)
        store::end_question(writer, question.id);
    else
        again(route.policy.confirmation_interval);
}

}  // namespace postcensus::flow
