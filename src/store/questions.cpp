// SPDX-License-Identifier: MIT
#include "store/questions.h"

#include <algorithm>
#include <chrono>

#include "store/history.h"

namespace postcensus::store {
namespace {

using namespace std::chrono_literals;

constexpr int kNobodyWaits = 2;
constexpr int kMostMisses = 10;  // kept of an address

struct Asked {
    AddressId id = 0;
    std::string cause;
    Time due;
    Step first = Step::call_out;
    int rank = kNobodyWaits;
    double turn = 0;
    std::string client = {};
};

class QuestionWriter {
  public:
    QuestionWriter(Writer& writer, Time now)
        : now_(now),
          // A question that is backing off stays where it is when its sender comes back: a server that does
          // not answer is not to be asked more often for that. One that waits for another cause is brought
          // forward.
          insert_(writer.db,
                  "INSERT INTO question (address_id, domain, cause, asked, due, step, rank, turn, client) "
                  "SELECT :id, domain, :cause, :now, :due, iif(:due <= :now, :first, 0), :rank, :turn, "
                  ":client FROM address WHERE id = :id "
                  "ON CONFLICT (address_id) DO UPDATE SET asked = excluded.asked, "
                  "cause = iif(excluded.due <= due OR excluded.rank < rank, excluded.cause, cause), "
                  "turn = iif(excluded.rank < rank OR (excluded.rank = rank AND excluded.turn < turn), "
                  "excluded.turn, turn), "
                  "client = iif(excluded.rank < 2, excluded.client, client), "
                  "rank = min(rank, excluded.rank), "
                  "due = iif(attempts = 0 OR cause <> excluded.cause, min(due, excluded.due), "
                  // One that seems to wait longer than it was told to is of a clock that was ahead.
                  "min(due, :now + pause)), "
                  "step = iif(step > 0, step, iif((attempts = 0 OR cause <> excluded.cause) AND min(due, "
                  "excluded.due) <= :now, excluded.step, 0))") {}

    void put(const Asked& asked) {
        insert_.reset();
        insert_.bind(":id", asked.id);
        insert_.bind(":cause", asked.cause);
        insert_.bind(":now", to_unix_ms(now_));
        insert_.bind(":due", to_unix_ms(asked.due));
        insert_.bind(":first", static_cast<int>(asked.first));
        insert_.bind(":rank", asked.rank);
        insert_.bind(":turn", asked.turn);
        insert_.bind(":client", asked.client);
        insert_.exec();
    }

