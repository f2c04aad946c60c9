// SPDX-License-Identifier: MIT
#include "store/holds.h"

#include <algorithm>
#include <map>

#include "store/addresses.h"
#include "store/readings.h"

namespace postcensus::store {

std::int64_t next_hold_number(Writer& writer) {
    SQLite::Statement bump(writer.db,
                           "INSERT INTO meta (key, value) VALUES ('hold', '1') ON CONFLICT (key) DO UPDATE "
                           "SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) RETURNING value");
    bump.executeStep();
    const std::int64_t number = std::stoll(bump.getColumn(0).getString());
    bump.reset();
    return number;
}

std::int64_t count_holds(SQLite::Database& db, std::optional<std::int64_t> number) {
    SQLite::Statement count(db,
                            "SELECT count(*) FROM hold WHERE approved = 0 AND (?1 IS NULL OR number = ?1)");
    if (number) count.bind(1, *number);
    count.executeStep();
    return count.getColumn(0).getInt64();
}

std::vector<Hold> open_holds(SQLite::Database& db, std::optional<std::int64_t> number) {
    SQLite::Statement rows(
        db, "SELECT address_id, at FROM hold WHERE approved = 0 AND (?1 IS NULL OR number = ?1)");
    if (number) rows.bind(1, *number);
    std::vector<Hold> holds;
    while (rows.executeStep())
        holds.push_back({rows.getColumn("address_id").getInt64(), rows.getColumn("at").getInt64()});
    return holds;
}

std::vector<std::string> approve_holds(Writer& writer, const std::vector<Hold>& holds, Time now) {
    std::vector<std::string> approved;
    std::vector<AddressId> unseen;
    SQLite::Statement held(writer.db,
                           "SELECT address, cause FROM hold JOIN address ON address.id = hold.address_id "
                           "WHERE address_id = ? AND at = ? AND approved = 0");
    SQLite::Statement release(writer.db, "UPDATE hold SET approved = 1 WHERE address_id = ?");
    AddressBook book(writer);
    for (const Hold& hold : holds) {
        held.reset();
        held.bind(1, hold.address);
        held.bind(2, hold.at);
        if (!held.executeStep()) continue;
        approved.push_back(held.getColumn("address").getString());
        if (held.getColumn("cause").getString() == "unseen") unseen.push_back(hold.address);
        held.reset();
        book.mark_undecided(hold.address, AddressBook::Rank::other);
        release.reset();
        release.bind(1, hold.address);
        release.exec();
    }
    std::sort(approved.begin(), approved.end());
    // What the operator approved is gone for him, whatever the directory shows.
    std::map<std::string, std::vector<std::string>> objects;
    SQLite::Statement listed(
        writer.db,
        "SELECT name, guid FROM listing JOIN object ON object.id = object_id JOIN "
        "directory ON directory.id = directory_id WHERE address_id = ? AND unseen_seq IS "
        "NOT NULL");
    for (const AddressId id : unseen) {
        listed.reset();
        listed.bind(1, id);
        while (listed.executeStep())
            objects[listed.getColumn("name").getString()].push_back(blob_of(listed.getColumn("guid")));
    }
    listed.reset();
    for (const auto& [directory, guids] : objects) {
        const Reading reading{.directory = directory,
                              .kind = ReadingKind::dropped,
                              .began = now,
                              .ended = now,
                              .began_seq = writer.seq,
                              .outcome = "approved by the operator"};
        ReadingWriter dropped(writer, reading);
        for (const std::string& guid : guids) dropped.end(guid);
        dropped.finish();
    }
    return approved;
}

}  // namespace postcensus::store
