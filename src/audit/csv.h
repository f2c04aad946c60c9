// SPDX-License-Identifier: MIT
// The changes of a report as comma-separated values (RFC 4180), for a spreadsheet. Pure.
#pragma once

#include <string>
#include <vector>

#include "census/report.h"

namespace postcensus::audit {

std::string changes_csv_head();

// What a spreadsheet would take for a formula has an apostrophe in front, also behind a semicolon: recipients
// are named by strangers, and "=1+1@corp.example" is a valid address, as is "a;=1+1"@corp.example.
std::string changes_csv(const std::vector<census::ChangeLine>& changes);

}  // namespace postcensus::audit
