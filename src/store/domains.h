// SPDX-License-Identifier: MIT
// The relayed domains as the decider's configuration has them, and what was learned of each.
// Every function here runs inside Database::write() and may throw SQLite::Exception.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/database.h"

namespace postcensus::store {

// Makes the set of relayed domains and their policies what the configuration says; addresses of a domain that
// changed become undecided.
struct DomainPolicy {
    std::string domain;
    std::string policy;                     // a digest of what decides
    std::vector<mail::Address> configured;  // the operator's accept, without @domain
};
// True if something changed.
bool replace_domains(Writer& writer, const std::vector<DomainPolicy>& domains);
struct DomainFacts {
    std::string policy;
    bool accept_all = false;
};
std::optional<DomainFacts> load_domain(SQLite::Database& db, const std::string& domain);
void set_accept_all(Writer& writer, const std::string& domain, bool accept_all);

}  // namespace postcensus::store
