// SPDX-License-Identifier: MIT
#include "flow/ask/asker.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "callout/classify.h"
#include "flow/ask/retry_pause.h"
#include "flow/ask/turns.h"
#include "store/callouts.h"
#include "store/domains.h"
#include "store/history.h"

namespace postcensus::flow {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kLooked = 100;  // of a line at a time
// Asked by a session before anything is stored; by one that is slow each for itself.
constexpr std::size_t kMostTaken = 25;
constexpr std::size_t kWorthASession = 10;
// So often one that nobody waits for goes before those that somebody waits for.
constexpr std::size_t kOthersTurn = 10;
constexpr auto kSessionRest = 60s;
constexpr auto kHostUnknown = 5s;
constexpr auto kOwnTime = 20s;  // before another domain may take the place of a busy session
// Exchange ends a connection after 10 minutes; and the controls ought to be fresh.
constexpr auto kLife = 2min;

}  // namespace

Asker::Asker(boost::asio::any_io_executor executor, const config::Configuration& configuration,
             store::Database& state, census::Admission& admission, std::string helo,
             std::function<void()> on_evidence)
    : executor_(std::move(executor)),
      configuration_(configuration),
      state_(state),
      admission_(admission),
      helo_(std::move(helo)),
      on_evidence_(std::move(on_evidence)),
      targets_(state),
      destinations_(executor_, configuration, on_evidence_) {}

Result<Asker::Clock::time_point> Asker::start_due(bool stay) {
    const Clock::time_point time = Clock::now();
    Clock::time_point next = time + 60s;
    auto due = state_.read([](SQLite::Database& db) { return store::next_due(db); });
    if (!due) return fail(due.error());
    if (!lined_up_ || (*due && **due <= now())) {
        auto lined = state_.write([&](store::Writer& writer) {
            if (!lined_up_) store::set_breakers(writer, {}, now());  // the last watch's are forgotten
            store::line_up(writer, now(), !configuration_.directories.empty());
        });
        if (!lined) return fail(lined.error());
        lined_up_ = true;
        due = state_.read([](SQLite::Database& db) { return store::next_due(db); });
        if (!due) return fail(due.error());
    }
    auto domains =
        state_.read([](SQLite::Database& db) { return store::domains_in_line(db, store::Step::call_out); });
    if (!domains) return fail(domains.error());
    // Behind the domain that had a session last: each has its turn at a place that is free.
    std::rotate(domains->begin(), std::upper_bound(domains->begin(), domains->end(), served_),
                domains->end());
    for (const std::string& domain : *domains) start_domain(domain, stay, time, next);
    if (*due) next = std::min<Clock::time_point>(next, time + std::max<Milliseconds>(**due - now(), 1ms));
    return next;
}

void Asker::start_domain(const std::string& domain, bool stay, Clock::time_point now,
                         Clock::time_point& next) {
    const config::Route* route = configuration_.route_of(domain);
    if (route == nullptr || !route->asks()) {
        end_unanswerable(domain);
        next = std::min<Clock::time_point>(next, now + 1s);  // for the others, if there are more
        return;
    }
    if (!route->callout.ask_postfix) {
        const auto at = targets_.opening(route->callout.targets, route->callout.sessions, domain, now);
        if (at.target == nullptr) {
            next = std::min(next, at.at);
            return;
        }
    }
    const auto waiting = line_of(domain, true, kLooked);
    const auto others = line_of(domain, false, kLooked);
    if (!waiting || !others) return;
    // Mostly all have the same servers.
    std::vector<Group> groups;
    Questions nowhere;
    for (const Questions* line : {&*waiting, &*others})
        for (const store::Question& question : *line) {
            auto targets = destinations_.of(*route, question.address);
            if (!targets) {
                next = std::min<Clock::time_point>(next, now + kHostUnknown);
                continue;
            }
            if (targets->empty()) {
                nowhere.push_back(question);
                continue;
            }
            auto group = std::find_if(groups.begin(), groups.end(),
                                      [&](const Group& one) { return one.targets == *targets; });
            if (group == groups.end()) group = groups.insert(group, Group{*std::move(targets)});
            group->questions.push_back(question);
        }
    for (const Group& group : groups) start_group(*route, domain, group, stay, now, next);
    if (nowhere.empty()) return;
    spdlog::warn("Postfix's transport tables name no host for {}", nowhere.front().address.external());
    const auto stored = state_.write([&](store::Writer& writer) {
        for (const store::Question& question : nowhere)
            store::put_back(writer, question, postcensus::now(), retry_pause(question.attempts));
    });
    if (!stored) next = std::min<Clock::time_point>(next, now + 1s);
}

