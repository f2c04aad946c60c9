// SPDX-License-Identifier: MIT
#include "flow/ask/targets.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace postcensus::flow {
namespace {

using namespace std::chrono_literals;

constexpr auto kFirstPause = 5s;
constexpr auto kLongestPause = 60s;
constexpr auto kCrowded = 10min;
constexpr std::size_t kMostBreakers =
    1000;  // that are shown: one fault may be about all domains of a hosting
constexpr int kFewestUnsaid = 4;
constexpr auto kNextSession = 500ms;  // a server may count one for a moment after its end

}  // namespace

void Targets::Pause::stop(Clock::time_point now, const std::string& why) {
    since = now;
    reason = why;
    // Sessions that ran beside each other report one fault, not several.
    if (stopped && until > now) return;
    length = stopped ? std::min<std::chrono::seconds>(length * 2, kLongestPause) : kFirstPause;
    stopped = true;
    until = now + length;
}

bool Targets::Pause::pass(Clock::time_point controls_at) {
    if (!stopped || controls_at < since) return false;
    *this = {};
    return true;
}

Targets::Server& Targets::server(const callout::Target& target) {
    Server& server = servers_[target.text()];
    if (!std::exchange(server.loaded, true)) {
        auto pace = state_.read([&](SQLite::Database& db) { return store::load_pace(db, target.text()); });
        if (pace) server.pace = *pace;
    }
    return server;
}

void Targets::session_ends(const callout::Target& target, Clock::time_point now) {
    Server& one = server(target);
    --one.sessions;
    // One that it turned away is no reason to be turned away.
    if (one.no_session_before <= now) one.last_end = now;
}

std::size_t Targets::stopped() const {
    return static_cast<std::size_t>(std::count_if(servers_.begin(), servers_.end(),
                                                  [](const auto& one) { return one.second.pause.stopped; }));
}

std::vector<census::BreakerLine> Targets::breakers() const {
    std::vector<census::BreakerLine> all;
    for (const auto& [target, server] : servers_)
        if (server.pause.stopped && all.size() < kMostBreakers)
            all.push_back({target, "", {}, server.pause.reason});
    for (const auto& [pair, pause] : pairs_)
        if (pause.stopped && all.size() < kMostBreakers)
            all.push_back({pair.first, pair.second, {}, pause.reason});
    return all;
}

Targets::Opening Targets::opening(const std::vector<callout::Target>& targets, int sessions,
                                  const std::string& domain, Clock::time_point now) {
    Opening opening{.at = now + kLongestPause};
    const Pause& of_domain = domains_[domain];
    if (of_domain.stopped && of_domain.until > now) {
        opening.at = of_domain.until;
        return opening;
    }
    for (const callout::Target& target : targets) {
        Server& one = server(target);
        const Pause& pair = about(target, domain);
        bool paused = false;
        for (const Pause* pause : {&std::as_const(one.pause), &pair})
            if (pause->stopped && pause->until > now) {
                opening.at = std::min(opening.at, pause->until);
                paused = true;
            }
        if (paused) continue;
        if (one.no_session_before > now) {
            opening.at = one.no_session_before;
            return opening;
        }
        if (one.crowded_until <= now) one.most_sessions.reset();
        opening.target = &target;
        opening.controls_only = one.pause.stopped || pair.stopped || of_domain.stopped;
        opening.wary = doubts_.contains({target.text(), domain});
        opening.free = std::min(sessions, one.most_sessions.value_or(sessions)) - one.sessions;
        opening.pace = one.pace;
        return opening;
    }
    return opening;
}

// A server that has other sessions of ours, or had one a moment ago, and turns this one away has as many as
// it takes.
bool Targets::is_crowded(const callout::SessionResult& result, Server& server, Clock::time_point now) {
    const bool others = server.sessions >= 2 || now - server.last_end < kNextSession;
    if (!result.turned_away || !others || server.pause.stopped) return false;
    server.most_sessions =
        std::max(1, std::min(server.most_sessions.value_or(server.sessions), server.sessions) - 1);
    server.crowded_until = now + kCrowded;
    server.no_session_before = now + kNextSession;
    return true;
}

Targets::Lesson Targets::learn_passed(const Shown& shown, Clock::time_point now) {
    const std::string domain(shown.began_with.random_control.domain());
    const std::string name = shown.began_with.target.text();
    Server& one = server(shown.began_with.target);
    Pause& pair = about(shown.began_with.target, domain);
    Pause& of_domain = domains_[domain];
    for (const Pause* pause : {&std::as_const(pair), &std::as_const(of_domain)})
        if (pause->stopped && shown.controls_at < pause->since) return {.stale = true};
    // Asking again at once would go on for ever.
    if (shown.in_vain) {
        if (!pair.stopped)
            spdlog::info("{} answered nothing about {}: {}", name, domain, shown.result.reason);
        pair.stop(now, shown.result.reason);
        ++changes_;
        pair.vain = true;
        return {};
    }
    const bool server_back = one.pause.pass(shown.controls_at);
    const bool answered = !pair.vain || !shown.result.outcomes.empty();
    const bool was_vain = pair.vain;
    const bool pair_back = answered && pair.pass(shown.controls_at);
    const bool domain_back = of_domain.pass(shown.controls_at);
    if (server_back || pair_back) ++changes_;
    const bool back = server_back || (pair_back && !was_vain) || domain_back;
    if (back) spdlog::info("callouts to {} for {} work again", name, domain);
    return {.works_again = back};
}

