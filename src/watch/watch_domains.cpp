// SPDX-License-Identifier: MIT
#include "watch/watch_domains.h"

#include <spdlog/spdlog.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <tuple>

#include "base/in_worker.h"
#include "base/log.h"
#include "store/domains.h"

namespace postcensus::watch {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kDomainsCheck = 60s;
constexpr auto kPause = 2s;
constexpr auto kPace = 50ms;  // they may be rows of a database

}  // namespace

DomainWatch::DomainWatch(boost::asio::any_io_executor executor, const config::Configuration& configuration,
                         store::Database& state, std::function<std::vector<std::string>()> take_strangers,
                         std::function<void()> on_change)
    : executor_(executor),
      configuration_(configuration),
      state_(state),
      take_strangers_(std::move(take_strangers)),
      on_change_(std::move(on_change)),
      wanted_(executor) {}

boost::asio::awaitable<void> DomainWatch::run() {
    Clock::time_point all_due = Clock::now() + kDomainsCheck;
    for (;;) {
        co_await wanted_.wait_until(all_due);
        // Strangers name domains as they like: they alone are asked about, and only so often.
        flow::DomainQuestions questions{.known = {}, .strange = take_strangers_()};
        if (Clock::now() >= all_due) {
            auto all = flow::domains_to_ask(state_, questions.strange);
            if (all) questions = *std::move(all);
            all_due = Clock::now() + kDomainsCheck + questions.known.size() * kPace;
        }
        if (!questions.known.empty() || !questions.strange.empty()) co_await ask(questions);
        auto known = state_.read([](SQLite::Database& db) { return store::load_relay_domains(db); });
        if (known && *known != configuration_.postfix_domains) {
            spdlog::info("Postfix relays other domains now: {}, and {} before", known->size(),
                         configuration_.postfix_domains.size());
            on_change_();
            co_return;
        }
        boost::asio::steady_timer timer(executor_, kPause);
        co_await timer.async_wait(boost::asio::use_awaitable);
    }
}

boost::asio::awaitable<void> DomainWatch::ask(const flow::DomainQuestions& questions) {
    auto answers = co_await in_worker(
        worker_, [this, &questions] { return flow::ask_postfix(configuration_, questions); });
    if (answers.failure && answers.failure->message != last_failure_) log_failure(*answers.failure);
    last_failure_ = answers.failure ? answers.failure->message : "";
    // One that is busy is asked again in a moment.
    std::ignore = flow::note_answers(state_, answers, now());
}

}  // namespace postcensus::watch
