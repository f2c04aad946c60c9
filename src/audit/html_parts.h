// SPDX-License-Identifier: MIT
// The parts of the HTML report, in the order of the page. Pure. Each returns whole sections, or nothing where
// there is nothing to show.
#pragma once

#include <cstddef>
#include <string>

#include "census/report.h"

namespace postcensus::audit {

constexpr std::size_t kMostDomains = 200;  // in a table: the busiest ones

// Recipients: what waits, and what an auditor asks about.
std::string recipient_sections(const census::Report& report);

// How it got there: directories, callouts, networks, tables, counters.
std::string work_sections(const census::Report& report);

// Who changed what.
std::string change_sections(const census::Report& report);

std::string section(const std::string& title, const std::string& inner);

// The style of the page, without its element.
const char* style_sheet();

}  // namespace postcensus::audit
