// SPDX-License-Identifier: MIT
// When a log line was written. Most prefixes have neither year nor zone (RFC 3164, postlogd): they are in the
// local time of the machine, and their year is that of the lines around them. A zone that only a name tells
// (journalctl -o short-full), and that is not UTC, is taken for the machine's.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace postcensus::mail {

struct LogTime {
    std::optional<Time> exact;      // RFC 3339 with a zone; else local time:
    std::optional<int> year;        // where there is one, without a zone
    int month = 1, day = 1;         // from 1 on
    std::chrono::seconds clock{0};  // since midnight
};

// Takes a time and the blank behind it from the front of `text`: "Nov  4 01:02:03 ", without the padding,
// with fractions of seconds, with the month in another language, with a year before or behind;
// "2026-11-04T01:02:03", with or without a zone; what journalctl(1) writes; seconds since the epoch. Nothing,
// and `text` in an unknown place, if it begins with none of them.
std::optional<LogTime> take_log_time(std::string_view& text);

// Counts the years of lines in their order, from 0 on: a month that goes back is of another year.
class LogYears {
  public:
    int place(const LogTime& time);  // of a line without a year
    const std::optional<LogTime>& last() const { return last_; }
    int year() const { return year_; }  // of the last one

  private:
    std::optional<LogTime> last_;
    int year_ = 0;
};

// Tells the years of lines in their order. The zone is that of the process (TZ, localtime(3)).
class LogCalendar {
  public:
    // `newest`: no line is much later than this: the clock, or when an old log was last written. `whole`:
    // that has seen all lines before, so that the years are counted back from the last; without it the first
    // line is of the latest year that it can be of.
    explicit LogCalendar(Time newest, const LogYears& whole = {}) : newest_(newest), whole_(whole) {}

    Time place(const LogTime& time);
    // `year`: of a line without one, as LogYears counts it.
    Time place(const LogTime& time, int year);

  private:
    Time local(int year, const LogTime& time);
    int latest_year(const LogTime& time);

    Time newest_;
    LogYears whole_;
    LogYears years_;  // of the lines so far
    std::optional<int> first_year_;
    // The hour that was asked for last: mktime(3) is slow.
    int hour_key_[4] = {0, 0, 0, -1};
    Time hour_{};
};

}  // namespace postcensus::mail
