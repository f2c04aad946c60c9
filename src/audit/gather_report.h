// SPDX-License-Identifier: MIT
// Gathers what report shows, from the state. Read-only.
#pragma once

#include <functional>
#include <string>

#include "census/report.h"
#include "config/configuration.h"
#include "store/report.h"

namespace postcensus::audit {

// A domain that a route names, or of which the state knows something: its history outlives its route.
Result<void> check_domain(config::Configuration configuration, const std::string& domain);

Result<census::Report> gather_report(config::Configuration configuration, const store::Scope& scope);

// Of what the state knows the directories of the configuration, in its order: the others are history, and one
// that was never read has a line without readings.
void keep_configured(std::vector<census::DirectoryLine>& directories,
                     const config::Configuration& configuration);

// Every change of the scope in the order in which it happened, page by page: between two the state is left
// alone, so that a reader who takes his time holds nothing. `take` returns false, or a Failure, to end it.
Result<void> for_each_change(
    const config::Configuration& configuration, const store::Scope& scope,
    const std::function<Result<bool>(const std::vector<census::ChangeLine>& page)>& take);

}  // namespace postcensus::audit
