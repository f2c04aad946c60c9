// SPDX-License-Identifier: MIT
// Which domains Postfix relays, whatever fills relay_domains, and by which transport it delivers them. The
// one place where `check` reads these two. Blocks.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/failure.h"
#include "postfix/master_cf.h"

namespace postcensus::postfix {

struct Relayed {
    std::map<std::string, bool> domains;  // those that were asked about
    std::vector<std::string> named;       // those that main.cf names itself, without a table
    bool in_tables = false;               // relay_domains has tables, which cannot be listed
};

// A Failure: a table or file of relay_domains does not answer; then nobody knows.
Result<Relayed> ask_relay_domains(const std::filesystem::path& config_dir, const Snapshot& snapshot,
                                  const std::vector<std::string>& domains);

// Transport (its name in master.cf) -> the domains that it carries: transport_maps, else relay_transport.
Result<std::map<std::string, std::vector<std::string>>> find_transports(
    const std::filesystem::path& config_dir, const Snapshot& snapshot,
    const std::vector<std::string>& domains);

// Those of these addresses that virtual_alias_maps has an entry of its own for, or one for all of the domain.
Result<std::vector<std::string>> find_aliases(const std::filesystem::path& config_dir,
                                              const Snapshot& snapshot,
                                              const std::vector<std::string>& addresses);

}  // namespace postcensus::postfix
