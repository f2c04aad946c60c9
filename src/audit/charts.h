// SPDX-License-Identifier: MIT
// The pictures of a report: what came, what was answered, how long it took, how large the census is. Pure.
#pragma once

#include <string>

#include "census/report.h"

namespace postcensus::audit {

// Figures of HTML, one after the other.
std::string charts(const census::Report& report);

}  // namespace postcensus::audit
