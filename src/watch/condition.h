// SPDX-License-Identifier: MIT
// Lets one coroutine wait for what another one has for it, or for a time. One thread; a notification that
// nobody waits for is kept.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace postcensus::watch {

class Condition {
  public:
    explicit Condition(const boost::asio::any_io_executor& executor) : timer_(executor) {}

    void notify() {
        notified_ = true;
        timer_.cancel();
    }

    // Returns at once if there was a notification since the last wait. True if it was one, false if the time
    // was over.
    boost::asio::awaitable<bool> wait_until(std::chrono::steady_clock::time_point end) {
        if (!notified_) {
            timer_.expires_at(end);
            boost::system::error_code ignored;
            co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
        }
        co_return std::exchange(notified_, false);
    }

    boost::asio::awaitable<bool> wait_for(std::chrono::steady_clock::duration time) {
        return wait_until(std::chrono::steady_clock::now() + time);
    }

  private:
    boost::asio::steady_timer timer_;
    bool notified_ = false;
};

}  // namespace postcensus::watch
