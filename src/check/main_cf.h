// SPDX-License-Identifier: MIT
// Judges the single parameters of main.cf that Postcensus depends on, and the services of master.cf. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "check/finding.h"
#include "check/master_cf.h"
#include "check/restrictions.h"

namespace postcensus::check {

// Text of Postfix's as it may be shown.
std::string shown(std::string_view text);

Findings check_recipient_maps(const Snapshot& snapshot, const OurTables& ours);

// The parameters that make our evidence unreadable or our answers something else.
Findings check_parameters(const Snapshot& snapshot);

// smtpd services that take mail back from a content filter: they must not check recipients again.
Findings check_reinjection(const Snapshot& snapshot);

// Whether a content filter gives mail back through this one.
bool is_reinjection(const Snapshot& snapshot, const Service& service);
// Port 587 or 465: its clients have logged in.
bool is_submission(const Service& service);

// Whether the log lines of all smtpd services and of the deliveries are recognised by these names.
Findings check_syslog_names(const Snapshot& snapshot, const std::vector<std::string>& names);

// `domains`: the route domains that each transport carries.
Findings check_transports(const Snapshot& snapshot,
                          const std::map<std::string, std::vector<std::string>>& domains);

// "a.example, b.example and 7 more".
std::string some_of(const std::vector<std::string>& names, std::size_t most = 5);

}  // namespace postcensus::check
