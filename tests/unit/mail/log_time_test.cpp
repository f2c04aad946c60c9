// SPDX-License-Identifier: MIT
#include "mail/log_time.h"

#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "catch.h"

using namespace postcensus;
using mail::LogCalendar;

namespace {

// The process's zone, while it lives.
class Zone {
  public:
    explicit Zone(const char* name) {
        ::setenv("TZ", name, 1);
        ::tzset();
    }
    ~Zone() {
        ::unsetenv("TZ");
        ::tzset();
    }
    Zone(const Zone&) = delete;
    Zone& operator=(const Zone&) = delete;
};

std::string place(LogCalendar& calendar, std::string_view prefix) {
    const auto time = mail::take_log_time(prefix);
    return time ? format_time(calendar.place(*time)) : "none";
}

Time at(const char* text) {
    return parse_time(text).value();
}

}  // namespace

TEST_CASE("a time without a year is near the lines around it", "[mail][log_time]") {
    const Zone zone("UTC");
    LogCalendar calendar(at("2026-01-03T12:00:00Z"));
    CHECK(place(calendar, "Dec 31 23:59:58 ") == "2025-12-31T23:59:58Z");
    CHECK(place(calendar, "Jan  1 00:00:01 ") == "2026-01-01T00:00:01Z");
    CHECK(place(calendar, "Dec 31 23:59:59 ") == "2025-12-31T23:59:59Z");  // a little out of order
    CHECK(place(calendar, "Jan 03 11:00:00 ") == "2026-01-03T11:00:00Z");
    CHECK(place(calendar, "2024-02-29T01:02:03Z ") == "2024-02-29T01:02:03Z");

    // Few lines are looked at: months may lie between two of them.
    LogCalendar quiet(at("2026-03-08T12:00:00Z"));
    CHECK(place(quiet, "Aug  3 10:00:00 ") == "2025-08-03T10:00:00Z");
    CHECK(place(quiet, "Feb  3 10:00:00 ") == "2026-02-03T10:00:00Z");
    CHECK(place(quiet, "Jan 31 23:59:59 ") == "2026-01-31T23:59:59Z");
    CHECK(place(quiet, "Mar  7 10:00:00 ") == "2026-03-07T10:00:00Z");

    LogCalendar same_year(at("2026-11-24T12:00:00Z"));
    CHECK(place(same_year, "Nov 24 11:00:00 ") == "2026-11-24T11:00:00Z");
    // A clock that was set a little ahead of ours.
    LogCalendar ahead(at("2026-12-31T23:59:59Z"));
    CHECK(place(ahead, "Jan  1 00:00:03 ") == "2027-01-01T00:00:03Z");
}

TEST_CASE("the years of a whole log are counted back from its end", "[mail][log_time]") {
    const Zone zone("UTC");
    const auto places = [](const char* newest, const std::vector<std::string>& lines) {
        mail::LogYears years;
        for (const std::string& line : lines) {
            std::string_view text = line;
            years.place(mail::take_log_time(text).value());
        }
        LogCalendar calendar(at(newest), years);
        std::string all;
        for (const std::string& line : lines) all += place(calendar, line).substr(0, 10) + " ";
        return all;
    };
    CHECK(places("2026-06-10T12:00:00Z", {"Jun 10 01:02:03 ", "Dec 31 23:59:59 ", "Jan  1 00:00:00 ",
                                          "Mar  1 00:00:00 ", "Feb  1 00:00:00 ", "Jun 10 01:02:03 "}) ==
          "2024-06-10 2024-12-31 2025-01-01 2025-03-01 2026-02-01 2026-06-10 ");
    CHECK(places("2026-01-02T12:00:00Z",
                 {"Nov 30 01:02:03 ", "Dec  1 00:00:01 ", "Nov 30 23:59:59 ", "Dec  1 00:00:02 ",
                  "Jan  1 00:00:01 ", "Dec 31 23:59:59 ", "Jan  1 00:00:02 "}) ==
          "2025-11-30 2025-12-01 2025-11-30 2025-12-01 2026-01-01 2025-12-31 2026-01-01 ");
}

TEST_CASE("times without a zone are local", "[mail][log_time]") {
    const Zone zone("Europe/Berlin");
    LogCalendar calendar(at("2026-11-24T12:00:00Z"));
    CHECK(place(calendar, "Jul  1 12:00:00 ") == "2026-07-01T10:00:00Z");
    CHECK(place(calendar, "Nov 24 12:59:59 ") == "2026-11-24T11:59:59Z");
    CHECK(place(calendar, "2026-07-01T12:30:00 ") == "2026-07-01T10:30:00Z");
    CHECK(place(calendar, "2026-07-01T12:30:00+00:00 ") == "2026-07-01T12:30:00Z");
}

TEST_CASE("what is no time is none", "[mail][log_time]") {
    const Zone zone("UTC");
    LogCalendar calendar(at("2026-11-24T12:00:00Z"));
    for (const char* text :
         {"", "Foo  4 01:02:03 ", "Nov 0 01:02:03 ", "Nov 32 01:02:03 ", "Nov  4 24:02:03 ",
          "Nov  4 01:02:03", "2026-02-30T03:47:46Z ", "2026-11-24T03:47:46+99:99 ", "1 "})
        CHECK(place(calendar, text) == "none");
}
