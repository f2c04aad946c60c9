// SPDX-License-Identifier: MIT
#include "store/health.h"

#include <fmt/format.h>

#include "store/columns.h"
#include "store/holds.h"
#include "store/migrations.h"

namespace postcensus::store {
namespace {

std::int64_t number(SQLite::Database& db, const char* query) {
    return db.execAndGet(query).getInt64();
}

std::int64_t recent_count(SQLite::Database& db, const char* name, Time now) {
    SQLite::Statement sum(db, "SELECT coalesce(sum(value), 0) FROM counter WHERE name = ? AND hour >= ?");
    sum.bind(1, name);
    sum.bind(2, 24 * (static_cast<std::int64_t>(
                          std::chrono::floor<std::chrono::days>(now).time_since_epoch().count()) -
                      1));
    sum.executeStep();
    return sum.getColumn(0).getInt64();
}

}  // namespace

Result<SchemaVersion> schema_version(const std::filesystem::path& path) {
    const int newest = static_cast<int>(migrations().size());
    try {
        SQLite::Database db(path.string(), SQLite::OPEN_READONLY, 2000);
        return SchemaVersion{db.execAndGet("PRAGMA user_version").getInt(), newest};
    } catch (const SQLite::Exception& error) {
        return fail(ExitCode::configuration,
                    fmt::format("cannot read the state {}: {}", path.string(), error.what()));
    }
}

StateHealth load_state_health(SQLite::Database& db, Time now) {
    StateHealth health;
    health.undecided = number(db, "SELECT count(*) FROM undecided");
    health.waiting = number(db, "SELECT count(*) FROM question WHERE step > 0");
    health.oldest_in_line = time_of(db.execAndGet("SELECT min(asked) FROM question WHERE step > 0"));
    health.held = count_holds(db);
    health.unseen = number(db, "SELECT count(*) FROM object WHERE unseen_seq IS NOT NULL");
    health.misses_without_route = recent_count(db, "misses-without-route", now);
    health.misses_suppressed = recent_count(db, "misses-suppressed", now);
    SQLite::Statement domains(db, "SELECT domain FROM domain WHERE accept_all = 1 ORDER BY domain");
    while (domains.executeStep()) health.accept_all.push_back(domains.getColumn(0).getString());
    SQLite::Statement directories(
        db,
        "SELECT name, listed, full_at, away_since, "
        "(SELECT ended FROM reading WHERE directory_id = directory.id AND good = 1 ORDER BY ended DESC LIMIT "
        "1) AS read_at, "
        "(SELECT max(at) FROM position WHERE directory_id = directory.id) AS moved_at, "
        "(SELECT outcome FROM reading WHERE directory_id = directory.id ORDER BY ended DESC, id DESC LIMIT "
        "1) AS outcome, "
        // Also 0 where none was tried: then there is no such reading.
        "CASE full_good WHEN 0 THEN (SELECT outcome FROM reading WHERE directory_id = directory.id AND kind "
        "= "
        "'full' AND good = 0 ORDER BY ended DESC, id DESC LIMIT 1) END AS full_failure "
        "FROM directory ORDER BY name");
    while (directories.executeStep()) {
        census::DirectoryLine& one = health.directories.emplace_back();
        one.name = directories.getColumn("name").getString();
        one.listed = directories.getColumn("listed").getInt64();
        one.last_full = time_of(directories.getColumn("full_at"));
        if (const auto why = directories.getColumn("full_failure"); !why.isNull())
            one.full_failure = why.getString();
        one.away_since = time_of(directories.getColumn("away_since"));
        one.outcome = directories.getColumn("outcome").getString();
        for (const char* column : {"read_at", "moved_at"})
            if (const auto at = time_of(directories.getColumn(column));
                at && (!one.last_good || *at > *one.last_good))
                one.last_good = at;
    }
    return health;
}

std::int64_t busiest_hour(SQLite::Database& db, const std::string& domain, Time since) {
    SQLite::Statement most(
        db,
        "SELECT coalesce(max(missed), 0) FROM (SELECT count(DISTINCT address_id) AS missed FROM miss JOIN "
        "address ON address.id = address_id WHERE miss.at >= ? AND domain = ? GROUP BY miss.at / 3600000)");
    most.bind(1, to_unix_ms(since));
    most.bind(2, domain);
    most.executeStep();
    return most.getColumn(0).getInt64();
}

}  // namespace postcensus::store