void Asker::start_group(const config::Route& route, const std::string& domain, const Group& group, bool stay,
                        Clock::time_point now, Clock::time_point& next) {
    const Targets::Opening opening = targets_.opening(group.targets, route.callout.sessions, domain, now);
    if (opening.target == nullptr) {
        next = std::min(next, opening.at);
        return;
    }
    const auto unpaid = static_cast<std::size_t>(
        std::count_if(group.questions.begin(), group.questions.end(),
                      [this](const store::Question& question) { return !is_paid(question); }));
    std::size_t can_ask = group.questions.size() - unpaid;
    if (unpaid > 0) {
        const Clock::time_point allowed = admission_.next_ask(domain, now);
        if (allowed > now) next = std::min(next, allowed);
        if (allowed <= now) can_ask += unpaid;
    }
    if (can_ask == 0) return;

    std::size_t busy = 0;
    std::size_t resting = 0;
    for (Call& call : calls_)
        if (call.domain == domain && call.target == *opening.target && !call.over) {
            ++(call.resting ? resting : busy);
            call.wake();
        }
    std::size_t wanted = opening.pace.slow() ? can_ask : (can_ask + kWorthASession - 1) / kWorthASession;
    const std::size_t there = resting + (opening.pace.slow() ? 0 : busy);
    wanted -= std::min(wanted, there);
    if (opening.controls_only) wanted = busy + resting > 0 ? 0 : 1;
    if (wanted == 0) return;
    if (opening.free <= 0) {
        if (busy + resting > 0) return;
        make_room(*opening.target, now);
        next = std::min<Clock::time_point>(next, now + kOwnTime);
        return;
    }
    const auto known_good = controls(route, domain, group, now);
    if (!known_good) {
        next = std::min<Clock::time_point>(next, now + kHostUnknown);
        return;
    }
    const callout::Questions begin{.target = *opening.target,
                                   .helo = route.callout.helo.empty() ? helo_ : route.callout.helo,
                                   .mail_from = route.callout.mail_from,
                                   .tls = route.callout.tls,
                                   .random_control = callout::make_random_control(domain),
                                   .known_good = *known_good,
                                   .recipients = {},
                                   .most_refused = opening.pace.most_refused,
                                   .wary = opening.wary,
                                   .stay = true};
    for (std::size_t i = std::min(wanted, static_cast<std::size_t>(opening.free)); i > 0; --i) {
        const auto call = calls_.insert(calls_.end(), Call{.domain = domain, .target = *opening.target});
        call->targets = group.targets;
        call->stay = stay;
        call->born = now;
        served_ = domain;
        targets_.session_begins(call->target);
        boost::asio::co_spawn(executor_, run(call, begin), boost::asio::detached);
    }
}

// One session fewer for others: one that has nothing to ask, or the longest.
void Asker::make_room(const callout::Target& target, Clock::time_point now) {
    Call* chosen = nullptr;
    for (Call& call : calls_) {  // in the order in which they began
        if (call.target != target) continue;
        if (call.over) return;  // one ends already
        if (chosen == nullptr || (call.resting && !chosen->resting)) chosen = &call;
    }
    // One that has just passed its controls would have done so for nothing.
    if (chosen == nullptr || (!chosen->resting && now - chosen->born < kOwnTime)) return;
    chosen->over = true;
    chosen->wake();
}

// Nobody can answer these any more: the route has gone, or it asks no one now.
void Asker::end_unanswerable(const std::string& domain) {
    const auto ended = state_.write([&](store::Writer& writer) {
        for (const bool sender_waits : {true, false})
            for (const store::Question& question :
                 store::in_line(writer.db, store::Step::call_out, domain, sender_waits, kLooked))
                store::end_question(writer, question.id);
    });
    if (!ended) spdlog::debug("{}", ended.error().message);
}

Result<Asker::Questions> Asker::line_of(const std::string& domain, bool sender_waits, std::size_t most) {
    auto line = state_.read([&](SQLite::Database& db) {
        return store::in_line(db, store::Step::call_out, domain, sender_waits, most + in_flight_.size());
    });
    if (line)
        std::erase_if(*line,
                      [this](const store::Question& question) { return in_flight_.contains(question.id); });
    return line;
}

