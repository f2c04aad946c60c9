// SPDX-License-Identifier: MIT
#include "watch/watch_log_place.h"

#include <spdlog/spdlog.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/in_worker.h"

namespace postcensus::watch {
namespace {

using namespace std::chrono_literals;

constexpr auto kPlaceCheck = 60s;

}  // namespace

LogPlaceWatch::LogPlaceWatch(boost::asio::any_io_executor executor,
                             const config::Configuration& configuration, flow::LogPlace followed,
                             std::function<void()> on_change)
    : executor_(executor),
      configuration_(configuration),
      followed_(std::move(followed)),
      on_change_(std::move(on_change)) {}

boost::asio::awaitable<void> LogPlaceWatch::run() {
    for (;;) {
        boost::asio::steady_timer timer(executor_, kPlaceCheck);
        co_await timer.async_wait(boost::asio::use_awaitable);
        // A Postfix that cannot be asked now says nothing about its log.
        auto place = co_await in_worker(worker_, [this] { return flow::find_log(configuration_); });
        if (!place || *place == followed_) continue;
        spdlog::info("Postfix logs to {} now", flow::name_of(*place));
        on_change_();
        co_return;
    }
}

}  // namespace postcensus::watch
