// SPDX-License-Identifier: MIT
// By which transport Postfix delivers a domain, and what it rewrites before: for `check`. Blocks.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/failure.h"
#include "check/master_cf.h"

namespace postcensus::check {

// Transport (its name in master.cf) -> the domains that it carries: transport_maps, else relay_transport.
Result<std::map<std::string, std::vector<std::string>>> find_transports(
    const std::filesystem::path& config_dir, const Snapshot& snapshot,
    const std::vector<std::string>& domains);

// Those of these addresses that virtual_alias_maps has an entry of its own for, or one for all of the domain.
Result<std::vector<std::string>> find_aliases(const std::filesystem::path& config_dir,
                                              const Snapshot& snapshot,
                                              const std::vector<std::string>& addresses);

}  // namespace postcensus::check
