// SPDX-License-Identifier: MIT
// The directories' part of `watch`: it polls each one for changes, and has missed addresses looked up before
// anybody is called out for them. Coroutines of the caller's thread; what blocks on a server runs in workers.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "flow/ask/lookups.h"
#include "flow/read/changes.h"
#include "watch/condition.h"

namespace postcensus::watch {

// The directories of a configuration, each with what blocks on it.
struct Followers {
    std::vector<std::unique_ptr<flow::ChangeFollower>> changes;
    std::unique_ptr<flow::AddressFinder> finder;  // none without directories

    static Result<Followers> open(const config::Configuration& configuration);
};

class DirectoryWatch {
  public:
    // `on_evidence`: something was applied, and is to be decided. `trouble`: how long to wait after a
    // Failure.
    DirectoryWatch(const boost::asio::any_io_executor& executor, Followers followers, flow::Lookups lookups,
                   std::function<void()> on_evidence,
                   std::function<std::chrono::steady_clock::duration(const Failure&)> trouble);

    // Each to be spawned by the caller; it ends after stop().
    using Task = std::function<boost::asio::awaitable<void>()>;
    std::vector<Task> tasks();

    // Looks up what stands in line; when the budget allows more, or max if there is nothing more, or the past
    // if there may be more at once.
    boost::asio::awaitable<Result<std::chrono::steady_clock::time_point>> look_up_due();
    // There may be something to look up.
    void look_up_soon() { due_.notify(); }

    void poll_now();

    // What waits for a server comes back. Then join() once the caller's thread runs no coroutines any more.
    void stop();
    void join() { workers_.join(); }

  private:
    boost::asio::awaitable<void> follow_changes(std::size_t number);
    boost::asio::awaitable<void> look_up();

    boost::asio::any_io_executor executor_;
    Followers followers_;
    flow::Lookups lookups_;
    std::function<void()> on_evidence_;
    std::function<std::chrono::steady_clock::duration(const Failure&)> trouble_;
    Condition due_;                                  // there is something to look up
    std::vector<std::unique_ptr<Condition>> polls_;  // one a follower: poll now
    bool stopping_ = false;
    boost::asio::thread_pool workers_;  // last: what runs in it uses the others
};

}  // namespace postcensus::watch
