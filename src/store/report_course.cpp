// SPDX-License-Identifier: MIT
#include <algorithm>
#include <chrono>
#include <unordered_map>

#include "store/report_parts.h"

namespace postcensus::store {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kHour = 3'600'000;

// Counts are kept by the hour; more than some hundred steps nobody can see.
Milliseconds step_of(const Scope& scope) {
    const auto period = scope.until - scope.since;
    if (period <= 72h) return 1h;
    return period <= 24h * 100 ? 24h : 24h * 7;
}

census::Step* step_at(census::Report& report, std::int64_t at) {
    if (report.steps.empty()) return nullptr;
    const std::int64_t index = (at - to_unix_ms(report.steps.front().at)) / report.step.count();
    if (index < 0 || index >= static_cast<std::int64_t>(report.steps.size())) return nullptr;
    return &report.steps[static_cast<std::size_t>(index)];
}

void make_steps(const Scope& scope, census::Report& report) {
    report.step = step_of(scope);
    const std::int64_t length = report.step.count();
    for (std::int64_t at = to_unix_ms(scope.since) / length * length; at < to_unix_ms(scope.until);
         at += length)
        report.steps.push_back({from_unix_ms(at)});
}

census::ChangeLine change_of(SQLite::Statement& row) {
    census::ChangeLine line{quoted_address(row),
                            from_unix_ms(row.getColumn("at").getInt64()),
                            row.getColumn("from_answer").getString(),
                            row.getColumn("to_answer").getString(),
                            row.getColumn("reason").getString(),
                            row.getColumn("cause").getString(),
                            std::nullopt};
    if (const auto waited = row.getColumn("waited"); !waited.isNull())
        line.waited = Milliseconds(waited.getInt64());
    return line;
}

// Each change of the period counts for its step.
void count_changes(SQLite::Database& db, const Scope& scope, census::Report& report) {
    SQLite::Statement events(
        db,
        "SELECT event.at / :step * :step AS step, from_answer IN ('accept', 'closed') AS was, to_answer IN "
        "('accept', 'closed') AS is_now, to_answer = 'reject' AS rejected, event.reason = 'lease-over' AS "
        "lapsed, count(*) AS changes FROM event INDEXED BY event_by_time WHERE event.at >= :since AND "
        "event.at < :until AND from_answer <> to_answer AND (:domain = '' OR (SELECT domain FROM address "
        "WHERE address.id = address_id) = :domain) GROUP BY 1, 2, 3, 4, 5");
    bind_scope(events, scope);
    events.bind(":step", static_cast<std::int64_t>(report.step.count()));
    while (events.executeStep()) {
        const std::int64_t changes = events.getColumn("changes").getInt64();
        const bool was = events.getColumn("was").getInt() != 0;
        const bool is = events.getColumn("is_now").getInt() != 0;
        report.changes_total += changes;
        if (events.getColumn("lapsed").getInt() != 0) report.lapsed += changes;
        census::Step* step = step_at(report, events.getColumn("step").getInt64());
        if (step == nullptr) continue;
        if (is && !was) step->came += changes;
        if (was && !is) step->left += changes;
        if (events.getColumn("rejected").getInt() != 0) step->rejected += changes;
    }
}

// Each address counts once for its domain: one that is made up and proved unknown every hour is one.
void count_addresses(SQLite::Database& db, const Scope& scope, census::Report& report) {
    std::unordered_map<std::string, census::DomainCounts*> domains;
    for (census::DomainCounts& domain : report.domains) domains[domain.domain] = &domain;
    SQLite::Statement addresses(
        db,
        "SELECT domain, sum(came) AS came, sum(gone) AS gone, sum(refused) AS refused FROM (SELECT "
        "address_id, max(from_answer NOT IN ('accept', 'closed') AND to_answer IN ('accept', 'closed')) AS "
        "came, max(from_answer IN ('accept', 'closed') AND to_answer NOT IN ('accept', 'closed')) AS gone, "
        "max(to_answer = 'reject') AS refused FROM event INDEXED BY event_by_time WHERE event.at >= :since "
        "AND event.at < :until AND from_answer <> to_answer GROUP BY address_id) CROSS JOIN address ON "
        "address.id = address_id WHERE :domain = '' OR domain = :domain GROUP BY domain");
    bind_scope(addresses, scope);
    while (addresses.executeStep()) {
        const auto domain = domains.find(addresses.getColumn("domain").getString());
        if (domain == domains.end()) continue;
        domain->second->came = addresses.getColumn("came").getInt64();
        domain->second->left = addresses.getColumn("gone").getInt64();
        domain->second->rejected = addresses.getColumn("refused").getInt64();
    }
}

}  // namespace

