// SPDX-License-Identifier: MIT
// Judges the order of smtpd_*_restrictions: that `unknown` is asked first, that each miss is logged, and that
// the site's own clients can still send. Pure.
#pragma once

#include <string>

#include "check/finding.h"
#include "check/master_cf.h"
#include "check/restrictions.h"

namespace postcensus::check {

// For each smtpd that takes mail from strangers; services that have the same lists are judged once.
Findings check_restrictions(const Snapshot& snapshot, const OurTables& ours);

// A list of restrictions in the order that works, as main.cf has it. All that stands in it stays.
std::string mended_restrictions(std::string_view list, const OurTables& ours);

}  // namespace postcensus::check
