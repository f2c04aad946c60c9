// SPDX-License-Identifier: MIT
#include "store/domains.h"

#include <chrono>
#include <map>

#include "store/addresses.h"
#include "store/undecided.h"

namespace postcensus::store {
namespace {

// Two answers closer together than this are one.
constexpr auto kBetweenNoes = std::chrono::seconds{30};

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
                  "INSERT INTO domain (domain, policy, accept_all) VALUES (?1, ?2, EXISTS (SELECT 1 FROM "
                  "domain_left WHERE domain = ?1)) ON CONFLICT (domain) DO UPDATE SET policy = "
                  "excluded.policy",
                  domain.domain, domain.policy);
        exec_with(writer, "DELETE FROM domain_left WHERE domain = ?", domain.domain);
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
        // A reload that fails half-way takes domains out and brings them back: a server that proves nothing
        // must not be believed for that.
        exec_with(writer,
                  "INSERT INTO domain_left (domain) SELECT domain FROM domain WHERE domain = ? AND "
                  "accept_all = 1",
                  domain);
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

bool knows_domain(SQLite::Database& db, const std::string& domain) {
    SQLite::Statement known(db,
                            "SELECT EXISTS (SELECT 1 FROM domain WHERE domain = ?1) OR EXISTS (SELECT 1 FROM "
                            "address WHERE domain = ?1)");
    known.bind(1, domain);
    known.executeStep();
    return known.getColumn(0).getInt() != 0;
}

void set_accept_all(Writer& writer, const std::string& domain, bool accept_all) {
    SQLite::Statement update(writer.db,
                             "UPDATE domain SET accept_all = ? WHERE domain = ? AND accept_all <> ?");
    update.bind(1, accept_all ? 1 : 0);
    update.bind(2, domain);
    update.bind(3, accept_all ? 1 : 0);
    if (update.exec() == 0) return;
    // What is accepted stays so; only rejections hang on this fact, those that are and those that may be.
    exec_with(
        writer,
        "INSERT INTO undecided (address_id, rank) SELECT id, 1 FROM address WHERE domain = ?1 AND "
        "reason = 'accept-all' UNION SELECT id, 1 FROM address WHERE until IS NOT NULL AND +domain = ?1 "
        "ON CONFLICT (address_id) DO NOTHING",
        domain);
}

std::vector<std::string> load_relay_domains(SQLite::Database& db) {
    std::vector<std::string> domains;
    SQLite::Statement all(db, "SELECT domain FROM relay_domain ORDER BY domain");
    while (all.executeStep()) domains.push_back(all.getColumn(0).getString());
    return domains;
}

bool relay_domains_differ(SQLite::Database& db, const std::map<std::string, bool>& answers) {
    SQLite::Statement find(db, "SELECT no_at IS NULL FROM relay_domain WHERE domain = ?");
    for (const auto& [domain, relayed] : answers) {
        find.reset();
        find.bind(1, domain);
        const bool known = find.executeStep();
        if (relayed ? !known || find.getColumn(0).getInt() == 0 : known) return true;
    }
    return false;
}

bool note_relay_domains(Writer& writer, const std::map<std::string, bool>& answers, Time now) {
    SQLite::Statement add(writer.db, "INSERT INTO relay_domain (domain) VALUES (?) ON CONFLICT DO NOTHING");
    SQLite::Statement yes(writer.db,
                          "UPDATE relay_domain SET no_at = NULL WHERE domain = ? AND no_at IS NOT NULL");
    SQLite::Statement no(
        writer.db, "UPDATE relay_domain SET no_at = ?1 WHERE domain = ?2 AND (no_at IS NULL OR no_at > ?1)");
    SQLite::Statement end(writer.db, "DELETE FROM relay_domain WHERE domain = ? AND no_at <= ?");
    bool changed = false;
    for (const auto& [domain, relayed] : answers) {
        for (SQLite::Statement* statement : {&add, &yes, &no, &end}) statement->reset();
        if (relayed) {
            add.bind(1, domain);
            changed = add.exec() > 0 || changed;
            yes.bind(1, domain);
            yes.exec();
            continue;
        }
        end.bind(1, domain);
        end.bind(2, to_unix_ms(now - kBetweenNoes));
        changed = end.exec() > 0 || changed;
        no.bind(1, to_unix_ms(now));
        no.bind(2, domain);
        no.exec();
    }
    return changed;
}

bool knows_relay_domains(SQLite::Database& db) {
    return db.execAndGet("SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'relay-domains')").getInt() != 0;
}

void set_knows_relay_domains(Writer& writer) {
    writer.db.exec("INSERT OR REPLACE INTO meta (key, value) VALUES ('relay-domains', 'known')");
}

std::vector<std::string> known_domains(SQLite::Database& db) {
    std::vector<std::string> domains;
    // From one domain to the next by the index, whatever the number of addresses.
    SQLite::Statement all(
        db,
        "WITH RECURSIVE one (domain) AS (SELECT min(domain) FROM address UNION ALL SELECT (SELECT "
        "min(address.domain) FROM address WHERE address.domain > one.domain) FROM one WHERE domain IS NOT "
        "NULL) SELECT domain FROM one WHERE domain IS NOT NULL UNION SELECT domain FROM relay_domain");
    while (all.executeStep()) domains.push_back(all.getColumn(0).getString());
    return domains;
}

}  // namespace postcensus::store
