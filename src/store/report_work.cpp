// SPDX-License-Identifier: MIT
#include <algorithm>
#include <numeric>

#include "store/callouts.h"
#include "store/health.h"
#include "store/history.h"
#include "store/publications.h"
#include "store/report_parts.h"

namespace postcensus::store {
namespace {

constexpr const char* kTables[] = {"directory", "learned", "closed", "unknown"};

}  // namespace

void load_directories(SQLite::Database& db, const Scope& scope, census::Report& report) {
    const StateHealth health = load_state_health(db, scope.now);
    report.questions = health.waiting;
    report.directories = health.directories;
    SQLite::Statement total(db,
                            "SELECT count(*) AS readings, count(*) FILTER (WHERE good = 0) AS failed, "
                            "count(*) FILTER (WHERE kind = 'lookup' AND good = 1) AS lookups FROM reading "
                            "WHERE ended >= :since AND ended < :until");
    bind_scope(total, scope);
    total.executeStep();
    report.lookups = total.getColumn("lookups").getInt64();
    report.readings_total = total.getColumn("readings").getInt64() - report.lookups;
    report.readings_failed = total.getColumn("failed").getInt64();
    // Lookups of single addresses show in what they brought.
    SQLite::Statement readings(
        db,
        "SELECT name, kind, server, outcome, began, ended, added, removed, held, good FROM reading INDEXED "
        "BY "
        "reading_by_end CROSS JOIN directory ON directory.id = directory_id WHERE ended >= :since AND ended "
        "< "
        ":until AND (kind <> 'lookup' OR good = 0) ORDER BY ended DESC LIMIT :most");
    bind_scope(readings, scope);
    while (readings.executeStep())
        report.readings.push_back(
            {readings.getColumn("name").getString(), readings.getColumn("kind").getString(),
             readings.getColumn("server").getString(), readings.getColumn("outcome").getString(),
             from_unix_ms(readings.getColumn("began").getInt64()),
             from_unix_ms(readings.getColumn("ended").getInt64()), readings.getColumn("added").getInt64(),
             readings.getColumn("removed").getInt64(), readings.getColumn("held").getInt64(),
             readings.getColumn("good").getInt() != 0});
}

void load_servers(SQLite::Database& db, const Scope& scope, census::Report& report) {
    std::map<std::string, census::TargetLine> lines;
    SQLite::Statement paces(db, "SELECT target, most_refused, limit_at, tarpit FROM target");
    while (paces.executeStep()) {
        census::TargetLine& line = lines[paces.getColumn("target").getString()];
        line.most_refused = paces.getColumn("most_refused").getInt64();
        if (const auto at = paces.getColumn("limit_at"); !at.isNull()) line.limit_at = at.getInt64();
        line.tarpit = Milliseconds(paces.getColumn("tarpit").getInt64());
    }
    constexpr std::string_view kPrefix = "callout-";
    SQLite::Statement answers(
        db,
        "SELECT name, label, sum(value) AS value FROM counter WHERE hour BETWEEN :since / 3600000 AND "
        "(:until - 1) / 3600000 AND label <> '' AND (name = 'sessions' OR name >= 'callout-' AND name < "
        "'callout.') GROUP BY name, "
        "label");
    bind_scope(answers, scope);
    while (answers.executeStep()) {
        const std::string name = answers.getColumn("name").getString();
        const std::int64_t value = answers.getColumn("value").getInt64();
        census::TargetLine& line = lines[answers.getColumn("label").getString()];
        if (!name.starts_with(kPrefix)) {
            line.sessions = value;
            continue;
        }
        line.classes[name.substr(kPrefix.size())] = value;
        report.callouts[name.substr(kPrefix.size())] += value;
    }
    for (auto& [target, line] : lines) {
        line.target = target;
        report.targets.push_back(std::move(line));
    }
    const auto answers_of = [](const census::TargetLine& line) {
        return std::accumulate(line.classes.begin(), line.classes.end(), std::int64_t{0},
                               [](std::int64_t sum, const auto& one) { return sum + one.second; });
    };
    std::stable_sort(report.targets.begin(), report.targets.end(),
                     [&](const auto& one, const auto& other) { return answers_of(one) > answers_of(other); });
    report.targets_total = static_cast<std::int64_t>(report.targets.size());
    report.targets.resize(std::min(report.targets.size(), scope.most));
}

void load_breakers_and_stops(SQLite::Database& db, const Scope& scope, census::Report& report) {
    for (census::BreakerLine& breaker : load_breakers(db))
        if (scope.domain.empty() || breaker.domain.empty() || breaker.domain == scope.domain)
            report.breakers.push_back(std::move(breaker));
    SQLite::Statement total(db,
                            "SELECT count(*) FROM stop WHERE ended >= :since AND since < :until AND (:domain "
                            "= '' OR domain = '' OR domain = :domain)");
    bind_scope(total, scope);
    total.executeStep();
    report.stops_total = total.getColumn(0).getInt64();
    SQLite::Statement stops(db,
                            "SELECT target, domain, since, ended, reason FROM stop WHERE ended >= :since AND "
                            "since < :until AND (:domain = '' OR domain = '' OR domain = :domain) ORDER BY "
                            "ended DESC, id DESC LIMIT :most");
    bind_scope(stops, scope);
    while (stops.executeStep())
        report.stops.push_back({stops.getColumn("target").getString(), stops.getColumn("domain").getString(),
                                from_unix_ms(stops.getColumn("since").getInt64()),
                                stops.getColumn("reason").getString(),
                                from_unix_ms(stops.getColumn("ended").getInt64())});
}

void load_log(SQLite::Database& db, census::Report& report) {
    SQLite::Statement missing(db, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'log-missing'");
    if (missing.executeStep()) report.log_missing = from_unix_ms(missing.getColumn(0).getInt64());
    if (const auto strange = load_strange_line(db)) report.strange_line = strange->line;
}

void load_tables(SQLite::Database& db, const Scope& scope, census::Report& report) {
    std::map<std::string, std::int64_t> published;
    SQLite::Statement counts(db,
                             "SELECT label, sum(value) AS value FROM counter WHERE hour BETWEEN :since / "
                             "3600000 AND (:until - 1) / 3600000 AND name = 'published' GROUP BY label");
    bind_scope(counts, scope);
    while (counts.executeStep())
        published[counts.getColumn("label").getString()] = counts.getColumn("value").getInt64();
    const auto publications = load_publications(db);
    for (const auto& [table, publication] : publications)
        report.tables.push_back({table, publication.generation, publication.entries, published[table],
                                 publication.at, publication.until});
    for (const char* table : kTables)
        if (!publications.contains(table)) report.unpublished.emplace_back(table);
}

void load_commands(SQLite::Database& db, const Scope& scope, census::Report& report) {
    SQLite::Statement total(db,
                            "SELECT count(*) AS commands, count(*) FILTER (WHERE name = 'failsafe') AS runs "
                            "FROM command WHERE at >= :since AND at < :until");
    bind_scope(total, scope);
    total.executeStep();
    report.commands_total = total.getColumn("commands").getInt64();
    report.failsafe_runs = total.getColumn("runs").getInt64();
    // The list may have been cut before it.
    SQLite::Statement last(db,
                           "SELECT words FROM command WHERE name = 'failsafe' AND at >= :since AND at < "
                           ":until ORDER BY at DESC, id DESC LIMIT 1");
    bind_scope(last, scope);
    if (last.executeStep()) report.last_failsafe = last.getColumn("words").getString();
    SQLite::Statement commands(db,
                               "SELECT name, user, words, at FROM command WHERE at >= :since AND at < :until "
                               "ORDER BY at DESC, id DESC LIMIT :most");
    bind_scope(commands, scope);
    while (commands.executeStep())
        report.commands.push_back(
            {commands.getColumn("name").getString(), commands.getColumn("user").getString(),
             commands.getColumn("words").getString(), from_unix_ms(commands.getColumn("at").getInt64())});
}

}  // namespace postcensus::store
