// SPDX-License-Identifier: MIT
// Gathers what report and explain show: from the state, and from what Postfix itself finds. Read-only.
#pragma once

#include <string>

#include "census/report.h"
#include "config/configuration.h"

namespace postcensus::tasks {

Result<census::Report> gather_report(const config::Configuration& configuration, Time since, Time until,
                                     const std::string& domain);

Result<census::Explanation> gather_explanation(config::Configuration configuration,
                                               const mail::Address& address);

}  // namespace postcensus::tasks
