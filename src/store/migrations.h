// SPDX-License-Identifier: MIT
// The numbered migrations of sql/migrations/, compiled in. The state's schema version (PRAGMA user_version)
// is how many ran.
#pragma once

#include <string_view>
#include <vector>

namespace postcensus::store {

using Migrations = std::vector<std::string_view>;

const Migrations& migrations();

}  // namespace postcensus::store
