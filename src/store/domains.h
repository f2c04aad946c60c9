// SPDX-License-Identifier: MIT
// The relayed domains as the decider's configuration has them, and what was learned of each.
// Every function here runs inside Database::write() and may throw SQLite::Exception.
#pragma once

#include <map>
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
// Whether it is one of them, or there are addresses of it from when it was.
bool knows_domain(SQLite::Database& db, const std::string& domain);
void set_accept_all(Writer& writer, const std::string& domain, bool accept_all);

// What Postfix said of its relay_domains. Two "no", a while apart, end a domain.
std::vector<std::string> load_relay_domains(SQLite::Database& db);
// Whether these answers say anything new.
bool relay_domains_differ(SQLite::Database& db, const std::map<std::string, bool>& answers);
// True if the set of domains is another now.
bool note_relay_domains(Writer& writer, const std::map<std::string, bool>& answers, Time now);
// Whether it ever answered for all that it was asked.
bool knows_relay_domains(SQLite::Database& db);
void set_knows_relay_domains(Writer& writer);
// The domains that Postfix is asked about: those, and those of all addresses that the state knows.
std::vector<std::string> known_domains(SQLite::Database& db);

}  // namespace postcensus::store
