// SPDX-License-Identifier: MIT
#include "tasks/verify.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "store/absences.h"
#include "store/domains.h"

namespace postcensus::tasks {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostDue = 500;  // looked at at once
constexpr std::size_t kMostLookups = 100;
constexpr std::size_t kMostRecipients = 100;  // a session; unknown ones end it sooner
constexpr auto kFirstPause = 5s;
constexpr auto kLongestPause = 60s;
constexpr auto kFirstRetry = 5s;
constexpr auto kLongestRetry = 1h;

std::chrono::milliseconds retry_pause(int attempts) {
    return std::min<std::chrono::milliseconds>(kLongestRetry, kFirstRetry * (1LL << std::min(attempts, 12)));
}

}  // namespace

void Asker::Pause::stop(Clock::time_point now) {
    length = stopped ? std::min<std::chrono::seconds>(length * 2, kLongestPause) : kFirstPause;
    stopped = true;
    until = now + length;
}

Asker::Asker(boost::asio::any_io_executor executor, const config::Configuration& configuration,
             store::Database& state, std::string helo, std::function<void()> on_evidence)
    : executor_(std::move(executor)),
      configuration_(configuration),
      state_(state),
      helo_(std::move(helo)),
      on_evidence_(std::move(on_evidence)) {}

std::size_t Asker::stopped_targets() const {
    return static_cast<std::size_t>(std::count_if(
        targets_.begin(), targets_.end(), [](const auto& target) { return target.second.pause.stopped; }));
}

Result<Asker::Clock::time_point> Asker::start_due() {
    const Clock::time_point time = Clock::now();
    Clock::time_point next = time + 60s;
    std::optional<Time> next_due;
    auto due = state_.read([&](SQLite::Database& db) {
        auto questions = store::due_questions(db, now(), kMostDue);
        next_due = store::next_due(db);
        return questions;
    });
    if (!due) return fail(due.error());
    std::map<std::string, std::vector<store::Question>> by_domain;
    bool lookups_due = false;
    for (store::Question& question : *due) {
        if (in_flight_.contains(question.id)) continue;
        if (needs_lookup(question))
            lookups_due = true;
        else
            by_domain[std::string(question.address.domain())].push_back(std::move(question));
    }
    if (lookups_due) on_lookups_due_();
    for (auto& [domain, questions] : by_domain) start_domain(domain, std::move(questions), time, next);
    if (next_due && *next_due > now()) next = std::min(next, time + (*next_due - now()));
    return next;
}

void Asker::start_domain(const std::string& domain, std::vector<store::Question> questions,
                         Clock::time_point now, Clock::time_point& next) {
    const config::Route* route = configuration_.route_of(domain);
    if (route == nullptr || !route->asks()) {
        // Nobody can answer these any more: the route has gone, or it asks no one now.
        auto ended = state_.write([&](store::Writer& writer) {
            for (const store::Question& question : questions) store::end_question(writer, question.id);
        });
        if (!ended) spdlog::debug("{}", ended.error().message);
        for (const store::Question& question : questions) looked_up_.erase(question.id);
        return;
    }
    DomainFacts& facts = domains_[domain];
    if (facts.pause.stopped && facts.pause.until > now) {
        next = std::min(next, facts.pause.until);
        return;
    }
    for (const callout::Target& target : route->callout.targets) {
        TargetFacts& server = facts_of(target);
        if (server.pause.stopped && server.pause.until > now) {
            next = std::min(next, server.pause.until);
            continue;
        }
        // A target or domain that was at fault is asked with the controls alone, by one session.
        const bool controls_only = server.pause.stopped || facts.pause.stopped;
        const auto free = static_cast<std::size_t>(
            std::max(0, (controls_only ? 1 : route->callout.sessions) - server.sessions));
        if (free == 0) return;  // a session that ends calls again
        const std::size_t share =
            std::clamp<std::size_t>((questions.size() + free - 1) / free, 1, kMostRecipients);
        auto began = state_.current_seq();
        if (!began) return;
        for (std::size_t i = 0, used = 0; used < free && i < questions.size(); ++used) {
            const std::size_t size = controls_only ? 0 : std::min(share, questions.size() - i);
            std::vector<store::Question> mine(questions.begin() + static_cast<std::ptrdiff_t>(i),
                                              questions.begin() + static_cast<std::ptrdiff_t>(i + size));
            callout::Questions asked{.target = target,
                                     .helo = route->callout.helo.empty() ? helo_ : route->callout.helo,
                                     .mail_from = route->callout.mail_from,
                                     .tls = route->callout.tls,
                                     .random_control = callout::make_random_control(domain),
                                     .known_good = controls(*route, domain, mine),
                                     .recipients = {},
                                     .most_refused = server.refusals.most};
            for (const store::Question& question : mine) {
                asked.recipients.push_back(question.address);
                in_flight_.insert(question.id);
            }
            ++server.sessions;
            ++active_;
            boost::asio::co_spawn(executor_, run(std::move(asked), std::move(mine), *began),
                                  boost::asio::detached);
            if (controls_only) break;
            i += size;
        }
        return;
    }
}

