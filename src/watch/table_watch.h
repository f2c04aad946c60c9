// SPDX-License-Identifier: MIT
// The tables' part of `watch`: overlays within publish-interval of a change, the base when it is due, and any
// table that somebody else touched. Coroutines of the caller's thread; tables are built in workers, with
// read-only connections of their own, so that an overlay never waits for the base.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "flow/publish/decider.h"
#include "flow/publish/publisher.h"
#include "watch/condition.h"

namespace postcensus::watch {

class Publication {
  public:
    // `trouble`: how long to wait after a Failure. `on_idle`: the last worker has come back after stop().
    Publication(const boost::asio::any_io_executor& executor, const config::Configuration& configuration,
                store::Database& state, store::Database overlay_reader, store::Database base_reader,
                flow::Decider& decider,
                std::function<std::chrono::steady_clock::duration(const Failure&)> trouble,
                std::function<void()> on_idle);

    // Each to be spawned by the caller; it ends after stop().
    using Task = std::function<boost::asio::awaitable<void>()>;
    std::vector<Task> tasks();

    // Answers have changed.
    void notify() { answers_.notify(); }
    // All evidence up to this seq is decided.
    void set_decided(store::Seq seq);
    // A command waits until all up to this seq is decided and published: then the state says so.
    void tell_when_published(store::Seq seq) { waited_for_ = std::max(waited_for_, seq); }

    // A table that a worker is about to put out is put out and noted first: busy() until then.
    void stop() { stopping_ = true; }
    bool busy() const { return busy_ > 0; }
    void join() { workers_.join(); }

  private:
    // While a worker runs, and until what it put out is noted, whatever becomes of it.
    class Busy {
      public:
        explicit Busy(Publication& owner) : owner_(owner) { ++owner_.busy_; }
        ~Busy();
        Busy(const Busy&) = delete;
        Busy& operator=(const Busy&) = delete;

      private:
        Publication& owner_;
    };
    struct Overlays {
        std::vector<flow::Published> published;
        Result<flow::BaseDue> base_due;
    };
    boost::asio::awaitable<void> publish_overlays();
    boost::asio::awaitable<void> publish_base();
    boost::asio::awaitable<void> note(const std::vector<flow::Published>& published);
    Overlays build_overlays();
    void tell_settled(store::Seq seq);

    boost::asio::any_io_executor executor_;
    const config::Configuration& configuration_;
    store::Database& state_;
    store::Database overlay_reader_, base_reader_;
    flow::Decider& decider_;
    std::function<std::chrono::steady_clock::duration(const Failure&)> trouble_;
    std::function<void()> on_idle_;
    Condition answers_;          // there is something to publish
    Condition base_;             // the base is due
    bool urgent_ = false;        // and cannot wait
    store::Seq decided_ = 0;     // all evidence up to here is decided
    store::Seq waited_for_ = 0;  // a command waits until this is published
    int busy_ = 0;               // workers that run
    bool stopping_ = false;
    boost::asio::thread_pool workers_{2};  // last: what runs in it uses the others
};

}  // namespace postcensus::watch
