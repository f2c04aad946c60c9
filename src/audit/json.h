// SPDX-License-Identifier: MIT
// What commands print with --format json. Pure.
#pragma once

#include <string>

#include "census/report.h"
#include "census/scan.h"

namespace postcensus::audit {

// docs/report.schema.json describes it.
std::string report_json(const census::Report& report);

std::string explanation_json(const census::Explanation& explanation);

std::string scan_json(const census::ScanReport& scan);

// One object on one line. `line`: the number of the line in its file, from 1 on; `file`: its name, if there
// are several.
std::string event_json(const mail::LogEvent& event, Time at, const std::string& file, std::int64_t line);

}  // namespace postcensus::audit
