// SPDX-License-Identifier: MIT
#include "store/metrics.h"

#include <array>
#include <chrono>

#include "store/callouts.h"
#include "store/columns.h"
#include "store/health.h"
#include "store/holds.h"
#include "store/publications.h"

namespace postcensus::store {
namespace {

using namespace std::chrono_literals;

constexpr auto kStillComesBack = 24h;

void load_questions(SQLite::Database& db, census::WatchFacts& facts) {
    constexpr std::array<const char*, 3> kSenders{"came-back", "waits", "nobody"};
    SQLite::Statement questions(db,
                                "SELECT rank, count(*) FROM question INDEXED BY question_line WHERE step > 0 "
                                "GROUP BY rank");
    while (questions.executeStep())
        if (const auto rank = static_cast<std::size_t>(questions.getColumn(0).getInt());
            rank < kSenders.size())
            facts.questions[kSenders[rank]] = questions.getColumn(1).getInt64();
}

void load_callouts(SQLite::Database& db, census::WatchFacts& facts) {
    facts.breakers = load_breakers(db);
    SQLite::Statement accept_all(db, "SELECT domain FROM domain WHERE accept_all = 1");
    while (accept_all.executeStep()) facts.accept_all.push_back(accept_all.getColumn(0).getString());
}

}  // namespace

census::WatchFacts load_watch_facts(SQLite::Database& db, Time now) {
    census::WatchFacts facts{.written = now};
    SQLite::Statement totals(db, "SELECT name, label, value FROM total");
    while (totals.executeStep())
        facts.totals[{totals.getColumn("name").getString(), totals.getColumn("label").getString()}] =
            totals.getColumn("value").getInt64();
    SQLite::Statement addresses(db,
                                "SELECT answer, reason, sum(addresses) FROM census GROUP BY answer, reason");
    while (addresses.executeStep())
        facts.addresses[{addresses.getColumn(0).getString(), addresses.getColumn(1).getString()}] =
            addresses.getColumn(2).getInt64();
    load_questions(db, facts);
    SQLite::Statement waiting(db,
                              "SELECT count(*) FROM address WHERE waits_last >= waits_since + 3600000 AND "
                              "waits_last >= ? AND answer = 'unsure'");
    waiting.bind(1, to_unix_ms(now - kStillComesBack));
    facts.waiting = count_of(waiting);
    SQLite::Statement undecided(db, "SELECT count(*) FROM undecided");
    facts.undecided = count_of(undecided);
    facts.held = count_holds(db);
    SQLite::Statement unseen(db, "SELECT count(*) FROM object WHERE unseen_seq IS NOT NULL");
    facts.unseen = count_of(unseen);
    load_callouts(db, facts);
    SQLite::Statement polled(
        db,
        "SELECT name, max(at) FROM position JOIN directory ON directory.id = directory_id "
        "GROUP BY name");
    while (polled.executeStep())
        facts.polled[polled.getColumn(0).getString()] = from_unix_ms(polled.getColumn(1).getInt64());
    for (const auto& [table, publication] : load_publications(db))
        facts.tables.push_back(
            {table, publication.generation, publication.entries, 0, publication.at, publication.until});
    return facts;
}

census::SyncFacts load_sync_facts(SQLite::Database& db, Time now) {
    census::SyncFacts facts;
    facts.directories = load_state_health(db, now).directories;
    SQLite::Statement readings(
        db,
        "SELECT substr(name, 10) AS outcome, label, value FROM total WHERE name IN ('readings-applied', "
        "'readings-failed')");
    while (readings.executeStep())
        facts.readings[{readings.getColumn("outcome").getString(), readings.getColumn("label").getString()}] =
            readings.getColumn("value").getInt64();
    return facts;
}

}  // namespace postcensus::store
