// SPDX-License-Identifier: MIT
#include "store/report.h"

#include "store/addresses.h"
#include "store/report_parts.h"

namespace postcensus::store {
namespace {

void load_domains(SQLite::Database& db, const Scope& scope, census::Report& report) {
    SQLite::Statement domains(
        db,
        "SELECT domain.domain AS domain, accept_all, "
        "coalesce(sum(addresses) FILTER (WHERE source <> 'rejected'), 0) AS accepted, "
        "coalesce(sum(addresses) FILTER (WHERE source = 'listed'), 0) AS listed, "
        "coalesce(sum(addresses) FILTER (WHERE source = 'learned'), 0) AS learned, "
        "coalesce(sum(addresses) FILTER (WHERE source = 'other'), 0) AS other, "
        "coalesce(sum(addresses) FILTER (WHERE answer = 'closed'), 0) AS closed, "
        "coalesce(sum(addresses) FILTER (WHERE source = 'rejected'), 0) AS unknown "
        // One that has ended is asked for by its name.
        "FROM (SELECT domain, accept_all FROM domain WHERE :domain = '' OR domain = :domain UNION ALL SELECT "
        ":domain, 0 WHERE :domain <> '' AND NOT EXISTS (SELECT 1 FROM domain WHERE domain = :domain)) AS "
        "domain LEFT JOIN census_source ON census_source.domain = domain.domain GROUP BY domain.domain ORDER "
        "BY domain.domain");
    bind_scope(domains, scope);
    while (domains.executeStep()) {
        census::DomainCounts counts{domains.getColumn("domain").getString()};
        counts.accept_all = domains.getColumn("accept_all").getInt() != 0;
        counts.accepted = domains.getColumn("accepted").getInt64();
        counts.listed = domains.getColumn("listed").getInt64();
        counts.learned = domains.getColumn("learned").getInt64();
        counts.other = domains.getColumn("other").getInt64();
        counts.closed = domains.getColumn("closed").getInt64();
        counts.unknown = domains.getColumn("unknown").getInt64();
        report.domains.push_back(std::move(counts));
    }
}

// Domain by domain through the index: the addresses of the others are not looked at.
void load_elsewhere(SQLite::Database& db, census::Report& report) {
    SQLite::Statement elsewhere(
        db,
        "WITH RECURSIVE known (name) AS (SELECT min(domain) FROM address UNION ALL SELECT (SELECT "
        "min(domain) FROM address WHERE domain > name) FROM known WHERE name IS NOT NULL) "
        "SELECT coalesce(sum((SELECT count(*) FROM address WHERE address.domain = name)), 0) FROM known "
        "WHERE name IS NOT NULL AND name NOT IN (SELECT domain FROM domain)");
    elsewhere.executeStep();
    report.elsewhere = elsewhere.getColumn(0).getInt64();
}

}  // namespace

void bind_scope(SQLite::Statement& statement, const Scope& scope) {
    const auto has = [&statement](const char* name) { return statement.getIndex(name) > 0; };
    if (has(":since")) statement.bind(":since", to_unix_ms(scope.since));
    if (has(":until")) statement.bind(":until", to_unix_ms(scope.until));
    if (has(":domain")) statement.bind(":domain", scope.domain);
    if (has(":most")) statement.bind(":most", static_cast<std::int64_t>(scope.most));
}

std::string quoted_address(SQLite::Statement& row) {
    return stored_address(row.getColumn("address")).external();
}

census::Report load_report(SQLite::Database& db, const Scope& scope) {
    census::Report report{
        .since = scope.since, .until = scope.until, .made = scope.now, .domain = scope.domain};
    load_domains(db, scope, report);
    if (scope.domain.empty()) load_elsewhere(db, report);
    load_directories(db, scope, report);
    load_misses(db, scope, report);
    load_waiting(db, scope, report);
    load_learned(db, scope, report);
    if (!report.directories.empty()) load_gaps(db, scope, report);
    load_conflicts(db, scope, report);
    load_bounces(db, scope, report);
    load_held(db, scope, report);
    load_unseen(db, scope, report);
    load_changes(db, scope, report);
    // These are not kept by domain.
    if (scope.domain.empty()) {
        load_counters(db, scope, report);
        load_mistyped(db, scope, report);
        load_sizes(db, scope, report);
    }
    load_servers(db, scope, report);
    load_breakers_and_stops(db, scope, report);
    load_log(db, report);
    load_tables(db, scope, report);
    load_commands(db, scope, report);
    return report;
}

}  // namespace postcensus::store
