// SPDX-License-Identifier: MIT
// A report as one HTML file, for people: no script, nothing from elsewhere, and whatever a stranger wrote in
// it is inert. Pure. Below a megabyte, whatever the report holds.
#pragma once

#include <string>

#include "census/report.h"

namespace postcensus::audit {

std::string report_html(const census::Report& report);

}  // namespace postcensus::audit
