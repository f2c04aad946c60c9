// SPDX-License-Identifier: MIT
// Report and explanation as text for a terminal. Pure. Whatever a stranger wrote is made printable on the
// way.
#pragma once

#include <string>

#include "census/report.h"
#include "census/scan.h"

namespace postcensus::audit {

// What a report of one domain does not tell apart.
constexpr const char* kOfAllDomains =
    "directories, readings, lookups, servers and their callouts, questions in line, tables and commands are "
    "those of all domains";

// Behind an object that no reading finds any more.
constexpr const char* kNotSeen = " (not seen any more)";

// A period that is over: what waits, is held, or stands in the tables is not of it.
inline bool is_past(const census::Report& report) {
    return report.until < report.made;
}
// Behind the heading of what is as it is now, whatever the period.
inline std::string as_of_now(const census::Report& report) {
    return is_past(report) ? " (as of now)" : "";
}

std::string report_text(const census::Report& report, bool colour);
std::string scan_text(const census::ScanReport& scan);
std::string explanation_text(const census::Explanation& explanation, Time now, bool colour);

// "3 min ago", "in 2 h 5 min".
std::string ago(Time at, Time now);

// Escape sequences, if they are wanted.
class Colours {
  public:
    explicit Colours(bool wanted) : wanted_(wanted) {}
    std::string bold(std::string_view text) const { return in("1", text); }
    std::string green(std::string_view text) const { return in("32", text); }
    std::string yellow(std::string_view text) const { return in("33", text); }
    std::string red(std::string_view text) const { return in("31", text); }

  private:
    std::string in(std::string_view code, std::string_view text) const;
    bool wanted_;
};

}  // namespace postcensus::audit
