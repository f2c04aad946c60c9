// SPDX-License-Identifier: MIT
// What an old log says about recipients that do not exist, in memory of a bounded size whatever strangers
// wrote into the log. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "census/distinct.h"
#include "mail/log_event.h"

namespace postcensus::census {

struct ScanReport {
    std::int64_t files = 0, lines = 0, bytes = 0;
    std::int64_t unread = 0;                                         // files that were not read to their end
    std::optional<Time> first, last;                                 // of all lines
    std::int64_t misses = 0, asked = 0, bounced = 0, delivered = 0;  // in relayed domains
    std::int64_t hostile = 0, cut = 0, invalid = 0;                  // lines that were dropped
    // Lines that look like Postfix's, in no form that is known, and those of a Postfix under a syslog name
    // that is not ours; the first of each, printable and bounded.
    std::int64_t strange = 0, namesakes = 0;
    std::string strange_line, namesake_line;
    std::map<int, std::int64_t> codes;  // of the replies to misses

    struct Missed {
        std::string recipient;  // in the quoted form
        std::int64_t count = 0;
        std::int64_t clients = 0;
    };
    std::vector<Missed> missed;   // by count, then name
    bool missed_complete = true;  // false: those that were missed least are left out
    std::int64_t distinct = 0;    // recipients that were missed
    bool distinct_exact = true;

    struct Domain {
        std::string domain;
        std::int64_t misses = 0, distinct = 0;
        bool exact = true;  // the second number
    };
    std::vector<Domain> domains;

    struct Network {
        std::string network;  // "192.0.2.0/24"
        std::int64_t misses = 0, distinct = 0;
        bool exact = true;
    };
    std::vector<Network> networks;  // those that tried most recipients, first

    struct Bounced {
        std::string recipient;
        std::int64_t count = 0;
        std::string reply;     // the last one
        bool unknown = false;  // it says that there is no such recipient
    };
    std::vector<Bounced> bounces;
    bool bounces_complete = true;
};

class Scan {
  public:
    // `relayed`: whether a domain is one of ours. Without it, those that a miss names are.
    explicit Scan(std::function<bool(std::string_view domain)> relayed = {});

    void take(const mail::LogEvent& event);
    void drop(mail::Dropped why, std::string_view line = {});
    void saw(Time at);  // a line's time
    void add_file(std::int64_t lines, std::int64_t bytes);

    // Whether events of this domain count, as far as is known by now.
    bool counts(std::string_view domain) const;

    ScanReport report() const;

  private:
    struct Missed {
        std::int64_t count = 0;
        DistinctCount clients{64};
    };
    struct Group {
        std::int64_t count = 0;
        DistinctCount recipients{256};
    };
    struct Bounced {
        std::string domain;
        std::int64_t count = 0;
        std::string reply;
    };
    struct Others {
        std::int64_t count = 0;
        std::int64_t asked = 0, delivered = 0, bounced = 0;
    };
    void take_miss(const mail::LogEvent& event);

    std::function<bool(std::string_view)> relayed_;
    ScanReport sums_;
    DistinctCount distinct_{4096};
    std::unordered_map<std::string, Missed> missed_;
    std::unordered_map<std::string, Group> domains_, networks_;
    std::unordered_map<std::string, Bounced> bounced_;
    std::unordered_map<std::string, Others> others_;  // by domain: which of them are ours shows in the end
    bool missed_dropped_ = false, bounced_dropped_ = false, others_dropped_ = false;
};

}  // namespace postcensus::census
