// SPDX-License-Identifier: MIT
// When a log line was written. Most prefixes have neither year nor zone (RFC 3164, postlogd): they are in the
// local time of the machine, and their year is that of the lines around them.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace postcensus::mail {

struct LogTime {
    std::optional<Time> exact;      // RFC 3339 with a zone; else local time:
    std::optional<int> year;        // only of RFC 3339 without a zone
    int month = 1, day = 1;         // from 1 on
    std::chrono::seconds clock{0};  // since midnight
};

// Takes "Nov  4 01:02:03 ", "Nov 04 01:02:03 " or "2026-11-04T01:02:03.123456+01:00 " from the front of
// `text`; nothing, and `text` in an unknown place, if it begins with none of them.
std::optional<LogTime> take_log_time(std::string_view& text);

// Tells the years of lines in their order. The zone is that of the process (TZ, localtime(3)).
class LogCalendar {
  public:
    // `newest`: no line is much later than this: the clock, or when an old log was last written.
    explicit LogCalendar(Time newest) : newest_(newest) {}

    Time place(const LogTime& time);

  private:
    Time local(int year, const LogTime& time);

    Time newest_;
    std::optional<int> year_;  // of the line before
    int last_month_ = 0;
    // The hour that was asked for last: mktime(3) is slow.
    int hour_key_[4] = {0, 0, 0, -1};
    Time hour_{};
};

}  // namespace postcensus::mail
