// SPDX-License-Identifier: MIT
#include "watch/directory_watch.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/in_worker.h"
#include "base/log.h"

namespace postcensus::watch {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::awaitable;
using Clock = std::chrono::steady_clock;

Result<Followers> Followers::open(const config::Configuration& configuration) {
    Followers followers;
    const auto open_state = [&] {
        return store::Database::open(configuration.state.path, store::Database::Mode::existing, 10s);
    };
    for (const directory::Settings& settings : configuration.directories) {
        auto state = open_state();
        if (!state) return fail(state.error());
        followers.changes.push_back(std::make_unique<flow::ChangeFollower>(settings, *std::move(state)));
    }
    if (configuration.directories.empty()) return followers;
    auto state = open_state();
    if (!state) return fail(state.error());
    followers.finder = std::make_unique<flow::AddressFinder>(configuration.directories, *std::move(state));
    return followers;
}

DirectoryWatch::DirectoryWatch(const asio::any_io_executor& executor, Followers followers,
                               flow::Lookups lookups, std::function<void()> on_evidence,
                               std::function<Clock::duration(const Failure&)> trouble)
    : executor_(executor),
      followers_(std::move(followers)),
      lookups_(std::move(lookups)),
      on_evidence_(std::move(on_evidence)),
      trouble_(std::move(trouble)),
      due_(executor),
      workers_(followers_.changes.size() + 1) {
    for (std::size_t i = 0; i < followers_.changes.size(); ++i)
        polls_.push_back(std::make_unique<Condition>(executor));
}

std::vector<DirectoryWatch::Task> DirectoryWatch::tasks() {
    std::vector<Task> all;
    if (followers_.finder) all.emplace_back([this] { return look_up(); });
    for (std::size_t i = 0; i < followers_.changes.size(); ++i)
        if (followers_.changes[i]->settings().poll_interval > 0ms)
            all.emplace_back([this, i] { return follow_changes(i); });
    return all;
}

void DirectoryWatch::poll_now() {
    for (const auto& poll : polls_) poll->notify();
}

void DirectoryWatch::stop() {
    stopping_ = true;
    for (const auto& follower : followers_.changes) follower->interrupt();
    if (followers_.finder) followers_.finder->interrupt();
}

awaitable<void> DirectoryWatch::follow_changes(std::size_t number) {
    flow::ChangeFollower& follower = *followers_.changes[number];
    const std::string& name = follower.settings().name;
    std::string last_failure;
    bool said_not_yet = false;
    while (!stopping_) {
        auto poll = co_await in_worker(workers_, [&follower] { return follower.poll(); });
        if (stopping_) co_return;
        if (!poll) {
            // Said once, not at every poll.
            const bool news = poll.error().message != last_failure;
            last_failure = poll.error().message;
            poll.error().message = fmt::format("{}: {}", name, last_failure);
            if (news) log_failure(poll.error());
        } else {
            spdlog::debug("{}: polled", name);
            if (!last_failure.empty()) spdlog::info("{}: the directory answers again", name);
            last_failure.clear();
            if (!poll->possible && !said_not_yet)
                spdlog::info("{}: its changes are followed after the first `sync`", name);
            said_not_yet = !poll->possible;
            if (poll->changed) {
                spdlog::info("{}", poll->summary);
                on_evidence_();
            }
        }
        co_await polls_[number]->wait_for(follower.settings().poll_interval);
    }
}

awaitable<void> DirectoryWatch::look_up() {
    while (!stopping_) {
        auto again = co_await look_up_due();
        // GCC 12 takes both sides of a conditional that is awaited.
        Clock::time_point until = Clock::now() + 1min;
        if (again) until = std::min(*again, until);
        if (!again) until = Clock::now() + trouble_(again.error());
        co_await due_.wait_until(until);
    }
}

awaitable<Result<Clock::time_point>> DirectoryWatch::look_up_due() {
    if (!followers_.finder) co_return Clock::time_point::max();
    auto batch = lookups_.next();
    if (!batch) co_return fail(batch.error());
    if (batch->questions.empty()) co_return batch->again;
    const Moment asked = Moment::now();
    auto answer =
        co_await in_worker(workers_, [this, &batch] { return followers_.finder->find(batch->request); });
    for (const std::string& line : answer.troubles) spdlog::warn("lookup failed: {}", line);
    while (!stopping_) {
        auto taken = lookups_.take_answer(*batch, answer, asked);
        if (taken) break;
        asio::steady_timer timer(executor_, trouble_(taken.error()));
        co_await timer.async_wait(asio::use_awaitable);
    }
    on_evidence_();
    co_return Clock::time_point{};
}

}  // namespace postcensus::watch
