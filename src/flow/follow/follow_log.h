// SPDX-License-Identifier: MIT
// From the log to evidence: reads lines, takes the events of relayed domains, of the misses those that the
// budget admits, and stores them together with the mark of the place behind them. A state that is busy loses
// nothing: the batch is kept and stored at the next step; the log is the buffer.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "census/admission.h"
#include "config/configuration.h"
#include "mail/log_event.h"
#include "maillog/log_source.h"
#include "store/database.h"
#include "store/deliveries.h"
#include "store/questions.h"

namespace postcensus::flow {

// Where Postfix logs to.
struct LogPlace {
    maillog::SourceKind kind = maillog::SourceKind::file;  // never automatic
    std::filesystem::path path;
    bool operator==(const LogPlace&) const = default;
};
// With source = auto: maillog_file of main.cf; else the log file that syslog writes. The journal, if that
// file is not there and somebody writes a journal, or if the journal has lines of Postfix that are newer.
Result<LogPlace> find_log(const config::Configuration& configuration);

// For people.
std::string name_of(const LogPlace& place);

class LogFollower {
  public:
    // `admission` has to live as long.
    static Result<std::unique_ptr<LogFollower>> open(const config::Configuration& configuration,
                                                     store::Database& state, census::Admission& admission);

    struct Step {
        bool stored_questions = false;  // there is something to decide and to ask
        bool doubted = false;           // some of it is about recipients that are accepted
        bool more = false;              // step again at once
        // What was read and is in no hurry (deliveries, counts, the mark alone) waits so long to be stored.
        std::optional<std::chrono::milliseconds> rest;
    };
    // Reads at most one batch, and stores what is due; `all`: whatever was read. A Failure with
    // ExitCode::try_again: the state is busy.
    Result<Step> step(store::Database& state, bool all);

    // Domains of misses that no route has, a few at a time: Postfix may relay them by now.
    std::vector<std::string> take_strange_domains();
    bool met_strange_domains() const { return !strange_domains_.empty(); }

    int watch_fd() const { return source_->watch_fd(); }
    void clear() { source_->clear(); }
    const LogPlace& place() const { return place_; }
    const std::string& name() const { return name_; }  // "/var/log/mail.log", "the journal"
    bool present() const { return source_->present(); }
    // For how long not all that is there has been read and stored; 0: it is.
    std::chrono::milliseconds lag() const;

  private:
    LogFollower(const config::Configuration& configuration, census::Admission& admission, LogPlace place,
                std::unique_ptr<maillog::LogSource> source, std::string mark_key);
    Result<Step> take_step(store::Database& state, bool all);
    Result<void> know_queue(store::Database& state);
    void take_batch(const maillog::Batch& batch, Time now);
    std::chrono::steady_clock::time_point due() const;
    // `age`: when it was read.
    void take_event(const mail::LogEvent& event, Time at, Milliseconds age);
    void forget_age();
    void take_bounce(const mail::LogEvent& event, Time at);
    void take_strange(const std::string& line);

    const config::Configuration& configuration_;
    LogPlace place_;
    std::string name_;
    std::unique_ptr<maillog::LogSource> source_;
    std::string mark_key_;  // under which the state keeps the mark
    census::Admission& admission_;

    // What has been read and not yet stored.
    struct Unstored {
        Unstored();
        std::chrono::steady_clock::time_point since;
        std::string mark;
        std::size_t lines = 0;
        std::vector<store::StoredMiss> misses;
        std::map<std::pair<mail::Address, std::string>, Time> last_missed;  // by a client
        // The last of each address: a batch holds many of the same.
        std::map<std::pair<mail::Address, std::string>, store::StoredDelivery> deliveries;
        std::map<mail::Address, store::StoredAsk> asked;
        std::vector<store::StoredBounce> bounces;
        std::map<std::string, std::size_t> counts;    // for the report
        std::string strange_line;                     // the last one that was not understood
        std::map<std::string, std::size_t> harvests;  // misses that became no question, by network
    };
    std::optional<Unstored> unstored_;
    std::set<std::string, std::less<>> strange_domains_;
    std::set<std::string> strange_forms_;  // of lines that were not understood, and said
    bool write_failed_ = false;            // nothing more is read before it is stored
    bool behind_ = false;
    std::chrono::steady_clock::time_point caught_up_at_ = std::chrono::steady_clock::now();
    std::string saved_mark_;
    bool said_old_ = false;
};

}  // namespace postcensus::flow
