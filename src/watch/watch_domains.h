// SPDX-License-Identifier: MIT
// `domains = postfix` while `watch` runs: asks Postfix now and then which domains it relays, notes the
// answers, and says when they are others than those that this watch began with. On the thread that owns the
// state; Postfix's tables are asked in a worker.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <string>
#include <vector>

#include "flow/read/relay_domains.h"
#include "watch/condition.h"

namespace postcensus::watch {

class DomainWatch {
  public:
    // `take_strangers`: domains that strangers named since the last call. `on_change`: called once.
    DomainWatch(boost::asio::any_io_executor executor, const config::Configuration& configuration,
                store::Database& state, std::function<std::vector<std::string>()> take_strangers,
                std::function<void()> on_change);

    // Until there is a change.
    boost::asio::awaitable<void> run();
    // Strangers named a domain, or a command has written evidence.
    void look() { wanted_.notify(); }
    void join() { worker_.join(); }

  private:
    boost::asio::awaitable<void> ask(const flow::DomainQuestions& questions);

    boost::asio::any_io_executor executor_;
    const config::Configuration& configuration_;
    store::Database& state_;
    std::function<std::vector<std::string>()> take_strangers_;
    std::function<void()> on_change_;
    Condition wanted_;
    std::string last_failure_;
    boost::asio::thread_pool worker_{1};  // last: what runs in it uses the others
};

}  // namespace postcensus::watch
