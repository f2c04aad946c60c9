// SPDX-License-Identifier: MIT
#include "store/history.h"

#include <chrono>
#include <vector>

#include "census/report.h"
#include "store/directories.h"
#include "store/undecided.h"

namespace postcensus::store {
namespace {

using namespace std::chrono_literals;

// How long history is kept: of recipients that were accepted once, long enough for an auditor; of made-up
// ones, long enough for a complaint.
constexpr auto kHistoryAccepted = 400 * 24h;
constexpr auto kHistoryOther = 14 * 24h;
constexpr auto kSendersWait = 24h;
// Counts by server: in a large hosting there are many.
constexpr auto kLabelled = 31 * 24h;
constexpr int kMostNetworksAnHour = 200;  // an hour
constexpr int kMostLabels = 200;          // of a name

std::int64_t hour_of(Time time) {
    return std::chrono::floor<std::chrono::hours>(time).time_since_epoch().count();
}

// What was counted by server or table goes on as a count of all of them.
void end_labels(Writer& writer, Time before) {
    for (const char* sql : {"INSERT INTO counter (hour, name, label, value) SELECT hour, name, 'others', "
                            "sum(value) FROM counter "
                            "WHERE hour < ? AND label NOT IN ('', 'others') GROUP BY hour, name ON CONFLICT "
                            "(hour, name, label) DO "
                            "UPDATE SET value = value + excluded.value",
                            "DELETE FROM counter WHERE hour < ? AND label NOT IN ('', 'others')",
                            // Servers that are asked no more leave their place to others.
                            "DELETE FROM total WHERE hour < ? AND name >= 'callout-' AND name < 'callout.' "
                            "AND label <> 'others'"}) {
        SQLite::Statement statement(writer.db, sql);
        statement.bind(1, hour_of(before));
        statement.exec();
    }
}

}  // namespace

void count(Writer& writer, const std::string& name, Time now, std::int64_t number, const std::string& label) {
    SQLite::Statement total(
        writer.db,
        "INSERT INTO total (name, label, value, hour) SELECT :name, iif(EXISTS (SELECT 1 FROM "
        "total WHERE name = :name AND label = :label) OR (SELECT count(*) FROM total "
        "WHERE name = :name) < :most, :label, 'others'), :number, :hour "
        "ON CONFLICT (name, label) DO UPDATE SET value = value + excluded.value, hour = "
        "excluded.hour "
        "RETURNING label");
    total.bind(":name", name);
    total.bind(":label", label);
    total.bind(":most", kMostLabels);
    total.bind(":number", number);
    total.bind(":hour", hour_of(now));
    total.executeStep();
    const std::string kept = total.getColumn(0).getString();
    total.reset();
    SQLite::Statement add(writer.db,
                          "INSERT INTO counter (hour, name, label, value) VALUES (?, ?, ?, ?) "
                          "ON CONFLICT (hour, name, label) DO UPDATE SET value = value + excluded.value");
    add.bind(1, hour_of(now));
    add.bind(2, name);
    add.bind(3, kept);
    add.bind(4, number);
    add.exec();
}

void count_learned(Writer& writer, Milliseconds waited, Time now) {
    std::string below = "more";
    for (const Milliseconds step : census::kLearnSteps)
        if (waited <= step) {
            below = std::to_string(step.count() / 1000);
            break;
        }
    count(writer, "learned", now, 1, below);
    count(writer, "learned-ms", now, waited.count());
}

void note_harvest(Writer& writer, const std::string& network, Time now, std::int64_t suppressed) {
    SQLite::Statement note(
        writer.db,
        "INSERT INTO harvest (hour, network, suppressed) SELECT :hour, iif(EXISTS (SELECT 1 FROM harvest "
        "WHERE "
        "hour = :hour AND network = :network) OR (SELECT count(*) FROM harvest WHERE hour = :hour) < :most, "
        ":network, ''), :suppressed "
        "ON CONFLICT (hour, network) DO UPDATE SET suppressed = suppressed + excluded.suppressed");
    note.bind(":hour", hour_of(now));
    note.bind(":network", network);
    note.bind(":most", kMostNetworksAnHour);
    note.bind(":suppressed", suppressed);
    note.exec();
}

void note_size(Writer& writer, Time now) {
    SQLite::Statement note(
        writer.db,
        "INSERT OR REPLACE INTO census_size (hour, listed, learned, other, closed, rejected) "
        "SELECT ?, coalesce(sum(addresses) FILTER (WHERE source = 'listed'), 0), "
        "coalesce(sum(addresses) FILTER (WHERE source = 'learned'), 0), "
        "coalesce(sum(addresses) FILTER (WHERE source = 'other'), 0), "
        "coalesce(sum(addresses) FILTER (WHERE answer = 'closed'), 0), "
        "coalesce(sum(addresses) FILTER (WHERE source = 'rejected'), 0) FROM census_source");
    note.bind(1, hour_of(now));
    note.exec();
}

void note_log(Writer& writer, bool present, Time now) {
    if (present) {
        writer.db.exec("DELETE FROM meta WHERE key = 'log-missing'");
        return;
    }
    SQLite::Statement note(
        writer.db, "INSERT INTO meta (key, value) VALUES ('log-missing', ?) ON CONFLICT (key) DO NOTHING");
    note.bind(1, std::to_string(to_unix_ms(now)));
    note.exec();
}

void note_strange_line(Writer& writer, const std::string& line, Time now) {
    SQLite::Statement note(
        writer.db,
        "INSERT INTO meta (key, value) VALUES ('log-strange-line', ?1), ('log-strange-at', ?2) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value");
    note.bind(1, line);
    note.bind(2, std::to_string(to_unix_ms(now)));
    note.exec();
}

std::optional<StrangeLine> load_strange_line(SQLite::Database& db) {
    SQLite::Statement load(
        db,
        "SELECT line.value AS line, CAST(at.value AS INTEGER) AS at FROM meta AS line, meta AS at "
        "WHERE line.key = 'log-strange-line' AND at.key = 'log-strange-at'");
    if (!load.executeStep()) return std::nullopt;
    return StrangeLine{load.getColumn("line").getString(), from_unix_ms(load.getColumn("at").getInt64())};
}

void note_command(Writer& writer, const CommandRun& run, Time now) {
    SQLite::Statement note(writer.db,
                           "INSERT INTO command (seq, at, name, user, words) VALUES (?, ?, ?, ?, ?)");
    note.bind(1, writer.seq);
    note.bind(2, to_unix_ms(now));
    note.bind(3, run.name);
    note.bind(4, run.user);
    note.bind(5, run.words);
    note.exec();
}

bool prune_misses(Writer& writer, Time now, std::size_t piece) {
    SQLite::Statement drop(
        writer.db, "DELETE FROM miss WHERE id IN (SELECT id FROM miss WHERE at < ? ORDER BY at LIMIT ?)");
    drop.bind(1, to_unix_ms(now - kHistoryOther));
    drop.bind(2, static_cast<std::int64_t>(piece));
    return static_cast<std::size_t>(drop.exec()) == piece;
}

void prune(Writer& writer, Time now) {
    const std::int64_t other = to_unix_ms(now - kHistoryOther);
    const std::int64_t accepted = to_unix_ms(now - kHistoryAccepted);
    const auto drop = [&writer](const char* sql, std::int64_t before) {
        SQLite::Statement statement(writer.db, sql);
        statement.bind(1, before);
        statement.exec();
    };
    drop("DELETE FROM miss WHERE at < ?", other);
    drop(
        "DELETE FROM event WHERE at < ? AND address_id IN (SELECT id FROM address WHERE accepted_seq IS "
        "NULL)",
        other);
    drop("DELETE FROM event WHERE at < ?", accepted);
    drop(
        "DELETE FROM callout WHERE at < ? AND class NOT IN ('deliverable', 'policy') AND address_id IN "
        "(SELECT id FROM address "
        "WHERE accepted_seq IS NULL)",
        other);
    // No sender has come back for these.
    drop("DELETE FROM question WHERE asked < ? AND rank < 2", to_unix_ms(now - kSendersWait));
    drop("DELETE FROM absence WHERE last_at < ?", other);
    drop("DELETE FROM bounce_hour WHERE hour <= ?1 / 3600000 AND last_at < ?1", accepted);
    drop("DELETE FROM bounce WHERE last_at < ?", accepted);
    drop("DELETE FROM delivery WHERE at < ?", accepted);
    drop("DELETE FROM counter WHERE hour < ? / 3600000", accepted);
    end_labels(writer, now - kLabelled);
    drop("DELETE FROM census_size WHERE hour < ? / 3600000", accepted);
    drop("DELETE FROM harvest WHERE hour < ? / 3600000", other);
    drop("DELETE FROM reading WHERE ended < ?", accepted);
    drop("DELETE FROM command WHERE at < ?", accepted);
    drop("DELETE FROM stop WHERE ended < ?", accepted);
    // Of lookups and of changes, which are many, only the last weeks.
    drop("DELETE FROM reading WHERE ended < ? AND kind IN ('lookup', 'changes')", other);
    prune_objects(writer);
    mark_doubtful(writer);
    // An address of which nothing is left.
    drop(
        "DELETE FROM address WHERE ?1 = ?1 AND accepted_seq IS NULL AND answer = 'unsure' AND configured = 0 "
        "AND NOT EXISTS (SELECT 1 FROM miss WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM event WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM callout WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM listing WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM undecided WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM hold WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM absence WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM bounce WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM delivery WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM question WHERE address_id = address.id)",
        0);
}

std::optional<AddressId> newest_of_too_many_strangers(SQLite::Database& db, std::size_t most) {
    SQLite::Statement newest(
        db, "SELECT id FROM address WHERE accepted_seq IS NULL ORDER BY id DESC LIMIT 1 OFFSET ?");
    newest.bind(1, static_cast<std::int64_t>(most));
    if (!newest.executeStep()) return std::nullopt;
    return newest.getColumn(0).getInt64();
}

void prune_strangers(Writer& writer, AddressId newest, std::size_t piece) {
    SQLite::Statement old(
        writer.db,
        "SELECT id FROM address WHERE accepted_seq IS NULL AND id <= ? AND answer = 'unsure' "
        "AND configured = 0 AND NOT EXISTS (SELECT 1 FROM question WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM listing WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM hold WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM bounce WHERE address_id = address.id) "
        // What makes it accepted may not have been decided yet.
        "AND NOT EXISTS (SELECT 1 FROM undecided WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM callout WHERE address_id = address.id AND class IN ('deliverable', "
        "'policy')) ORDER BY id LIMIT ?");
    old.bind(1, newest);
    old.bind(2, static_cast<std::int64_t>(piece));
    std::vector<AddressId> ids;
    while (old.executeStep()) ids.push_back(old.getColumn(0).getInt64());
    old.reset();
    for (const char* sql :
         {"DELETE FROM miss WHERE address_id = ?", "DELETE FROM event WHERE address_id = ?",
          "DELETE FROM callout WHERE address_id = ?", "DELETE FROM absence WHERE address_id = ?",
          "DELETE FROM delivery WHERE address_id = ?", "DELETE FROM address WHERE id = ?"}) {
        SQLite::Statement drop(writer.db, sql);
        for (const AddressId id : ids) {
            drop.reset();
            drop.bind(1, id);
            drop.exec();
        }
    }
}

void forget_missed(Writer& writer, AddressId id) {
    SQLite::Statement stranger(
        writer.db,
        "SELECT 1 FROM address WHERE id = ?1 AND answer = 'unsure' AND accepted_seq IS NULL AND configured = "
        "0 "
        "AND NOT EXISTS (SELECT 1 FROM event WHERE address_id = ?1) "
        "AND NOT EXISTS (SELECT 1 FROM callout WHERE address_id = ?1) "
        "AND NOT EXISTS (SELECT 1 FROM listing WHERE address_id = ?1) "
        "AND NOT EXISTS (SELECT 1 FROM hold WHERE address_id = ?1) "
        "AND NOT EXISTS (SELECT 1 FROM absence WHERE address_id = ?1) "
        "AND NOT EXISTS (SELECT 1 FROM bounce WHERE address_id = ?1) "
        "AND NOT EXISTS (SELECT 1 FROM delivery WHERE address_id = ?1) "
        "AND NOT EXISTS (SELECT 1 FROM question WHERE address_id = ?1)");
    stranger.bind(1, id);
    if (!stranger.executeStep()) return;
    stranger.reset();
    for (const char* sql :
         {"DELETE FROM miss WHERE address_id = ?", "DELETE FROM undecided WHERE address_id = ?",
          "DELETE FROM address WHERE id = ?"}) {
        SQLite::Statement drop(writer.db, sql);
        drop.bind(1, id);
        drop.exec();
    }
}

}  // namespace postcensus::store
