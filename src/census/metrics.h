// SPDX-License-Identifier: MIT
// What the metrics show: plain values, filled by store/ and audit/, written by audit/metrics.h. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "census/report.h"

namespace postcensus::census {

// Of the running `watch`.
struct WatchFacts {
    Time written;
    // From the state:
    std::map<std::pair<std::string, std::string>, std::int64_t> totals;  // by name and label; they never fall
    std::map<std::pair<std::string, std::string>, std::int64_t> addresses;  // by answer and reason
    std::map<std::string, std::int64_t> questions;                          // in line, by who waits
    std::int64_t waiting = 0;  // unsure for over an hour while senders come back, in the last day
    std::int64_t undecided = 0;
    std::int64_t held = 0, unseen = 0;
    std::vector<BreakerLine> breakers;
    std::vector<std::string> accept_all;  // domains
    std::map<std::string, Time> polled;   // when the changes of a directory were last read
    std::vector<TableLine> tables;
    // From elsewhere:
    std::map<std::string, std::map<std::string, std::int64_t>> entries;  // by table and domain, from its head
    std::size_t sessions = 0;                                            // open
    Milliseconds log_lag{};  // since all of it was read and stored
    bool log_present = false;
};

// Of a run of `sync`.
struct SyncFacts {
    Time began, ended;
    int exit_code = 0;
    bool state_read = false;  // if not, all below is unknown
    std::vector<DirectoryLine> directories;
    std::map<std::pair<std::string, std::string>, std::int64_t> readings;  // good and failed, by directory
};

}  // namespace postcensus::census
