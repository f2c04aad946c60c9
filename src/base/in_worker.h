// SPDX-License-Identifier: MIT
// Runs something that blocks in a pool, and comes back to the caller's thread with its result.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <type_traits>
#include <utility>

namespace postcensus {

template <typename Work>
boost::asio::awaitable<std::invoke_result_t<Work>> in_worker(boost::asio::thread_pool& pool, Work work) {
    auto task = [](Work inner) -> boost::asio::awaitable<std::invoke_result_t<Work>> { co_return inner(); };
    auto running = boost::asio::co_spawn(pool, task(std::move(work)), boost::asio::use_awaitable);
    co_return co_await std::move(running);
}

}  // namespace postcensus
