// SPDX-License-Identifier: MIT
#include "store/holds.h"

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

std::vector<std::string> approve_holds(Writer& writer, std::optional<std::int64_t> number, Time now) {
    std::vector<std::string> approved;
    std::vector<AddressId> unseen;
    SQLite::Statement held(writer.db,
                           "SELECT address, id, cause FROM hold JOIN address ON address.id = hold.address_id "
                           "WHERE approved = 0 AND (?1 IS NULL OR number = ?1) ORDER BY address");
    if (number) held.bind(1, *number);
    AddressBook book(writer);
    while (held.executeStep()) {
        const AddressId id = held.getColumn("id").getInt64();
        approved.push_back(held.getColumn("address").getString());
        if (held.getColumn("cause").getString() == "unseen") unseen.push_back(id);
        book.mark_undecided(id, AddressBook::Rank::other);
    }
    SQLite::Statement release(writer.db, "UPDATE hold SET approved = 1 WHERE ?1 IS NULL OR number = ?1");
    if (number) release.bind(1, *number);
    release.exec();
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
