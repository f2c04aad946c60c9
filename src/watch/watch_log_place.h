// SPDX-License-Identifier: MIT
// `source = auto` while `watch` runs: looks now and then where Postfix logs to, and says when that is not
// the place any more that is followed: syslog was installed or taken away, its file came after the start. On
// the thread that owns the state; Postfix and the journal are asked in a worker.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>

#include "flow/follow/follow_log.h"

namespace postcensus::watch {

class LogPlaceWatch {
  public:
    // `on_change`: called once.
    LogPlaceWatch(boost::asio::any_io_executor executor, const config::Configuration& configuration,
                  flow::LogPlace followed, std::function<void()> on_change);

    // Until there is a change.
    boost::asio::awaitable<void> run();
    void join() { worker_.join(); }

  private:
    boost::asio::any_io_executor executor_;
    const config::Configuration& configuration_;
    flow::LogPlace followed_;
    std::function<void()> on_change_;
    boost::asio::thread_pool worker_{1};  // last: what runs in it uses the others
};

}  // namespace postcensus::watch
