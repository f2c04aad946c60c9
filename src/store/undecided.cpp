// SPDX-License-Identifier: MIT
#include "store/undecided.h"

#include <chrono>

#include "store/columns.h"

namespace postcensus::store {
namespace {

using namespace std::chrono_literals;

constexpr auto kSlidingDay = 24h;

std::vector<AddressId> ids_of(SQLite::Statement& statement) {
    std::vector<AddressId> ids;
    while (statement.executeStep()) ids.push_back(statement.getColumn(0).getInt64());
    return ids;
}

// The joins and conditions below are such that SQLite begins with what is short: the last day, the holds,
// what was accepted since the last publication. By its domain it would look at every address.

// Addresses of the domain in the tables that Postfix reads: those that are accepted, but for what was
// accepted after the last publication. Before the first one there is none: all count.
std::int64_t count_published(SQLite::Database& db, const std::string& domain) {
    SQLite::Statement accepted(
        db,
        "SELECT coalesce((SELECT sum(addresses) FROM census WHERE domain = ?1 AND answer IN ('accept', "
        "'closed')), 0) - (SELECT count(*) FROM hold "
        "CROSS JOIN address ON address.id = address_id WHERE approved = 1 AND hold.domain = ?1 AND answer IN "
        "('accept', "
        "'closed'))");
    accepted.bind(1, domain);
    SQLite::Statement arrived(db,
                              "SELECT count(*) FROM address WHERE answer IN ('accept', 'closed') AND +domain "
                              "= ? AND accepted_seq > "
                              "(SELECT max(seq) FROM publication WHERE name IN ('directory', 'learned'))");
    arrived.bind(1, domain);
    return count_of(accepted) - count_of(arrived);
}

std::int64_t count_lost(SQLite::Database& db, const std::string& domain, Time since) {
    SQLite::Statement lost(
        db,
        "SELECT count(DISTINCT address_id) FROM event CROSS JOIN address ON address.id = event.address_id "
        "WHERE event.at > ? AND domain = ? AND approved = 0 AND from_answer IN ('accept', 'closed') "
        "AND to_answer NOT IN ('accept', 'closed') AND answer NOT IN ('accept', 'closed')");
    lost.bind(1, to_unix_ms(since));
    lost.bind(2, domain);
    return count_of(lost);
}

std::int64_t count_held(SQLite::Database& db, const std::string& domain) {
    SQLite::Statement held(
        db,
        "SELECT count(*) FROM hold CROSS JOIN address ON address.id = address_id WHERE cause = 'gate' AND "
        "approved "
        "= 0 AND hold.domain = ? AND answer IN ('accept', 'closed') AND NOT EXISTS (SELECT 1 FROM undecided "
        "WHERE "
        "undecided.address_id = hold.address_id AND rank = 2)");
    held.bind(1, domain);
    return count_of(held);
}

}  // namespace

std::vector<AddressId> next_undecided(SQLite::Database& db, std::size_t most) {
    SQLite::Statement next(
        db, "SELECT address_id FROM undecided WHERE rank < 2 ORDER BY rank, address_id LIMIT ?");
    next.bind(1, static_cast<std::int64_t>(most));
    return ids_of(next);
}

GateQueue::GateQueue(Writer& writer)
    : add_(writer.db,
           "INSERT INTO undecided (address_id, rank) VALUES (?, 2) ON CONFLICT (address_id) DO UPDATE SET "
           "rank = 2") {}

void GateQueue::add(AddressId id) {
    add_.reset();
    add_.bind(1, id);
    add_.exec();
}

std::vector<AddressId> next_at_gate(SQLite::Database& db, std::size_t most) {
    SQLite::Statement next(db, "SELECT address_id FROM undecided WHERE rank = 2 ORDER BY address_id LIMIT ?");
    next.bind(1, static_cast<std::int64_t>(most));
    return ids_of(next);
}

std::vector<census::DomainLosses> count_losses(SQLite::Database& db, Time now) {
    std::vector<census::DomainLosses> all;
    SQLite::Statement losing(
        db,
        "SELECT address.domain, count(*) FROM undecided CROSS JOIN address ON address.id = "
        "undecided.address_id LEFT JOIN hold ON hold.address_id = address.id WHERE rank = 2 AND "
        "coalesce(approved, 0) = 0 GROUP BY address.domain");
    while (losing.executeStep())
        all.push_back({.domain = losing.getColumn(0).getString(), .losing = losing.getColumn(1).getInt64()});
    for (census::DomainLosses& domain : all) {
        domain.losing += count_held(db, domain.domain);
        domain.published = count_published(db, domain.domain);
        domain.lost_today = count_lost(db, domain.domain, now - kSlidingDay);
    }
    return all;
}

void mark_domain(Writer& writer, const std::string& domain) {
    SQLite::Statement mark(writer.db, "INSERT OR REPLACE INTO undecided_domain (domain, seq) VALUES (?, ?)");
    mark.bind(1, domain);
    mark.bind(2, writer.seq);
    mark.exec();
}

std::vector<ChangedDomain> changed_domains(SQLite::Database& db) {
    std::vector<ChangedDomain> domains;
    SQLite::Statement all(db, "SELECT domain, seq FROM undecided_domain");
    while (all.executeStep())
        domains.push_back({all.getColumn("domain").getString(), all.getColumn("seq").getInt64()});
    return domains;
}

std::vector<AddressId> next_of_domain(SQLite::Database& db, const std::string& domain, std::string& after,
                                      std::size_t most) {
    SQLite::Statement next(
        db, "SELECT id, local FROM address WHERE domain = ? AND local > ? ORDER BY local LIMIT ?");
    next.bind(1, domain);
    next.bind(2, after);
    next.bind(3, static_cast<std::int64_t>(most));
    std::vector<AddressId> ids;
    while (next.executeStep()) {
        ids.push_back(next.getColumn(0).getInt64());
        after = next.getColumn(1).getString();
    }
    return ids;
}

void end_changes(Writer& writer, const std::vector<ChangedDomain>& domains) {
    SQLite::Statement end(writer.db, "DELETE FROM undecided_domain WHERE domain = ? AND seq = ?");
    for (const ChangedDomain& domain : domains) {
        end.reset();
        end.bind(1, domain.domain);
        end.bind(2, domain.seq);
        end.exec();
    }
}

bool any_expired(SQLite::Database& db, Time now, Time latest) {
    SQLite::Statement any(db,
                          "SELECT EXISTS (SELECT 1 FROM address WHERE until <= ?) OR EXISTS (SELECT 1 FROM "
                          "address WHERE until > ?)");
    any.bind(1, to_unix_ms(now));
    any.bind(2, to_unix_ms(latest));
    any.executeStep();
    return any.getColumn(0).getInt() != 0;
}

int mark_expired(Writer& writer, Time now, Time latest) {
    SQLite::Statement mark(
        writer.db,
        "INSERT INTO undecided (address_id, rank) SELECT id, 1 FROM address WHERE until <= ? OR until > ? "
        "ON CONFLICT (address_id) DO NOTHING");
    mark.bind(1, to_unix_ms(now));
    mark.bind(2, to_unix_ms(latest));
    return mark.exec();
}

void mark_doubtful(Writer& writer) {
    writer.db.exec(
        "INSERT INTO undecided (address_id, rank) SELECT address_id, 1 FROM object JOIN listing ON object_id "
        "= "
        "object.id WHERE unseen_seq IS NOT NULL UNION SELECT id, 1 FROM address WHERE adopted_seq IS NOT "
        "NULL "
        "ON CONFLICT (address_id) DO NOTHING");
}

std::optional<Time> next_expiry(SQLite::Database& db) {
    const SQLite::Column until = db.execAndGet("SELECT min(until) FROM address WHERE until IS NOT NULL");
    if (until.isNull()) return std::nullopt;
    return from_unix_ms(until.getInt64());
}

}  // namespace postcensus::store
