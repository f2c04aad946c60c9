// SPDX-License-Identifier: MIT
#include "store/publications.h"

#include <sqlite3.h>

#include <chrono>
#include <memory>

#include "store/addresses.h"

namespace postcensus::store {
namespace {

std::vector<Row> rows_of(SQLite::Statement& statement) {
    std::vector<Row> rows;
    while (statement.executeStep()) {
        std::optional<Time> until;
        if (const auto column = statement.getColumn("until"); !column.isNull())
            until = from_unix_ms(column.getInt64());
        rows.push_back({stored_address(statement.getColumn("address")), until});
    }
    return rows;
}

}  // namespace

std::map<std::string, Publication> load_publications(SQLite::Database& db) {
    std::map<std::string, Publication> publications;
    SQLite::Statement all(
        db, "SELECT name, generation, seq, digest, identity, entries, until, at FROM publication");
    while (all.executeStep()) {
        Publication& publication = publications[all.getColumn("name").getString()];
        publication = {all.getColumn("generation").getInt64(),      all.getColumn("seq").getInt64(),
                       all.getColumn("digest").getString(),         all.getColumn("identity").getString(),
                       all.getColumn("entries").getInt64(),         std::nullopt,
                       from_unix_ms(all.getColumn("at").getInt64())};
        if (const auto until = all.getColumn("until"); !until.isNull())
            publication.until = from_unix_ms(until.getInt64());
    }
    return publications;
}

void note_publication(Writer& writer, const std::string& table, const Publication& publication) {
    SQLite::Statement note(
        writer.db,
        "INSERT OR REPLACE INTO publication (name, generation, seq, digest, identity, entries, until, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    note.bind(1, table);
    note.bind(2, publication.generation);
    note.bind(3, publication.seq);
    note.bind(4, publication.digest);
    note.bind(5, publication.identity);
    note.bind(6, publication.entries);
    if (publication.until)
        note.bind(7, to_unix_ms(*publication.until));
    else
        note.bind(7);
    note.bind(8, to_unix_ms(publication.at));
    note.exec();
}

// A million rows: with SQLiteCpp's columns this takes twice as long.
void for_each_base_row(SQLite::Database& db,
                       const std::function<void(std::string_view, const std::string&)>& take) {
    // In the order in which the rows lie: by the index of acceptances it would jump to and fro.
    constexpr std::string_view kSql =
        "SELECT local, domain FROM address NOT INDEXED WHERE answer IN ('accept', 'closed')";
    sqlite3_stmt* rows = nullptr;
    if (sqlite3_prepare_v2(db.getHandle(), kSql.data(), static_cast<int>(kSql.size()), &rows, nullptr) !=
        SQLITE_OK)
        throw SQLite::Exception(db.getHandle());
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> owner(rows, sqlite3_finalize);
    const auto text_of = [rows](int column) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(rows, column));
        return std::string_view(text, static_cast<std::size_t>(sqlite3_column_bytes(rows, column)));
    };
    std::string domain;
    for (;;) {
        const int step = sqlite3_step(rows);
        if (step == SQLITE_DONE) return;
        if (step != SQLITE_ROW) throw SQLite::Exception(db.getHandle(), step);
        // Those of one domain mostly stand together.
        if (const std::string_view its = text_of(1); its != domain) domain = its;
        take(text_of(0), domain);
    }
}

std::int64_t count_accepted(SQLite::Database& db) {
    return db
        .execAndGet("SELECT coalesce(sum(addresses), 0) FROM census WHERE answer IN ('accept', 'closed')")
        .getInt64();
}

std::vector<Row> learned_rows(SQLite::Database& db, Seq base_seq) {
    SQLite::Statement rows(
        db,
        "SELECT address, until FROM address WHERE answer IN ('accept', 'closed') AND accepted_seq > ? "
        "UNION SELECT address, until FROM address WHERE configured = 1 AND answer IN ('accept', 'closed')");
    rows.bind(1, base_seq);
    return rows_of(rows);
}

std::vector<Row> arrived_since(SQLite::Database& db, Seq seq, std::size_t most) {
    SQLite::Statement rows(db,
                           "SELECT address, until FROM address WHERE answer IN ('accept', 'closed') AND "
                           "accepted_seq > ? LIMIT ?");
    rows.bind(1, seq);
    rows.bind(2, static_cast<std::int64_t>(most));
    return rows_of(rows);
}

std::vector<ClosedRow> closed_rows(SQLite::Database& db) {
    SQLite::Statement rows(
        db,
        "WITH good (directory_id, at) AS MATERIALIZED (SELECT id, max(coalesce((SELECT ended FROM reading "
        "WHERE reading.directory_id = directory.id AND good = 1 ORDER BY ended DESC LIMIT 1), 0), "
        "coalesce((SELECT max(position.at) FROM position WHERE position.directory_id = directory.id), 0)) "
        "FROM directory) "
        "SELECT address, CASE reason WHEN 'closed-callout' THEN (SELECT max(callout.at) FROM callout WHERE "
        "address_id = address.id AND class = 'policy') ELSE coalesce((SELECT min(iif(unseen_seq IS NULL, "
        "good.at, "
        // An object that is not seen any more was confirmed by the last reading before that.
        "coalesce((SELECT max(ended) FROM reading WHERE reading.directory_id = object.directory_id AND good "
        "= 1 "
        "AND seq < unseen_seq), 0))) FROM listing JOIN "
        "object ON object.id = object_id JOIN good USING (directory_id) WHERE address_id = address.id), "
        "(SELECT max(good.at) FROM good)) END AS confirmed FROM address WHERE answer = 'closed'");
    std::vector<ClosedRow> closed;
    while (rows.executeStep()) {
        std::optional<Time> confirmed;
        if (const auto at = rows.getColumn("confirmed"); !at.isNull())
            confirmed = from_unix_ms(at.getInt64());
        closed.push_back({stored_address(rows.getColumn("address")), confirmed});
    }
    return closed;
}