Asker::Questions Asker::take(Call& call, const callout::SessionResult& result, int most_refused) {
    auto waiting = line_of(call.domain, true, kLooked);
    auto others = line_of(call.domain, false, kLooked);
    Questions taken;
    if (!waiting || !others) return taken;
    if (const config::Route* route = configuration_.route_of(call.domain)) {
        const auto elsewhere = [&](const store::Question& question) {
            return destinations_.of(*route, question.address) != call.targets;
        };
        std::erase_if(*waiting, elsewhere);
        std::erase_if(*others, elsewhere);
    }
    put_in_order(*waiting, admission_);
    const auto beside =
        static_cast<std::size_t>(std::count_if(calls_.begin(), calls_.end(), [&](const Call& other) {
            return other.domain == call.domain && other.target == call.target;
        }));
    const std::size_t share = (waiting->size() + others->size() + beside - 1) / beside;
    const bool slow = census::Pace{.tarpit = result.tarpit}.slow();
    const std::size_t most = slow ? 1 : std::clamp<std::size_t>(share, 1, kMostTaken);
    // What costs a token is taken only if it can be asked.
    int affordable = most_refused - result.refused;
    const auto time = Clock::now();
    auto next_waiting = waiting->begin();
    auto next_other = others->begin();
    while (taken.size() < most) {
        const bool others_turn = next_other != others->end() && (taken_ + 1) % kOthersTurn == 0;
        auto& next = others_turn || next_waiting == waiting->end() ? next_other : next_waiting;
        if (next == others->end() || next == waiting->end()) break;
        const store::Question& question = *next++;
        if (result.control_accepted && question.address == *result.control_accepted) {
            call.over = true;  // another session has another control
            continue;
        }
        if (!is_paid(question) && (affordable-- <= 0 || !admission_.may_ask(call.domain, time))) {
            next_waiting = waiting->end();
            continue;
        }
        if (question.sender_waits) admission_.note_taken(call.domain, question.place.turn);
        ++taken_;
        in_flight_.insert(question.id);
        taken.push_back(question);
    }
    return taken;
}

std::optional<std::vector<mail::Address>> Asker::controls(const config::Route& route,
                                                          const std::string& domain, const Group& group,
                                                          Clock::time_point now) {
    // Nobody vouches for himself.
    const auto is_asked = [&](const mail::Address& address) {
        return std::any_of(group.questions.begin(), group.questions.end(),
                           [&](const store::Question& question) { return question.address == address; });
    };
    const auto draw = [&] {
        auto drawn = state_.read([&](SQLite::Database& db) { return draw_controls(db, route, domain); });
        return drawn ? *std::move(drawn) : std::vector<mail::Address>{};
    };
    auto picked = draws_.take(domain, group.targets, now, draw, [&](const mail::Address& address) {
        return destinations_.of(route, address, Destinations::Asked::control);
    });
    if (picked) std::erase_if(*picked, is_asked);
    return picked;
}

boost::asio::awaitable<void> Asker::run(std::list<Call>::iterator call, callout::Questions begin) {
    try {
        co_await hold(*call, begin);
    } catch (const std::exception& error) {
        spdlog::error("callout to {}: {}", call->target.text(), error.what());
        callout::SessionResult broken;
        broken.reason = error.what();
        targets_.learn({.began_with = begin, .result = broken}, Clock::now());
    }
    for (const store::Question& question : call->asked) in_flight_.erase(question.id);
    targets_.session_ends(call->target, Clock::now());
    calls_.erase(call);
    on_evidence_();
}

boost::asio::awaitable<void> Asker::hold(Call& call, callout::Questions begin) {
    callout::Session session(begin);
    call.session = &session;
    // GCC 12 wants its awaited values named.
    callout::SessionResult result = co_await session.begin();
    call.controls_at = Clock::now();
    co_await take_result(call, begin, result, 0);
    while (result.stays_open) {
        const bool old = Clock::now() - call.born >= kLife;
        if (!call.over && !old) call.asked = take(call, result, begin.most_refused);
        if (call.asked.empty()) {
            if (!call.stay || call.over || old) break;
            const Clock::time_point since = Clock::now();
            call.resting = true;
            const bool open = co_await session.rest(kSessionRest);
            call.resting = false;
            if (!open) {
                result = session.take_last();
                co_await take_result(call, begin, result, 0);
                co_return;
            }
            if (Clock::now() - since >= kSessionRest) break;
            continue;
        }
        const auto began = state_.current_seq();
        if (!began) break;
        std::vector<mail::Address> addresses;
        for (const store::Question& question : call.asked) addresses.push_back(question.address);
        auto answered = co_await session.ask(std::move(addresses));
        result = std::move(answered);
        co_await take_result(call, begin, result, *began);
    }
    if (!result.stays_open) co_return;
    auto ended = co_await session.end();
    co_await take_result(call, begin, ended, 0);
}