Asker::TargetFacts& Asker::facts_of(const callout::Target& target) {
    TargetFacts& facts = targets_[target.text()];
    if (!std::exchange(facts.loaded, true)) {
        auto refusals =
            state_.read([&](SQLite::Database& db) { return store::load_refusals(db, target.text()); });
        if (refusals) facts.refusals = *refusals;
    }
    return facts;
}

Result<Asker::Lookups> Asker::next_lookups() {
    Lookups lookups;
    std::set<std::string> complete_domains;
    auto filled = state_.read([&](SQLite::Database& db) {
        for (store::Question& question : store::due_questions(db, now(), kMostDue)) {
            if (lookups.questions.size() == kMostLookups) break;
            if (in_flight_.contains(question.id) || !needs_lookup(question)) continue;
            const std::string domain(question.address.domain());
            if (const config::Route* route = configuration_.route_of(domain);
                route != nullptr && route->policy.directory_complete)
                complete_domains.insert(domain);
            lookups.request.addresses.push_back(question.address);
            lookups.questions.push_back(std::move(question));
        }
        for (const std::string& domain : complete_domains)
            for (mail::Address& control : store::known_good(db, domain, 2))
                lookups.request.controls.push_back(std::move(control));
    });
    if (!filled) return fail(filled.error());
    for (const store::Question& question : lookups.questions) in_flight_.insert(question.id);
    return lookups;
}

Result<void> Asker::take_answer(const Lookups& lookups, const AddressFinder::Answer& answer) {
    const Time time = now();
    std::set<store::AddressId> to_call_out;
    auto stored = state_.write([&](store::Writer& writer) {
        to_call_out.clear();
        store::count(writer, "lookups", time, static_cast<std::int64_t>(lookups.questions.size()));
        for (const store::Question& question : lookups.questions) {
            const config::Route* route = configuration_.route_of(question.address.domain());
            const bool found =
                std::find(answer.found.begin(), answer.found.end(), question.address) != answer.found.end();
            if (found || route == nullptr) {
                store::end_question(writer, question.id);
                if (found) store::count(writer, "lookups-found", time, 1);
                continue;
            }
            if (route->asks()) to_call_out.insert(question.id);
            take_absence(writer, question, *route, answer, time);
        }
    });
    if (!stored) return stored;
    for (const store::Question& question : lookups.questions) in_flight_.erase(question.id);
    looked_up_.insert(to_call_out.begin(), to_call_out.end());
    for (const mail::Address& address : answer.found)
        spdlog::info("directory: {} is listed", address.external());
    on_evidence_();
    return {};
}

// No directory lists it. That proves nothing, unless the directories know every recipient of the domain.
void Asker::take_absence(store::Writer& writer, const store::Question& question, const config::Route& route,
                         const AddressFinder::Answer& answer, Time now) {
    const auto again = [&](std::chrono::milliseconds pause) {
        store::Question later = question;
        ++later.attempts;
        store::put_back(writer, later, now + pause);
    };
    if (!answer.complete) {
        // A directory did not answer: that is no answer to anybody who asks nobody else.
        if (!route.asks()) again(retry_pause(question.attempts));
        return;
    }
    const auto control = std::find_if(
        answer.controls.begin(), answer.controls.end(),
        [&](const mail::Address& address) { return address.domain() == question.address.domain(); });
    if (!route.policy.directory_complete || control == answer.controls.end()) {
        if (!route.asks()) store::end_question(writer, question.id);
        return;
    }
    const bool confirmed = store::record_absence(writer, question.id, answer.server, control->external(),
                                                 answer.began, now, route.policy.confirmation_interval);
    if (route.asks()) return;
    if (confirmed)
        store::end_question(writer, question.id);
    else
        again(route.policy.confirmation_interval);
}

std::vector<mail::Address> Asker::controls(const config::Route& route, const std::string& domain,
                                           const std::vector<store::Question>& questions) {
    std::vector<mail::Address> found;
    if (route.callout.control && route.callout.control->domain() == domain)
        found.push_back(*route.callout.control);
    if (const auto& last = domains_[domain].last_good) found.push_back(*last);
    auto known = state_.read([&](SQLite::Database& db) { return store::known_good(db, domain, 5); });
    if (known) found.insert(found.end(), known->begin(), known->end());
    std::vector<mail::Address> picked;
    for (const mail::Address& address : found) {
        // Nobody vouches for himself.
        const bool asked =
            std::any_of(questions.begin(), questions.end(),
                        [&](const store::Question& question) { return question.address == address; });
        if (!asked && std::find(picked.begin(), picked.end(), address) == picked.end() && picked.size() < 3)
            picked.push_back(address);
    }
    return picked;
}