void load_changes(SQLite::Database& db, const Scope& scope, census::Report& report) {
    make_steps(scope, report);
    count_changes(db, scope, report);
    count_addresses(db, scope, report);
    SQLite::Statement newest(
        db,
        "SELECT address, event.at AS at, from_answer, to_answer, event.reason AS reason, cause, waited FROM "
        "event INDEXED BY event_by_time CROSS JOIN address ON address.id = address_id WHERE from_answer <> "
        "to_answer AND event.at >= :since AND event.at < :until AND (:domain = '' OR domain = :domain) ORDER "
        "BY event.at DESC, event.id DESC LIMIT :most");
    bind_scope(newest, scope);
    while (newest.executeStep()) report.changes.push_back(change_of(newest));
}

std::vector<census::ChangeLine> next_changes(SQLite::Database& db, const Scope& scope, ChangePlace& place) {
    SQLite::Statement next(
        db,
        "SELECT event.id AS id, address, event.at AS at, from_answer, to_answer, event.reason AS reason, "
        "cause, waited FROM event INDEXED BY event_by_time CROSS JOIN address ON address.id = address_id "
        "WHERE "
        "event.at >= :at AND event.at < :until AND (event.at > :at OR event.id > :id) AND from_answer <> "
        "to_answer AND (:domain = '' OR domain = :domain) ORDER BY event.at, event.id LIMIT :most");
    bind_scope(next, scope);
    next.bind(":at", to_unix_ms(std::max(place.at, scope.since)));
    next.bind(":id", place.at < scope.since ? 0 : place.id);
    std::vector<census::ChangeLine> page;
    while (next.executeStep()) {
        page.push_back(change_of(next));
        place = {page.back().at, next.getColumn("id").getInt64()};
    }
    return page;
}

void load_counters(SQLite::Database& db, const Scope& scope, census::Report& report) {
    SQLite::Statement counters(
        db,
        "SELECT hour, name, sum(value) AS value, max(label) = '' AS plain FROM counter WHERE hour BETWEEN "
        ":since / 3600000 AND (:until - 1) / 3600000 GROUP BY hour, name");
    bind_scope(counters, scope);
    constexpr std::string_view kCallout = "callout-";
    while (counters.executeStep()) {
        const std::string name = counters.getColumn("name").getString();
        const std::int64_t value = counters.getColumn("value").getInt64();
        if (counters.getColumn("plain").getInt() != 0) report.counters[name] += value;
        census::Step* step = step_at(report, counters.getColumn("hour").getInt64() * kHour);
        if (step == nullptr) continue;
        if (name == "misses") step->misses += value;
        if (name == "misses-suppressed") step->suppressed += value;
        if (name == "asked") step->asked += value;
        if (name.starts_with(kCallout)) step->callouts[name.substr(kCallout.size())] += value;
    }
    report.counters.erase("learned-ms");
}

void load_sizes(SQLite::Database& db, const Scope& scope, census::Report& report) {
    // The last hour of each step stands for it.
    SQLite::Statement sizes(
        db,
        "SELECT max(hour) AS hour, listed, learned, other, closed, rejected FROM "
        "census_size WHERE hour BETWEEN :since / 3600000 AND (:until - 1) / 3600000 GROUP "
        "BY hour * 3600000 / :step ORDER BY hour");
    bind_scope(sizes, scope);
    sizes.bind(":step", static_cast<std::int64_t>(report.step.count()));
    while (sizes.executeStep())
        report.sizes.push_back({from_unix_ms(sizes.getColumn("hour").getInt64() * kHour),
                                sizes.getColumn("listed").getInt64(), sizes.getColumn("learned").getInt64(),
                                sizes.getColumn("other").getInt64(), sizes.getColumn("closed").getInt64(),
                                sizes.getColumn("rejected").getInt64()});
}

}  // namespace postcensus::store