boost::asio::awaitable<void> Asker::take_result(Call& call, const callout::Questions& begin,
                                                callout::SessionResult result, store::Seq began) {
    for (const std::string& line : result.transcript) spdlog::debug("{} {}", call.target.text(), line);
    call.answered += result.outcomes.size();
    const bool in_vain = call.answered == 0 && !result.unanswered.empty() && !result.stays_open;
    const Targets::Lesson lesson = targets_.learn(
        {.began_with = begin, .result = result, .controls_at = call.controls_at, .in_vain = in_vain},
        Clock::now());
    if (result.health == callout::Health::fault || result.health == callout::Health::accept_all ||
        lesson.stale || lesson.doubt_begins)
        end_others(call);
    if (lesson.doubtful) callout::take_back_refusals(result.outcomes);
    targets_.learn_pace(begin, result, now());
    for (;;) {
        const auto stored = store_result(call, result, began, lesson);
        if (stored) break;
        // What was answered counts: it is kept until the state takes it.
        const bool busy = stored.error().code == ExitCode::try_again;
        if (!busy && !call.stay) {
            failure_ = stored.error();
            break;
        }
        if (!busy) log_failure(stored.error());
        boost::asio::steady_timer timer(executor_, busy ? Milliseconds(20) : Milliseconds(5000));
        co_await timer.async_wait(boost::asio::use_awaitable);
    }
    for (const store::Question& question : call.asked) {
        in_flight_.erase(question.id);
        const bool unanswered = std::find(result.unanswered.begin(), result.unanswered.end(),
                                          question.address) != result.unanswered.end();
        if (unanswered && !is_paid(question)) admission_.give_back(call.domain);
    }
    if (!call.asked.empty()) on_evidence_();
    call.asked.clear();
}

Result<void> Asker::store_result(const Call& call, const callout::SessionResult& result, store::Seq began,
                                 const Targets::Lesson& lesson) {
    const Moment moment = Moment::now();
    const Time time = moment.wall;
    const std::uint64_t changes = targets_.changes();
    const auto question_of = [&](const mail::Address& address) {
        return std::find_if(call.asked.begin(), call.asked.end(),
                            [&](const store::Question& candidate) { return candidate.address == address; });
    };
    auto stored = state_.write([&](store::Writer& writer) {
        if (changes != saved_changes_) store::set_breakers(writer, targets_.breakers(), time);
        if (result.health == callout::Health::accept_all) store::set_accept_all(writer, call.domain, true);
        if (lesson.stale) return;  // what it says now, it says without controls: all of it is asked again
        if (result.health == callout::Health::passed) store::set_accept_all(writer, call.domain, false);
        if (lesson.works_again) store::bring_forward(writer, call.domain, time);
        if (!result.stays_open) {
            store::count(writer, "sessions", time, 1, call.target.text());
            targets_.save_pace(writer, call.target);
        }
        // Is it a stale listing? That is a question like any other.
        if (result.health == callout::Health::passed)
            for (const mail::Address& address : result.controls_refused)
                if (const auto id = store::find_address(writer.db, address))
                    store::ask(writer, *id, "control", time, time);
        for (const census::CalloutOutcome& outcome : result.outcomes) {
            const auto question = question_of(outcome.recipient);
            if (question == call.asked.end() || !store::is_same(writer.db, *question)) continue;
            store::count(writer, "callout-" + std::string(census::name_of(outcome.klass)), time, 1,
                         call.target.text());
            store::record_callout(writer, question->id, outcome, began, outcome.heard.seen_at(moment));
            if (!census::conclusive(outcome.klass))
                store::put_back(writer, *question, time, retry_pause(question->attempts));
            else if (store::is_news(writer.db, question->id, began))
                store::end_question(writer, question->id);
            // Else it was raised anew while it was asked, and stays in line.
        }
        // It may be the reason, and must not stand in the way of all others. Of a server that was out of step
        // any of them may be.
        for (const mail::Address& address : result.unanswered)
            if (result.broke_at == address || result.health != callout::Health::passed)
                if (const auto question = question_of(address); question != call.asked.end())
                    store::put_back(writer, *question, time, retry_pause(question->attempts));
    });
    if (stored) saved_changes_ = changes;
    if (!stored || lesson.stale) return stored;
    for (const census::CalloutOutcome& outcome : result.outcomes) {
        spdlog::info("callout {} at {}: {} ({}; {})", outcome.recipient.external(), outcome.target,
                     census::name_of(outcome.klass), outcome.reply.empty() ? "no reply" : outcome.reply,
                     outcome.controls);
        const auto question = question_of(outcome.recipient);
        if (question != call.asked.end() && question->sender_waits && census::conclusive(outcome.klass))
            admission_.note_answer(question->client, outcome.klass == census::CalloutClass::unknown);
    }
    return {};
}

// Their controls passed before one of this one's failed: what they say now proves nothing.
void Asker::end_others(const Call& call) {
    for (Call& other : calls_)
        if (other.domain == call.domain && other.target == call.target) {
            other.over = true;
            other.wake();
        }
}

}  // namespace postcensus::flow
