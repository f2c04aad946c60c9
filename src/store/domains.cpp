// SPDX-License-Identifier: MIT
#include "store/domains.h"

#include <map>

#include "store/addresses.h"
#include "store/undecided.h"

namespace postcensus::store {
namespace {

void exec_with(Writer& writer, const char* sql, const std::string& first, const std::string& second = {}) {
    SQLite::Statement statement(writer.db, sql);
    statement.bind(1, first);
    if (statement.getBindParameterCount() > 1) statement.bind(2, second);
    statement.exec();
}

}  // namespace

bool replace_domains(Writer& writer, const std::vector<DomainPolicy>& domains) {
    std::map<std::string, std::string> before;
    SQLite::Statement known(writer.db, "SELECT domain, policy FROM domain");
    while (known.executeStep())
        before[known.getColumn("domain").getString()] = known.getColumn("policy").getString();

    bool changed = false;
    AddressBook book(writer);
    for (const DomainPolicy& domain : domains) {
        const auto found = before.find(domain.domain);
        const bool same = found != before.end() && found->second == domain.policy;
        before.erase(domain.domain);
        if (same) continue;
        changed = true;
        exec_with(writer,
                  "INSERT INTO domain (domain, policy) VALUES (?, ?) ON CONFLICT (domain) DO UPDATE SET "
                  "policy = excluded.policy",
                  domain.domain, domain.policy);
        exec_with(writer, "UPDATE address SET configured = 0 WHERE configured = 1 AND domain = ?",
                  domain.domain);
        for (const mail::Address& address : domain.configured) {
            book.ensure(address);
            exec_with(writer, "UPDATE address SET configured = 1 WHERE local = ? AND domain = ?",
                      std::string(address.local()), domain.domain);
        }
        mark_domain(writer, domain.domain);
    }
    for (const auto& [domain, policy] : before) {
        changed = true;
        exec_with(writer, "DELETE FROM domain WHERE domain = ?", domain);
        exec_with(writer, "UPDATE address SET configured = 0 WHERE configured = 1 AND domain = ?", domain);
        mark_domain(writer, domain);
    }
    return changed;
}

std::optional<DomainFacts> load_domain(SQLite::Database& db, const std::string& domain) {
    SQLite::Statement find(db, "SELECT policy, accept_all FROM domain WHERE domain = ?");
    find.bind(1, domain);
    if (!find.executeStep()) return std::nullopt;
    return DomainFacts{find.getColumn("policy").getString(), find.getColumn("accept_all").getInt() != 0};
}

void set_accept_all(Writer& writer, const std::string& domain, bool accept_all) {
    SQLite::Statement update(writer.db,
                             "UPDATE domain SET accept_all = ? WHERE domain = ? AND accept_all <> ?");
    update.bind(1, accept_all ? 1 : 0);
    update.bind(2, domain);
    update.bind(3, accept_all ? 1 : 0);
    if (update.exec() == 0) return;
    // What is accepted stays so; only rejections hang on this fact, those that are and those that may be.
    exec_with(writer,
              "INSERT INTO undecided (address_id, rank) SELECT id, 1 FROM address WHERE domain = ?1 AND "
              "reason = 'accept-all' UNION SELECT id, 1 FROM address WHERE until IS NOT NULL AND domain = ?1 "
              "ON CONFLICT (address_id) DO NOTHING",
              domain);
}

}  // namespace postcensus::store
