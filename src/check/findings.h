// SPDX-License-Identifier: MIT
// What `postcensus check` found, for people and for programs. Pure.
#pragma once

#include <string>

#include "check/finding.h"

namespace postcensus::check {

// A line each, remedies below; at the end how many there are of each level.
std::string findings_text(const Findings& findings, bool colour);

// One object: postcensus(8) describes it.
std::string findings_json(const Findings& findings);

}  // namespace postcensus::check
