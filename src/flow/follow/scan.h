// SPDX-License-Identifier: MIT
// Reads old logs to their end, and says what would have been learned from them. Needs no state.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "census/scan.h"
#include "maillog/old_log.h"

namespace postcensus::flow {

struct ScanProgress {
    std::string name;
    std::uint64_t size = 0, taken = 0;  // bytes; size 0: not known
};

struct ScanOptions {
    std::vector<std::string> syslog_names{"postfix"};
    // Whether a domain is relayed; without it, those that a miss names are.
    std::function<bool(std::string_view domain)> relayed;
    // Called for each event of a relayed domain, in order.
    std::function<void(const mail::LogEvent& event, Time at, const std::string& log, std::int64_t line)>
        on_event;
    std::function<void(const ScanProgress& progress)> on_progress;
};

struct Scanned {
    census::ScanReport report;
    std::vector<Failure> failures;  // of logs that were not read to their end
};

Scanned scan_logs(std::vector<maillog::OldLog>& logs, const ScanOptions& options, Time now);

}  // namespace postcensus::flow
