// SPDX-License-Identifier: MIT
// Writes the metrics of `watch` and `sync` into [general] metrics-dir, a file each. A reader never sees half
// a file; a folder that is gone, full or not ours is a warning, once, and no reason to stop anything.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "census/metrics.h"
#include "config/configuration.h"
#include "store/database.h"

namespace postcensus::audit {

class MetricsFile {
  public:
    // `name`: of the file, without its ending. An empty folder: nothing is ever written.
    MetricsFile(std::filesystem::path folder, std::string name);
    // Blocks for as long as the folder's disk does.
    void write(std::string_view text);

  private:
    Result<void> try_write(std::string_view text);
    bool drop_leftovers() const;
    std::filesystem::path folder_;
    std::string name_;
    bool tidy_ = false;
    bool failing_ = false;
};

// What only the running `watch` knows.
struct Running {
    std::size_t sessions = 0;
    Milliseconds log_lag{};
    bool log_present = false;
};

// The metrics of `watch`, every 15 s; and for the report the size of the census, every hour, and whether the
// log is there. The thread that owns the state only writes those two: a worker with a read-only connection of
// its own does the rest.
class WatchMetrics {
  public:
    WatchMetrics(boost::asio::any_io_executor executor, const config::Configuration& configuration,
                 store::Database& state, std::function<Running()> running);
    // For ever.
    boost::asio::awaitable<void> run();
    void join() { worker_.join(); }

  private:
    bool write(const Running& running);

    boost::asio::any_io_executor executor_;
    const config::Configuration& configuration_;
    store::Database& state_;
    std::function<Running()> running_;
    std::optional<store::Database> reader_;  // the worker's
    MetricsFile file_;
    boost::asio::thread_pool worker_{1};  // last: what runs in it uses the others
};

// After a run of `sync`, however it ended.
void write_sync_metrics(const config::Configuration& configuration, Time began, ExitCode code);

}  // namespace postcensus::audit
