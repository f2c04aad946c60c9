// SPDX-License-Identifier: MIT
#include "store/questions.h"

#include <chrono>

#include "store/directories.h"

namespace postcensus::store {
namespace {

using namespace std::chrono_literals;

// How long history is kept: of recipients that were accepted once, long enough for an auditor; of made-up
// ones, long enough for a complaint.
constexpr auto kHistoryAccepted = 400 * 24h;
constexpr auto kHistoryOther = 14 * 24h;

}  // namespace

void record_misses(Writer& writer, const std::vector<StoredMiss>& misses, Time now) {
    AddressBook book(writer);
    SQLite::Statement insert(writer.db, "INSERT INTO miss (address_id, at, client) VALUES (?, ?, ?)");
    // The first miss after it was last accepted is the one that counts (census/decide.h).
    SQLite::Statement missed(
        writer.db,
        "UPDATE address SET missed_seq = ? WHERE id = ? AND (missed_seq IS NULL OR missed_seq <= left_seq)");
    SQLite::Statement answered(writer.db, "SELECT answer FROM address WHERE id = ?");
    for (const StoredMiss& miss : misses) {
        const AddressId id = book.ensure(miss.recipient);
        insert.reset();
        insert.bind(1, id);
        insert.bind(2, to_unix_ms(miss.at));
        insert.bind(3, miss.client);
        insert.exec();
        missed.reset();
        missed.bind(1, writer.seq);
        missed.bind(2, id);
        missed.exec();
        book.mark_undecided(id, AddressBook::Rank::miss);
        // One that is answered meanwhile needs no question: its sender met a table that was just being
        // replaced.
        answered.reset();
        answered.bind(1, id);
        answered.executeStep();
        if (miss.ask && answered.getColumn(0).getString() == "unsure") ask(writer, id, "miss", now, now);
        answered.reset();
    }
}

std::optional<std::string> load_mark(SQLite::Database& db, const std::string& source) {
    SQLite::Statement load(db, "SELECT mark FROM log_mark WHERE source = ?");
    load.bind(1, source);
    if (!load.executeStep()) return std::nullopt;
    return load.getColumn(0).getString();
}

bool move_mark(Writer& writer, const std::string& source, const std::string& mark, const std::string& from) {
    if (load_mark(writer.db, source).value_or("") != from) return false;
    SQLite::Statement save(writer.db,
                           "INSERT INTO log_mark (source, mark) VALUES (?, ?) ON CONFLICT (source) DO UPDATE "
                           "SET mark = excluded.mark");
    save.bind(1, source);
    save.bind(2, mark);
    save.exec();
    return true;
}

std::vector<Question> due_questions(SQLite::Database& db, Time now, std::size_t most) {
    SQLite::Statement due(
        db,
        "SELECT address_id, address, cause, attempts FROM question JOIN address ON address.id = address_id "
        "WHERE due <= ? ORDER BY cause = 'miss' DESC, due, address_id LIMIT ?");
    due.bind(1, to_unix_ms(now));
    due.bind(2, static_cast<std::int64_t>(most));
    std::vector<Question> questions;
    while (due.executeStep())
        questions.push_back({due.getColumn("address_id").getInt64(), stored_address(due.getColumn("address")),
                             due.getColumn("cause").getString(), due.getColumn("attempts").getInt()});
    return questions;
}

std::optional<Time> next_due(SQLite::Database& db) {
    const SQLite::Column due = db.execAndGet("SELECT min(due) FROM question");
    if (due.isNull()) return std::nullopt;
    return from_unix_ms(due.getInt64());
}

void ask(Writer& writer, AddressId id, const std::string& cause, Time now, Time due) {
    // A question that is backing off stays where it is when its sender comes back: a server that does not
    // answer is not to be asked more often for that. One that waits for another cause is brought forward.
    SQLite::Statement insert(
        writer.db,
        "INSERT INTO question (address_id, cause, asked, due) VALUES (:id, :cause, :now, :due) "
        "ON CONFLICT (address_id) DO UPDATE SET asked = excluded.asked, "
        "due = CASE WHEN attempts = 0 OR cause <> excluded.cause THEN min(due, excluded.due) ELSE due END, "
        "cause = CASE WHEN excluded.due <= due THEN excluded.cause ELSE cause END");
    insert.bind(":id", id);
    insert.bind(":cause", cause);
    insert.bind(":now", to_unix_ms(now));
    insert.bind(":due", to_unix_ms(due));
    insert.exec();
}

void put_back(Writer& writer, const Question& question, Time due) {
    SQLite::Statement update(writer.db, "UPDATE question SET due = ?, attempts = ? WHERE address_id = ?");
    update.bind(1, to_unix_ms(due));
    update.bind(2, question.attempts);
    update.bind(3, question.id);
    update.exec();
}

void end_question(Writer& writer, AddressId id) {
    SQLite::Statement end(writer.db, "DELETE FROM question WHERE address_id = ?");
    end.bind(1, id);
    end.exec();
}

std::vector<mail::Address> known_good(SQLite::Database& db, const std::string& domain, std::size_t most) {
    std::vector<mail::Address> found;
    // Not always the same ones: a listed address may be unknown to the server, and must not stand for all
    // others for ever.
    SQLite::Statement any(db,
                          "SELECT local FROM address WHERE id >= (SELECT abs(random() / 2) % (max(id) + 1) "
                          "FROM address) ORDER BY id LIMIT 1");
    const std::string start = any.executeStep() ? any.getColumn(0).getString() : std::string{};
    const std::string behind_all = "\xff";  // no UTF-8 begins with it
    const auto add = [&](const char* reason, const std::string& from, const std::string& below) {
        SQLite::Statement some(
            db,
            "SELECT address FROM address WHERE domain = ? AND answer = 'accept' AND local >= ? AND local < ? "
            "AND reason = ? LIMIT ?");
        some.bind(1, domain);
        some.bind(2, from);
        some.bind(3, below);
        some.bind(4, reason);
        some.bind(5, static_cast<std::int64_t>(most - found.size()));
        while (found.size() < most && some.executeStep())
            found.push_back(stored_address(some.getColumn("address")));
    };
    for (const char* reason : {"listed", "proven"}) {
        add(reason, start, behind_all);
        add(reason, "", start);
    }
    return found;
}

void record_callout(Writer& writer, AddressId id, const census::CalloutOutcome& outcome, Seq began, Time at) {
    const auto drop = [&](const char* sql) {
        SQLite::Statement statement(writer.db, sql);
        statement.bind(":id", id);
        if (statement.getBindParameterCount() > 1)
            statement.bind(":class", std::string(census::name_of(outcome.klass)));
        statement.exec();
    };
    // Of the callouts that said nothing, only the last is kept. Of the others what decide() needs: those that
    // began after the listings last changed, and of the newest run of one class its first and its last.
    if (!census::conclusive(outcome.klass)) {
        drop(
            "DELETE FROM callout WHERE address_id = :id AND class NOT IN ('deliverable', 'unknown', "
            "'policy')");
    } else {
        drop(
            "DELETE FROM callout WHERE address_id = :id AND began_seq < (SELECT listed_seq FROM address "
            "WHERE id = :id)");
        drop(
            "DELETE FROM callout WHERE id = "
            "(SELECT id FROM callout WHERE address_id = :id AND class IN ('deliverable', 'unknown', "
            "'policy') "
            "ORDER BY began_seq DESC, id DESC LIMIT 1) AND class = :class AND :class = "
            "(SELECT class FROM callout WHERE address_id = :id AND class IN ('deliverable', 'unknown', "
            "'policy') "
            "ORDER BY began_seq DESC, id DESC LIMIT 1 OFFSET 1)");
    }
    SQLite::Statement insert(writer.db,
                             "INSERT INTO callout (address_id, class, at, began_seq, target, reply, "
                             "controls) VALUES (?, ?, ?, ?, ?, ?, ?)");
    insert.bind(1, id);
    insert.bind(2, std::string(census::name_of(outcome.klass)));
    insert.bind(3, to_unix_ms(at));
    insert.bind(4, began);
    insert.bind(5, outcome.target);
    insert.bind(6, outcome.reply);
    insert.bind(7, outcome.controls);
    insert.exec();
    // Older than the newest run, only what it contradicts is kept.
    if (census::conclusive(outcome.klass))
        drop(
            "DELETE FROM callout WHERE address_id = :id AND class IN ('deliverable', 'unknown', 'policy') "
            "AND id < "
            "(SELECT max(id) FROM callout WHERE address_id = :id AND class IN ('deliverable', 'unknown', "
            "'policy') "
            "AND class <> :class)");
    if (census::conclusive(outcome.klass)) AddressBook(writer).mark_undecided(id, AddressBook::Rank::miss);
}

census::Refusals load_refusals(SQLite::Database& db, const std::string& target) {
    census::Refusals limit;
    SQLite::Statement find(db, "SELECT most_refused, limit_at, limit_met FROM target WHERE target = ?");
    find.bind(1, target);
    if (!find.executeStep()) return limit;
    limit.most = find.getColumn("most_refused").getInt();
    if (const auto at = find.getColumn("limit_at"); !at.isNull()) limit.met_at = at.getInt();
    if (const auto met = find.getColumn("limit_met"); !met.isNull())
        limit.met_time = from_unix_ms(met.getInt64());
    return limit;
}

void save_refusals(Writer& writer, const std::string& target, const census::Refusals& limit) {
    SQLite::Statement save(
        writer.db,
        "INSERT OR REPLACE INTO target (target, most_refused, limit_at, limit_met) VALUES (?, ?, ?, ?)");
    save.bind(1, target);
    save.bind(2, limit.most);
    if (limit.met_at)
        save.bind(3, *limit.met_at);
    else
        save.bind(3);
    if (limit.met_time)
        save.bind(4, to_unix_ms(*limit.met_time));
    else
        save.bind(4);
    save.exec();
}

void count(Writer& writer, const std::string& name, Time now, std::int64_t number) {
    SQLite::Statement add(writer.db,
                          "INSERT INTO counter (name, day, value) VALUES (?, ?, ?) "
                          "ON CONFLICT (name, day) DO UPDATE SET value = value + excluded.value");
    add.bind(1, name);
    add.bind(2, to_unix_ms(now) / 86'400'000);
    add.bind(3, number);
    add.exec();
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
    drop("DELETE FROM question WHERE asked < ? AND cause = 'miss'", to_unix_ms(now - 5 * 24h));
    drop("DELETE FROM absence WHERE last_at < ?", other);
    drop("DELETE FROM bounce WHERE last_at < ?", accepted);
    drop("DELETE FROM reading WHERE ended < ?", accepted);
    // Of lookups and of changes, which are many, only the last weeks.
    drop("DELETE FROM reading WHERE ended < ? AND kind IN ('lookup', 'changes')", other);
    prune_objects(writer);
    // An address of which nothing is left.
    drop(
        "DELETE FROM address WHERE ?1 = ?1 AND answer = 'unsure' AND accepted_seq IS NULL AND configured = 0 "
        "AND NOT EXISTS (SELECT 1 FROM miss WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM event WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM callout WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM listing WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM undecided WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM hold WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM absence WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM bounce WHERE address_id = address.id) "
        "AND NOT EXISTS (SELECT 1 FROM question WHERE address_id = address.id)",
        0);
}

}  // namespace postcensus::store
