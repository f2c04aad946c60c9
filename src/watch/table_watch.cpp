// SPDX-License-Identifier: MIT
#include "watch/table_watch.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "base/in_worker.h"
#include "base/process.h"
#include "flow/publish/base_rest.h"
#include "store/addresses.h"

namespace postcensus::watch {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::awaitable;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kTableCheck = 10s;  // how soon a table that somebody changed is written again
constexpr auto kLastPatience = 3s;
constexpr std::chrono::steady_clock::duration kFirstRetry = 5s;  // of a base that failed
constexpr std::chrono::steady_clock::duration kLongestRetry = 5min;

}  // namespace

Publication::Publication(const asio::any_io_executor& executor, const config::Configuration& configuration,
                         store::Database& state, store::Database overlay_reader, store::Database base_reader,
                         flow::Decider& decider, std::function<Clock::duration(const Failure&)> trouble,
                         std::function<void()> on_idle)
    : executor_(executor),
      configuration_(configuration),
      state_(state),
      overlay_reader_(std::move(overlay_reader)),
      base_reader_(std::move(base_reader)),
      decider_(decider),
      trouble_(std::move(trouble)),
      on_idle_(std::move(on_idle)),
      answers_(executor),
      base_(executor) {}

std::vector<Publication::Task> Publication::tasks() {
    return {[this] { return publish_overlays(); }, [this] { return publish_base(); }};
}

void Publication::set_decided(store::Seq seq) {
    decided_ = seq;
    if (waited_for_ > 0) answers_.notify();
}

awaitable<void> Publication::publish_overlays() {
    while (!stopping_) {
        const store::Seq decided = decided_;
        std::optional<Busy> busy(*this);
        auto done = co_await in_worker(workers_, [this] { return build_overlays(); });
        const Clock::time_point ended = Clock::now();
        co_await note(done.published);
        Clock::duration pause = kTableCheck;
        if (!done.base_due)
            pause = trouble_(done.base_due.error());
        else if (!done.base_due->why.empty()) {
            urgent_ = done.base_due->urgent;
            base_.notify();
        } else if (waited_for_ > 0 && decided >= waited_for_)
            tell_settled(decided);
        busy.reset();
        if (stopping_) co_return;
        co_await answers_.wait_for(pause);
        // Whatever comes in, an overlay is published at most once in this time.
        if (!done.published.empty() && configuration_.publish_interval > 0ms) {
            asio::steady_timer timer(executor_, ended + configuration_.publish_interval);
            co_await timer.async_wait(asio::use_awaitable);
        }
    }
}

awaitable<void> Publication::publish_base() {
    flow::BaseRest rest;
    Clock::duration retry = kFirstRetry;
    bool due = false;
    while (!stopping_) {
        // Why it is due may change while it rests.
        due |= co_await base_.wait_until(due ? rest.end(urgent_) : Clock::now() + kTableCheck);
        if (stopping_) co_return;
        if (!due || Clock::now() < rest.end(urgent_)) continue;
        due = false;
        std::optional<Busy> busy(*this);
        std::chrono::nanoseconds work{};
        auto done = co_await in_worker(workers_, [this, &work] {
            const auto before = work_of_this_thread();
            auto base = decider_.publisher().publish_base(base_reader_, now());
            work = work_of_this_thread() - before;
            return base;
        });
        rest.note_build(Clock::now(), work);
        Clock::duration pause{};
        if (!done) {
            // A disk that is full must not be filled to its last byte again and again.
            pause =
                std::max(trouble_(done.error()), std::exchange(retry, std::min(retry * 2, kLongestRetry)));
        } else {
            retry = kFirstRetry;
        }
        if (done && *done) co_await note(std::vector<flow::Published>(1, **done));
        answers_.notify();  // what the base holds now leaves `learned`
        busy.reset();
        if (stopping_) co_return;
        asio::steady_timer timer(executor_, pause);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

// In a worker.
Publication::Overlays Publication::build_overlays() {
    Overlays done;
    if (auto mended = decider_.mend_folder(); !mended) {
        done.base_due = fail(mended.error());
        // Rejections have to end on a full disk too. Where somebody else publishes, or where we may not
        // write, there is nothing that could be done.
        if (mended.error().code != ExitCode::cannot_write ||
            ::access(configuration_.postfix.maps.c_str(), W_OK) != 0)
            return done;
    }
    flow::Publisher& publisher = decider_.publisher();
    auto ready = publisher.ready(overlay_reader_);
    const bool mended = done.base_due.has_value();
    if (!ready) done.base_due = fail(ready.error());
    if (!ready || !*ready) return done;
    if (auto out = publisher.publish_overlays(overlay_reader_, now(), done.published); !out)
        done.base_due = fail(out.error());
    else if (mended)
        done.base_due = publisher.base_due(overlay_reader_, now());
    return done;
}

// Until it is noted, what is out looks like somebody else's work: this has to get through. But not for ever,
// once all ends: the next decider writes such a table again.
awaitable<void> Publication::note(const std::vector<flow::Published>& published) {
    const Clock::time_point begun = Clock::now();
    for (;;) {
        auto noted = flow::note_published(state_, published);
        if (noted || (stopping_ && Clock::now() - begun > kLastPatience)) co_return;
        asio::steady_timer timer(executor_, trouble_(noted.error()));
        co_await timer.async_wait(asio::use_awaitable);
    }
}

void Publication::tell_settled(store::Seq seq) {
    auto told = state_.write([&](store::Writer& writer) { store::set_settled(writer, seq); });
    if (told)
        waited_for_ = 0;
    else
        answers_.notify();  // try again
}

Publication::Busy::~Busy() {
    if (--owner_.busy_ == 0 && owner_.stopping_) owner_.on_idle_();
}

}  // namespace postcensus::watch
