// SPDX-License-Identifier: MIT
#include <algorithm>
#include <unordered_map>

#include "store/columns.h"
#include "store/holds.h"
#include "store/report_parts.h"

namespace postcensus::store {
namespace {

// What an account may be that the server knows and no directory lists. Nobody can know; but where to look
// first is worth a line.
std::string kind_of(SQLite::Statement& gap) {
    if (const std::string object = gap.getColumn("object").getString(); !object.empty())
        return "was listed by " + object +
               ": moved out of the search base, or its address was taken off there";
    if (const auto base = mail::Address::from_stored(gap.getColumn("base").getString()))
        return "an extension of " + base->external();
    if (gap.getColumn("alone").getInt() != 0) return "no directory lists any address of this domain";
    if (gap.getColumn("answer").getString() == "closed")
        return "a group or mailbox for insiders, outside of the search base or hidden from our account";
    return "a public folder, group, contact or mailbox outside of the search base, in another forest, or "
           "hidden from our account";
}

}  // namespace

void load_gaps(SQLite::Database& db, const Scope& scope, census::Report& report) {
    SQLite::Statement total(
        db,
        "SELECT coalesce((SELECT sum(addresses) FROM census WHERE reason = 'proven' AND answer = 'accept' "
        "AND (:domain = '' OR domain = :domain)), 0) - (SELECT count(DISTINCT address.id) FROM object "
        "INDEXED "
        "BY object_unseen CROSS JOIN listing ON object_id = object.id CROSS JOIN address ON address.id = "
        "address_id WHERE unseen_seq IS NOT NULL AND reason = 'proven' AND answer = 'accept' AND (:domain = "
        "'' "
        "OR domain = :domain)) + (SELECT count(*) FROM address WHERE answer = 'closed' AND "
        "reason = 'closed-callout' AND (:domain = '' OR +domain = :domain) AND NOT EXISTS (SELECT 1 FROM "
        "listing WHERE address_id = address.id))");
    bind_scope(total, scope);
    report.gaps_total = count_of(total);
    SQLite::Statement gaps(
        db,
        "SELECT one.address AS address, answer, coalesce((SELECT max(at) FROM callout WHERE address_id = "
        "one.id AND class IN ('deliverable', 'policy')), 0) AS at, coalesce(dn, '') AS object, "
        "coalesce((SELECT base.address FROM address AS base WHERE base.domain = one.domain AND base.local = "
        "substr(one.local, 1, instr(one.local, '+') - 1) AND base.reason IN ('listed', 'closed-listing')), "
        "'') "
        "AS base, "
        "NOT EXISTS (SELECT 1 FROM census_source AS its WHERE its.domain = one.domain AND source = 'listed' "
        "AND "
        "addresses > 0) AS alone "
        "FROM (SELECT id, address, local, domain, answer, last_object, accepted_seq FROM address WHERE "
        "(reason "
        "= 'proven' OR reason = 'closed-callout') AND answer IN ('accept', 'closed') AND (:domain = '' OR "
        "+domain = :domain) AND NOT EXISTS (SELECT 1 FROM listing WHERE address_id = address.id) ORDER BY "
        "accepted_seq DESC LIMIT :most) AS one LEFT JOIN object ON object.id = last_object ORDER BY "
        "accepted_seq DESC");
    bind_scope(gaps, scope);
    while (gaps.executeStep())
        report.gaps.push_back(
            {quoted_address(gaps), from_unix_ms(gaps.getColumn("at").getInt64()), kind_of(gaps)});
}

void load_conflicts(SQLite::Database& db, const Scope& scope, census::Report& report) {
    SQLite::Statement conflicts(
        db,
        "WITH doubted (id) AS (SELECT id FROM address WHERE reason = 'contested' UNION SELECT address_id "
        "FROM "
        "question WHERE cause = 'contested') "
        "SELECT address, reason = 'contested' AS refused, target, reply, callout.at AS at, coalesce((SELECT "
        "dn FROM listing CROSS JOIN object ON object.id = object_id WHERE listing.address_id = address.id "
        "LIMIT 1), '') AS object, NOT EXISTS (SELECT 1 FROM listing CROSS JOIN object ON object.id = "
        "object_id "
        "WHERE listing.address_id = address.id AND (unseen_seq IS NULL OR doubts IS NOT NULL)) AS unseen "
        "FROM doubted CROSS JOIN address ON address.id = doubted.id CROSS JOIN callout ON callout.id = "
        "(SELECT "
        "id FROM callout AS last WHERE last.address_id = address.id AND class = 'unknown' ORDER BY began_seq "
        "DESC, id DESC LIMIT 1) WHERE :domain = '' OR domain = :domain ORDER BY callout.at DESC, address");
    bind_scope(conflicts, scope);
    while (conflicts.executeStep()) {
        ++report.conflicts_total;
        const bool unseen = conflicts.getColumn("unseen").getInt() != 0;
        if (unseen) ++report.conflicts_unseen;
        if (report.conflicts.size() == scope.most) continue;
        report.conflicts.push_back(
            {quoted_address(conflicts), conflicts.getColumn("object").getString(),
             from_unix_ms(conflicts.getColumn("at").getInt64()), conflicts.getColumn("target").getString(),
             conflicts.getColumn("reply").getString(), conflicts.getColumn("refused").getInt() != 0, unseen});
    }
}

void load_bounces(SQLite::Database& db, const Scope& scope, census::Report& report) {
    SQLite::Statement bounces(
        db,
        "SELECT address, host, reply, one.first_at AS first_at, one.last_at AS last_at, one.count AS count, "
        "answer FROM (SELECT address_id, min(first_at) AS first_at, max(last_at) AS last_at, sum(count) AS "
        "count FROM bounce_hour WHERE hour BETWEEN :since / 3600000 AND (:until - 1) / 3600000 AND last_at "
        ">= :since AND first_at < :until GROUP BY address_id) AS one CROSS JOIN bounce ON bounce.address_id "
        "= one.address_id CROSS JOIN address ON address.id = one.address_id WHERE :domain = '' OR domain = "
        ":domain ORDER BY one.last_at DESC");
    bind_scope(bounces, scope);
    while (bounces.executeStep()) {
        ++report.bounces_total;
        if (report.bounces.size() == scope.most) continue;
        report.bounces.push_back(
            {quoted_address(bounces), bounces.getColumn("host").getString(),
             bounces.getColumn("reply").getString(), from_unix_ms(bounces.getColumn("first_at").getInt64()),
             from_unix_ms(bounces.getColumn("last_at").getInt64()), bounces.getColumn("count").getInt64(),
             bounces.getColumn("answer").getString()});
    }
}

void load_held(SQLite::Database& db, const Scope& scope, census::Report& report) {
    SQLite::Statement by_domain(
        db,
        "SELECT domain, count(*) AS held FROM hold INDEXED BY hold_open WHERE approved = 0 AND (:domain = '' "
        "OR domain = :domain) GROUP BY domain");
    bind_scope(by_domain, scope);
    std::unordered_map<std::string, census::DomainCounts*> domains;
    for (census::DomainCounts& counts : report.domains) domains[counts.domain] = &counts;
    while (by_domain.executeStep()) {
        const std::string domain = by_domain.getColumn("domain").getString();
        const std::int64_t held = by_domain.getColumn("held").getInt64();
        report.held_total += held;
        if (const auto counts = domains.find(domain); counts != domains.end()) counts->second->held = held;
    }
    SQLite::Statement held(
        db,
        "SELECT hold.number AS number, address, directory, object, cause, at FROM (SELECT address_id, number "
        "FROM hold INDEXED BY hold_open WHERE approved = 0 AND (:domain = '' OR domain = :domain) ORDER BY "
        "number, address_id LIMIT :most) AS one CROSS JOIN hold ON hold.address_id = one.address_id CROSS "
        "JOIN address ON address.id = one.address_id ORDER BY one.number, one.address_id");
    bind_scope(held, scope);
    while (held.executeStep())
        report.held.push_back({held.getColumn("number").getInt64(), quoted_address(held),
                               held.getColumn("directory").getString(), held.getColumn("object").getString(),
                               held.getColumn("cause").getString(),
                               from_unix_ms(held.getColumn("at").getInt64())});
}

void load_unseen(SQLite::Database& db, const Scope& scope, census::Report& report) {
    SQLite::Statement total(
        db,
        "SELECT count(*) FROM object INDEXED BY object_unseen WHERE unseen_seq IS NOT NULL AND (:domain = '' "
        "OR EXISTS (SELECT 1 FROM listing CROSS JOIN address ON address.id = address_id WHERE object_id = "
        "object.id AND domain = :domain))");
    bind_scope(total, scope);
    report.unseen_total = count_of(total);
    SQLite::Statement unseen(
        db,
        "SELECT name, dn, (SELECT min(address) FROM listing CROSS JOIN address ON address.id = address_id "
        "WHERE object_id = one.id AND (:domain = '' OR domain = :domain)) AS address FROM (SELECT id, "
        "directory_id, dn FROM object INDEXED BY object_unseen WHERE unseen_seq IS NOT NULL AND (:domain = "
        "'' OR EXISTS (SELECT 1 FROM listing CROSS JOIN address ON address.id = address_id WHERE object_id = "
        "object.id AND domain = :domain)) ORDER BY directory_id, id LIMIT :most) AS one CROSS JOIN directory "
        "ON directory.id = directory_id ORDER BY directory_id, one.id");
    bind_scope(unseen, scope);
    while (unseen.executeStep())
        report.unseen.push_back({unseen.getColumn("name").getString(), unseen.getColumn("dn").getString(),
                                 unseen.getColumn("address").isNull() ? "" : quoted_address(unseen)});
}

}  // namespace postcensus::store