  private:
    Time now_;
    SQLite::Statement insert_;
};

}  // namespace

void record_misses(Writer& writer, const std::vector<StoredMiss>& misses, Time now) {
    AddressBook book(writer);
    QuestionWriter questions(writer, now);
    SQLite::Statement insert(writer.db, "INSERT INTO miss (address_id, at, client) VALUES (?, ?, ?)");
    // Its first one, and the last of those that came again and again.
    SQLite::Statement shorten(
        writer.db,
        "DELETE FROM miss WHERE id = (SELECT id FROM miss WHERE address_id = ?1 ORDER BY at, id LIMIT 1 "
        "OFFSET 1) AND (SELECT count(*) FROM miss WHERE address_id = ?1) > ?2");
    // The first miss after it was last accepted is the one that counts (census/decide.h). Since when a sender
    // waits is for the audit.
    SQLite::Statement missed(
        writer.db,
        "UPDATE address SET missed_seq = iif(:counts AND (missed_seq IS NULL OR missed_seq <= left_seq OR "
        "coalesce(missed_at, 0) < :at - :lasts), :seq, missed_seq), "
        "missed_at = iif(:counts, :at, missed_at), "
        "waits_since = CASE WHEN answer <> 'unsure' OR :at < waits_since - :gives_up AND waits_since <= :now "
        "THEN waits_since WHEN waits_last BETWEEN :at - :gives_up AND :now THEN min(waits_since, :at) ELSE "
        ":at "
        "END, "
        "waits_last = CASE WHEN answer <> 'unsure' OR :at < waits_since - :gives_up AND waits_since <= :now "
        "THEN waits_last WHEN waits_last <= :now THEN max(waits_last, :at) ELSE :at END WHERE id = :id");
    missed.bind(":now", to_unix_ms(now));
    missed.bind(":gives_up", static_cast<std::int64_t>(Milliseconds(kSenderGivesUp).count()));
    SQLite::Statement answered(writer.db, "SELECT answer FROM address WHERE id = ?");
    for (const StoredMiss& miss : misses) {
        const AddressId id = book.ensure(miss.recipient);
        insert.reset();
        insert.bind(1, id);
        insert.bind(2, to_unix_ms(miss.at));
        insert.bind(3, miss.client);
        insert.exec();
        shorten.reset();
        shorten.bind(1, id);
        shorten.bind(2, kMostMisses);
        shorten.exec();
        missed.reset();
        missed.bind(":seq", writer.seq);
        missed.bind(":counts", miss.counts ? 1 : 0);
        missed.bind(":lasts", static_cast<std::int64_t>(miss.counts_for.count()));
        missed.bind(":at", to_unix_ms(miss.at));
        missed.bind(":id", id);
        missed.exec();
        book.mark_undecided(id, AddressBook::Rank::miss);
        // One that is answered meanwhile needs no question: its sender met a table that was just being
        // replaced.
        answered.reset();
        answered.bind(1, id);
        answered.executeStep();
        const bool unsure = answered.getColumn(0).getString() == "unsure";
        answered.reset();
        if (miss.first == Step::waits || !unsure) continue;
        questions.put({.id = id,
                       .cause = "miss",
                       .due = now,
                       .first = miss.first,
                       .rank = miss.place.returning ? 0 : 1,
                       .turn = miss.place.turn,
                       .client = miss.client});
    }
}

MissQueue miss_queue(SQLite::Database& db) {
    MissQueue queue;
    SQLite::Statement count(db,
                            "SELECT domain, count(*) AS size FROM question INDEXED BY question_missed WHERE "
                            "rank < 2 GROUP BY domain");
    while (count.executeStep()) {
        const auto size = static_cast<std::size_t>(count.getColumn("size").getInt64());
        queue.size += size;
        if (size <= queue.fullest_size) continue;
        queue.fullest_size = size;
        queue.fullest = count.getColumn("domain").getString();
    }
    SQLite::Statement last(db,
                           "SELECT rank, turn FROM question WHERE rank < 2 AND domain = ? ORDER BY rank "
                           "DESC, turn DESC LIMIT 1");
    last.bind(1, queue.fullest);
    if (last.executeStep())
        queue.last = {.returning = last.getColumn("rank").getInt() == 0,
                      .turn = last.getColumn("turn").getDouble()};
    return queue;
}

std::size_t shorten_queue(Writer& writer, std::size_t most) {
    std::size_t dropped = 0;
    for (MissQueue queue = miss_queue(writer.db); queue.size > most; queue = miss_queue(writer.db)) {
        std::vector<AddressId> last;
        SQLite::Statement find(
            writer.db,
            "SELECT address_id FROM question WHERE rank < 2 AND domain = ? ORDER BY rank DESC, turn DESC "
            "LIMIT ?");
        find.bind(1, queue.fullest);
        find.bind(2, static_cast<std::int64_t>(std::min(queue.size - most, queue.fullest_size)));
        while (find.executeStep()) last.push_back(find.getColumn(0).getInt64());
        find.reset();
        for (const AddressId id : last) {
            end_question(writer, id);
            forget_missed(writer, id);
        }
        dropped += last.size();
    }
    return dropped;
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

void line_up(Writer& writer, Time now, bool look_up) {
    SQLite::Statement due(
        writer.db,
        "UPDATE question SET step = iif(:look_up AND cause = 'miss', 1, 2) WHERE step = 0 AND due <= :now");
    due.bind(":look_up", look_up ? 1 : 0);
    due.bind(":now", to_unix_ms(now));
    due.exec();
    if (!look_up) writer.db.exec("UPDATE question SET step = 2 WHERE step > 0 AND step = 1");
}

std::optional<Time> next_due(SQLite::Database& db) {
    const SQLite::Column due = db.execAndGet("SELECT min(due) FROM question WHERE step = 0");
    if (due.isNull()) return std::nullopt;
    return from_unix_ms(due.getInt64());
}

std::vector<std::string> domains_in_line(SQLite::Database& db, Step step) {
    // One look into the index for each domain, however long its line is.
    SQLite::Statement next(
        db, "SELECT domain FROM question WHERE step > 0 AND step = ? AND domain > ? ORDER BY domain LIMIT 1");
    std::vector<std::string> domains;
    std::string last;
    for (;;) {
        next.reset();
        next.bind(1, static_cast<int>(step));
        next.bind(2, last);
        if (!next.executeStep()) return domains;
        last = next.getColumn(0).getString();
        domains.push_back(last);
    }
}

std::vector<Question> in_line(SQLite::Database& db, Step step, const std::string& domain, bool sender_waits,
                              std::size_t most) {
    SQLite::Statement line(
        db,
        "SELECT address_id, address, attempts, rank, turn, client FROM question JOIN address ON address.id = "
        "address_id WHERE step > 0 AND step = ? AND question.domain = ? AND rank BETWEEN ? AND ? ORDER BY "
        "rank, turn LIMIT ?");
    line.bind(1, static_cast<int>(step));
    line.bind(2, domain);
    line.bind(3, sender_waits ? 0 : kNobodyWaits);
    line.bind(4, sender_waits ? kNobodyWaits - 1 : kNobodyWaits);
    line.bind(5, static_cast<std::int64_t>(most));
    std::vector<Question> questions;
    while (line.executeStep())
        questions.push_back(
            {.id = line.getColumn("address_id").getInt64(),
             .address = stored_address(line.getColumn("address")),
             .attempts = line.getColumn("attempts").getInt(),
             .sender_waits = line.getColumn("rank").getInt() < kNobodyWaits,
             .place = {line.getColumn("rank").getInt() == 0, line.getColumn("turn").getDouble()},
             .client = line.getColumn("client").getString()});
    return questions;
}

std::vector<std::pair<std::string, double>> first_turns(SQLite::Database& db) {
    std::vector<std::pair<std::string, double>> turns;
    SQLite::Statement first(db, "SELECT domain, min(turn) FROM question WHERE rank < 2 GROUP BY domain");
    while (first.executeStep())
        turns.emplace_back(first.getColumn(0).getString(), first.getColumn(1).getDouble());
    return turns;
}

void ask(Writer& writer, AddressId id, const std::string& cause, Time now, Time due) {
    // In the order in which they became due.
    QuestionWriter(writer, now)
        .put({.id = id, .cause = cause, .due = due, .turn = static_cast<double>(to_unix_ms(due))});
}

void call_out(Writer& writer, AddressId id) {
    SQLite::Statement update(writer.db, "UPDATE question SET step = 2 WHERE address_id = ?");
    update.bind(1, id);
    update.exec();
}

void put_back(Writer& writer, const Question& question, Time now, Milliseconds pause) {
    SQLite::Statement update(
        writer.db, "UPDATE question SET due = ?, attempts = ?, pause = ?, step = 0 WHERE address_id = ?");
    update.bind(1, to_unix_ms(now + pause));
    update.bind(2, question.attempts + 1);
    update.bind(3, static_cast<std::int64_t>(pause.count()));
    update.bind(4, question.id);
    update.exec();
}

void bring_forward(Writer& writer, const std::string& domain, Time now) {
    SQLite::Statement update(
        writer.db,
        "UPDATE question SET due = ?1 WHERE step = 0 AND attempts > 0 AND due > ?1 AND domain = ?2");
    update.bind(1, to_unix_ms(now));
    update.bind(2, domain);
    update.exec();
}

bool is_same(SQLite::Database& db, const Question& question) {
    return find_address(db, question.address) == question.id;
}

bool is_news(SQLite::Database& db, AddressId id, Seq began) {
    SQLite::Statement changed(db,
                              "SELECT max(listed_seq, coalesce(missed_seq, 0)) FROM address WHERE id = ?");
    changed.bind(1, id);
    return changed.executeStep() && changed.getColumn(0).getInt64() <= began;
}

int times_asked(SQLite::Database& db, AddressId id) {
    SQLite::Statement asked(db, "SELECT attempts FROM question WHERE address_id = ?");
    asked.bind(1, id);
    return asked.executeStep() ? asked.getColumn(0).getInt() : 0;
}

void end_question(Writer& writer, AddressId id) {
    SQLite::Statement end(writer.db, "DELETE FROM question WHERE address_id = ?");
    end.bind(1, id);
    end.exec();
}

}  // namespace postcensus::store
