// SPDX-License-Identifier: MIT
// Gathers what explain shows: from the state, and from what Postfix itself finds in the tables. Read-only.
#pragma once

#include <string>

#include "census/report.h"
#include "config/configuration.h"

namespace postcensus::audit {

// `recipient`: an address in the quoted form, or @domain for its catch-all. Blocks.
Result<census::Explanation> explain(config::Configuration configuration, const std::string& recipient);

}  // namespace postcensus::audit
