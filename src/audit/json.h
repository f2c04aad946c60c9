// SPDX-License-Identifier: MIT
// What commands print with --format json. Pure.
#pragma once

#include <string>

#include "census/scan.h"

namespace postcensus::audit {

std::string scan_json(const census::ScanReport& scan);

// One object on one line. `line`: the number of the line in its file, from 1 on; `file`: its name, if there
// are several.
std::string event_json(const mail::LogEvent& event, Time at, const std::string& file, std::int64_t line);

}  // namespace postcensus::audit
