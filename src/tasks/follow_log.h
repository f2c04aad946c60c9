// SPDX-License-Identifier: MIT
// From the log to evidence: reads lines, takes the misses that a route and the budget admit, and stores them
// together with the mark of the place behind them. A state that is busy loses nothing: the batch is kept and
// stored at the next step; the log is the buffer.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "census/admission.h"
#include "config/configuration.h"
#include "maillog/file_tail.h"
#include "store/database.h"

namespace postcensus::tasks {

class LogFollower {
  public:
    static Result<std::unique_ptr<LogFollower>> open(const config::Configuration& configuration,
                                                     store::Database& state);

    struct Step {
        bool stored_misses = false;  // there is something to decide and to ask
        bool more = false;           // step again at once
    };
    // Reads and stores at most one batch. A Failure with ExitCode::try_again: the state is busy.
    Result<Step> step(store::Database& state);

    int watch_fd() const { return tail_->watch_fd(); }
    void clear() { tail_->clear(); }
    const std::filesystem::path& path() const { return path_; }
    bool file_present() const { return tail_->file_present(); }

  private:
    LogFollower(const config::Configuration& configuration, std::filesystem::path path,
                std::unique_ptr<maillog::FileTail> tail, std::string source);
    void take_lines(const maillog::Batch& batch, Time now);

    const config::Configuration& configuration_;
    std::filesystem::path path_;
    std::unique_ptr<maillog::FileTail> tail_;
    std::string source_;
    census::Admission admission_;

    // A batch that has been read and not yet stored.
    struct Unstored {
        Unstored();
        maillog::Batch batch;
        std::vector<std::pair<mail::Address, std::string>> asked;  // with its client
        std::vector<Time> at;
        std::size_t misses = 0, suppressed = 0, unrouted = 0, hostile = 0, cut = 0, invalid = 0;
    };
    std::optional<Unstored> unstored_;
    std::string saved_mark_;
};

// The log that Postfix writes to: maillog_file of main.cf where the configuration leaves it to us, else the
// configured path.
Result<std::filesystem::path> find_log(const config::Configuration& configuration);

}  // namespace postcensus::tasks