std::vector<Row> unknown_rows(SQLite::Database& db, std::size_t most) {
    SQLite::Statement rows(
        db,
        "SELECT address, until FROM address WHERE answer = 'reject' AND until IS NOT NULL ORDER BY "
        "asked_at DESC NULLS LAST, until DESC LIMIT ?");
    rows.bind(1, static_cast<std::int64_t>(most));
    return rows_of(rows);
}

std::vector<Extension> accepted_extensions(SQLite::Database& db, const mail::Address& base,
                                           const std::string& delimiters) {
    std::vector<Extension> extensions;
    SQLite::Statement range(db,
                            "SELECT address, answer = 'closed' AS closed FROM address WHERE local >= ? AND "
                            "local < ? AND domain = ? AND answer IN ('accept', 'closed')");
    for (const char delimiter : delimiters) {
        const std::string from = std::string(base.local()) + delimiter;
        std::string below = from;
        ++below.back();
        range.reset();
        range.bind(1, from);
        range.bind(2, below);
        range.bind(3, std::string(base.domain()));
        while (range.executeStep())
            extensions.push_back(
                {stored_address(range.getColumn("address")), range.getColumn("closed").getInt() != 0});
    }
    return extensions;
}

bool extensions_changed(SQLite::Database& db, Seq since, const std::string& delimiters) {
    SQLite::Statement changed(
        db,
        "SELECT EXISTS (SELECT 1 FROM address WHERE answer IN ('accept', 'closed') AND accepted_seq > ?1 AND "
        "instr(local, ?2) > 1) OR EXISTS (SELECT 1 FROM address WHERE left_seq > ?1 AND instr(local, ?2) > "
        "1)");
    for (const char delimiter : delimiters) {
        changed.reset();
        changed.bind(1, since);
        changed.bind(2, std::string(1, delimiter));
        changed.executeStep();
        if (changed.getColumn(0).getInt() != 0) return true;
    }
    return false;
}

BaseAge base_age(SQLite::Database& db, Seq base_seq) {
    BaseAge age;
    SQLite::Statement removed(
        db,
        "SELECT EXISTS (SELECT 1 FROM address WHERE left_seq > ? AND answer NOT IN ('accept', 'closed'))");
    removed.bind(1, base_seq);
    removed.executeStep();
    age.holds_removed = removed.getColumn(0).getInt() != 0;
    SQLite::Statement learned(
        db, "SELECT count(*) FROM address WHERE answer IN ('accept', 'closed') AND accepted_seq > ?");
    learned.bind(1, base_seq);
    learned.executeStep();
    age.learned = learned.getColumn(0).getInt64();
    return age;
}

std::int64_t adopt(Writer& writer, const std::vector<mail::Address>& addresses, Time now) {
    AddressBook book(writer);
    EvidenceReader reader(writer.db);
    AnswerWriter answers(writer, now);
    SQLite::Statement note(writer.db, "UPDATE address SET adopted_seq = ? WHERE id = ?");
    // After a publication that was broken off that is nearly everybody, and nobody starts before it is done:
    // all evidence of each is not read for that.
    SQLite::Statement known(
        writer.db,
        "SELECT 1 FROM address WHERE local = ? AND domain = ? AND (answer = 'accept' OR answer = 'closed')");
    std::int64_t adopted = 0;
    for (const mail::Address& address : addresses) {
        known.reset();
        known.bind(1, std::string(address.local()));
        known.bind(2, std::string(address.domain()));
        if (known.executeStep()) continue;
        const AddressId id = book.ensure(address);
        const auto pending = reader.load(id);
        if (!pending || census::exists(pending->evidence.answered)) continue;
        note.reset();
        note.bind(1, writer.seq);
        note.bind(2, id);
        note.exec();
        // It is accepted as long as the table is out: if no route names its domain any more, that is a
        // removal for the gate.
        answers.settle(*pending, {census::Answer::accept, census::Reason::adopted, {}},
                       "stood in the published table");
        book.mark_undecided(id, AddressBook::Rank::other);
        ++adopted;
    }
    return adopted;
}

void end_rejections(Writer& writer) {
    AddressBook book(writer);
    SQLite::Statement end(
        writer.db,
        "UPDATE address SET missed_seq = NULL WHERE answer = 'reject' OR (missed_seq IS NOT "
        "NULL AND id IN (SELECT address_id FROM undecided)) RETURNING id");
    std::vector<AddressId> ids;
    while (end.executeStep()) ids.push_back(end.getColumn(0).getInt64());
    end.reset();
    for (const AddressId id : ids) book.mark_undecided(id, AddressBook::Rank::other);
}

void end_adoption(Writer& writer, const std::vector<std::string>& domains, Seq began) {
    SQLite::Statement answered(
        writer.db,
        "DELETE FROM question WHERE cause = ? AND EXISTS (SELECT 1 FROM listing WHERE listing.address_id = "
        "question.address_id)");
    answered.bind(1, kAdoptedCause);
    answered.exec();
    AddressBook book(writer);
    SQLite::Statement end(
        writer.db, "UPDATE address SET adopted_seq = NULL WHERE domain = ? AND adopted_seq < ? RETURNING id");
    for (const std::string& domain : domains) {
        end.reset();
        end.bind(1, domain);
        end.bind(2, began);
        std::vector<AddressId> ids;
        while (end.executeStep()) ids.push_back(end.getColumn(0).getInt64());
        for (const AddressId id : ids) book.mark_undecided(id, AddressBook::Rank::other);
    }
}

}  // namespace postcensus::store