// True: it is new.
bool Targets::learn_doubt(const Shown& shown) {
    const callout::SessionResult& result = shown.result;
    const std::pair pair(shown.began_with.target.text(),
                         std::string(shown.began_with.random_control.domain()));
    if (!result.controls_refused.empty()) {
        if (!doubts_.insert(pair).second) return false;
        spdlog::warn(
            "{} refuses {}, who is known to exist: its refusals for {} prove nothing until it accepts all "
            "known-good controls of a session",
            pair.first, result.controls_refused.front().external(), pair.second);
        return true;
    }
    if (shown.began_with.wary && result.health == callout::Health::passed && result.all_accepted &&
        doubts_.erase(pair) > 0)
        spdlog::info("{} knows all known-good controls for {} again", pair.first, pair.second);
    return false;
}

Targets::Lesson Targets::learn(const Shown& shown, Clock::time_point now) {
    const bool begins = learn_doubt(shown);
    const bool passed = shown.result.health == callout::Health::passed;
    Lesson lesson = passed ? learn_passed(shown, now) : learn_failed(shown, now);
    lesson.doubt_begins = begins;
    lesson.doubtful =
        !shown.began_with.wary && doubts_.contains({shown.began_with.target.text(),
                                                    std::string(shown.began_with.random_control.domain())});
    return lesson;
}

Targets::Lesson Targets::learn_failed(const Shown& shown, Clock::time_point now) {
    const callout::SessionResult& result = shown.result;
    const std::string domain(shown.began_with.random_control.domain());
    const std::string name = shown.began_with.target.text();
    Server& one = server(shown.began_with.target);
    if (result.health == callout::Health::accept_all) {
        Pause& of_domain = domains_[domain];
        if (!of_domain.stopped)
            spdlog::error(
                "{} accepts every recipient of {}: callouts prove nothing there, unknown recipients stay "
                "unsure (450). Enable recipient validation on it, or say accept = @{} if that is what you "
                "want",
                name, domain, domain);
        if (one.pause.pass(shown.controls_at)) ++changes_;
        of_domain.stop(now, result.reason);
        return {};
    }
    if (is_crowded(result, one, now)) {
        spdlog::info("{} takes {} sessions at a time now: {}", name, *one.most_sessions, result.reason);
        return {};
    }
    // What it says to RCPT is about the domain; what it says before, about us.
    Pause& pause = result.sender_accepted ? about(shown.began_with.target, domain) : one.pause;
    if (!pause.stopped) {
        if (result.sender_accepted)
            spdlog::error("callouts to {} for {} stopped: {}", name, domain, result.reason);
        else
            spdlog::error("callouts to {} stopped: {}", name, result.reason);
    }
    if (result.sender_accepted) one.pause.pass(shown.controls_at);
    pause.stop(now, result.reason);
    ++changes_;
    return {};
}

void Targets::learn_pace(const callout::Questions& began_with, const callout::SessionResult& result,
                         Time now) {
    Server& one = server(began_with.target);
    const census::Pace before = one.pace;
    std::optional<int> limit = result.limit;
    if (!limit && result.slowed_at > 0) limit = result.slowed_at;
    // A restart, or a recipient that breaks sessions, looks the same. The same number a second time does not;
    // and no server is so strict without a word.
    if (limit && !result.limit_said)
        if (*limit < kFewestUnsaid || std::exchange(one.suspected_limit, limit) != limit) limit.reset();
    one.pace = census::after_session(before,
                                     {.over = !result.stays_open,
                                      .allowed = began_with.most_refused,
                                      .refused = result.refused,
                                      .limit = limit,
                                      .tarpit = result.tarpit},
                                     now);
    if (one.pace.most_refused != before.most_refused)
        spdlog::info("{}: {} refused recipients a session from now on{}", began_with.target.text(),
                     one.pace.most_refused,
                     result.limit           ? ", as it ended one"
                     : result.slowed_at > 0 ? ", as it slows down then"
                                            : "");
}

void Targets::save_pace(store::Writer& writer, const callout::Target& target) {
    const census::Pace& pace = server(target).pace;
    if (pace != store::load_pace(writer.db, target.text())) store::save_pace(writer, target.text(), pace);
}

}  // namespace postcensus::flow
