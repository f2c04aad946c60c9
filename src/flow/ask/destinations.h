// SPDX-License-Identifier: MIT
// Whom to ask about an address: the route's servers, or where `callout = postfix` the host to which Postfix
// would deliver it. Postfix's tables are asked in a worker, and remembered for a minute. One thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "callout/session.h"
#include "config/configuration.h"
#include "mail/address.h"

namespace postcensus::flow {

// The same for who can wait. A Failure: Postfix's tables do not answer.
Result<std::vector<callout::Target>> find_targets(const config::Configuration& configuration,
                                                  const config::Route& route, const mail::Address& address);

class Destinations {
  public:
    using Clock = std::chrono::steady_clock;
    using Targets = std::vector<callout::Target>;

    // `on_known` is called when there is more to know.
    Destinations(boost::asio::any_io_executor executor, const config::Configuration& configuration,
                 std::function<void()> on_known);

    // None while it is not known: it is being asked then. Empty: Postfix names nobody. Controls do not wait
    // behind recipients: these wait for them.
    enum class Asked { recipient, control };
    std::optional<Targets> of(const config::Route& route, const mail::Address& address,
                              Asked asked = Asked::recipient);

    bool asking() const { return asking_; }

    // Then no coroutine runs any more.
    void join() { workers_.join(); }

  private:
    struct Known {
        Targets targets;
        Clock::time_point until{};
        bool failed = false;
    };
    boost::asio::awaitable<void> ask();
    boost::asio::awaitable<void> ask_all();

    boost::asio::any_io_executor executor_;
    const config::Configuration& configuration_;
    std::function<void()> on_known_;
    std::map<mail::Address, Known> known_;
    std::vector<mail::Address> wanted_;
    bool asking_ = false;
    std::string last_failure_;
    boost::asio::thread_pool workers_{1};
};

}  // namespace postcensus::flow