boost::asio::awaitable<void> Asker::run(callout::Questions asked, std::vector<store::Question> questions,
                                        store::Seq began) {
    // GCC 12 wants its awaited values named.
    callout::SessionResult result;
    try {
        result = co_await callout::run_session(asked);
    } catch (const std::exception& error) {
        result.reason = error.what();
        for (const store::Question& question : questions) result.unanswered.push_back(question.address);
        spdlog::error("callout to {}: {}", asked.target.text(), error.what());
    }
    for (const std::string& line : result.transcript) spdlog::debug("{} {}", asked.target.text(), line);
    learn(asked, result);
    for (;;) {
        const auto stored = store_result(asked, questions, result, began);
        if (stored) break;
        // What was answered counts: it is kept until the state takes it.
        const bool busy = stored.error().code == ExitCode::try_again;
        if (!busy) log_failure(stored.error());
        boost::asio::steady_timer timer(
            executor_, busy ? std::chrono::milliseconds(20) : std::chrono::milliseconds(5000));
        co_await timer.async_wait(boost::asio::use_awaitable);
    }
    for (const store::Question& question : questions) {
        in_flight_.erase(question.id);
        looked_up_.erase(question.id);
    }
    --targets_[asked.target.text()].sessions;
    --active_;
    on_evidence_();
}

void Asker::learn(const callout::Questions& asked, const callout::SessionResult& result) {
    const std::string domain(asked.random_control.domain());
    TargetFacts& server = targets_[asked.target.text()];
    DomainFacts& facts = domains_[domain];
    const auto time = Clock::now();
    if (result.control_accepted) facts.last_good = result.control_accepted;
    const census::Refusals before = server.refusals;
    server.refusals =
        census::after_session(before, asked.most_refused, result.refused, result.limit_met, now());
    if (server.refusals.most != before.most)
        spdlog::info("{}: {} refused recipients a session from now on{}", asked.target.text(),
                     server.refusals.most, result.limit_met ? ", as it ended one" : "");
    switch (result.health) {
        case callout::Health::passed:
            if (server.pause.stopped || facts.pause.stopped)
                spdlog::info("callouts to {} for {} work again", asked.target.text(), domain);
            server.pause.pass();
            facts.pause.pass();
            // It answered none of the recipients: asking again at once would go on for ever.
            if (result.outcomes.empty() && !asked.recipients.empty()) server.pause.stop(time);
            break;
        case callout::Health::accept_all:
            if (!facts.pause.stopped)
                spdlog::error(
                    "{} accepts every recipient of {}: callouts prove nothing there, unknown recipients stay "
                    "unsure (450). Enable "
                    "recipient validation on it, or say accept = @{} if that is what you want",
                    asked.target.text(), domain, domain);
            facts.pause.stop(time);
            break;
        case callout::Health::fault:
        case callout::Health::retry:
            // A session that answered something and was cut off is no reason to stop.
            if (!result.outcomes.empty()) break;
            if (!server.pause.stopped)
                spdlog::error("callouts to {} stopped: {}", asked.target.text(), result.reason);
            server.pause.stop(time);
            break;
    }
}

Result<void> Asker::store_result(const callout::Questions& asked,
                                 const std::vector<store::Question>& questions,
                                 const callout::SessionResult& result, store::Seq began) {
    const Time time = now();
    const std::string domain(asked.random_control.domain());
    return state_.write([&](store::Writer& writer) {
        if (result.health == callout::Health::accept_all) store::set_accept_all(writer, domain, true);
        if (result.health == callout::Health::passed) store::set_accept_all(writer, domain, false);
        store::count(writer, "callout-sessions", time, 1);
        const census::Refusals& refusals = targets_[asked.target.text()].refusals;
        if (refusals != store::load_refusals(writer.db, asked.target.text()))
            store::save_refusals(writer, asked.target.text(), refusals);
        for (const census::CalloutOutcome& outcome : result.outcomes) {
            const auto question = std::find_if(
                questions.begin(), questions.end(),
                [&](const store::Question& candidate) { return candidate.address == outcome.recipient; });
            if (question == questions.end()) continue;
            store::count(writer, "callout-" + std::string(census::name_of(outcome.klass)), time, 1);
            store::record_callout(writer, question->id, outcome, began, time);
            if (census::conclusive(outcome.klass)) {
                store::end_question(writer, question->id);
            } else {
                store::Question again = *question;
                const auto pause = retry_pause(again.attempts++);
                store::put_back(writer, again, time + pause);
            }
            spdlog::info("callout {} at {}: {} ({}; {})", outcome.recipient.external(), outcome.target,
                         census::name_of(outcome.klass), outcome.reply.empty() ? "no reply" : outcome.reply,
                         outcome.controls);
        }
    });
}

}  // namespace postcensus::tasks
