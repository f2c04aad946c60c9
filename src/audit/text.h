// SPDX-License-Identifier: MIT
// Report and explanation as text for a terminal. Pure. Whatever a stranger wrote is made printable on the
// way.
#pragma once

#include <string>

#include "census/report.h"
#include "census/scan.h"

namespace postcensus::audit {

std::string report_text(const census::Report& report, Time now);
std::string scan_text(const census::ScanReport& scan);
std::string explanation_text(const census::Explanation& explanation, Time now);

}  // namespace postcensus::audit
