// SPDX-License-Identifier: MIT
#include "flow/ask/destinations.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/in_worker.h"
#include "base/log.h"
#include "postfix/next_hop.h"

namespace postcensus::flow {
namespace {

using namespace std::chrono_literals;

constexpr auto kRemembered = 60s;
constexpr auto kAfterFailure = 5s;
constexpr std::size_t kMostKnown = 10'000;
constexpr std::size_t kMostLookedUp = 20;  // two or three processes each

std::vector<callout::Target> targets_of(const std::vector<postfix::Host>& hosts) {
    std::vector<callout::Target> targets;
    targets.reserve(hosts.size());
    for (const postfix::Host& host : hosts) targets.push_back({host.name, host.port});
    return targets;
}

}  // namespace

Result<std::vector<callout::Target>> find_targets(const config::Configuration& configuration,
                                                  const config::Route& route, const mail::Address& address) {
    if (!route.callout.ask_postfix) return route.callout.targets;
    const auto hops = postfix::NextHops::open(configuration.postfix.config_dir);
    if (!hops) return fail(hops.error());
    const auto hosts = hops->find(address);
    if (!hosts) return fail(hosts.error());
    return targets_of(*hosts);
}

Destinations::Destinations(boost::asio::any_io_executor executor, const config::Configuration& configuration,
                           std::function<void()> on_known)
    : executor_(std::move(executor)), configuration_(configuration), on_known_(std::move(on_known)) {}

std::optional<Destinations::Targets> Destinations::of(const config::Route& route,
                                                      const mail::Address& address, Asked asked) {
    if (!route.callout.ask_postfix) return route.callout.targets;
    const auto now = Clock::now();
    const auto found = known_.find(address);
    if (found != known_.end() && found->second.until > now)
        return found->second.failed ? std::nullopt : std::optional(found->second.targets);
    if ((asked == Asked::control || wanted_.size() < kMostLookedUp) &&
        std::find(wanted_.begin(), wanted_.end(), address) == wanted_.end())
        wanted_.push_back(address);
    if (!asking_) {
        asking_ = true;
        boost::asio::co_spawn(executor_, ask(), boost::asio::detached);
    }
    return std::nullopt;
}

boost::asio::awaitable<void> Destinations::ask() {
    try {
        co_await ask_all();
    } catch (const std::exception& error) {
        spdlog::error("callout = postfix: {}", error.what());
    }
    asking_ = false;
}

boost::asio::awaitable<void> Destinations::ask_all() {
    while (!wanted_.empty()) {
        const std::vector<mail::Address> asked = std::exchange(wanted_, {});
        using Answers = std::vector<Result<std::vector<postfix::Host>>>;
        // References only: GCC 12 destroys what a closure that is awaited holds by value twice.
        auto answers = co_await in_worker(workers_, [this, &asked] {
            Answers all;
            const auto hops = postfix::NextHops::open(configuration_.postfix.config_dir);
            for (const mail::Address& address : asked)
                all.push_back(hops ? hops->find(address) : fail(hops.error()));
            return all;
        });
        const auto now = Clock::now();
        if (known_.size() > kMostKnown) known_.clear();
        for (std::size_t i = 0; i < asked.size(); ++i) {
            Known& known = known_[asked[i]];
            known.failed = !answers[i];
            known.until = now + (answers[i] ? Clock::duration(kRemembered) : Clock::duration(kAfterFailure));
            if (answers[i]) known.targets = targets_of(*answers[i]);
            // Said once, not for each address.
            if (!answers[i] && answers[i].error().message != last_failure_) log_failure(answers[i].error());
            last_failure_ = answers[i] ? "" : answers[i].error().message;
        }
        on_known_();
    }
}

}  // namespace postcensus::flow
