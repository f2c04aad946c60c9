// SPDX-License-Identifier: MIT
#include "store/absences.h"

namespace postcensus::store {

bool directories_doubtful(SQLite::Database& db, const std::string& domain) {
    SQLite::Statement doubt(
        db,
        "SELECT EXISTS (SELECT 1 FROM directory WHERE full_good = 0) OR EXISTS (SELECT 1 FROM object JOIN "
        "listing ON object_id = object.id JOIN address ON address.id = address_id WHERE unseen_seq IS NOT "
        "NULL AND domain = :domain) OR EXISTS (SELECT 1 FROM object WHERE doubts = '' OR doubts = :domain)");
    doubt.bind(":domain", domain);
    doubt.executeStep();
    return doubt.getColumn(0).getInt() != 0;
}

bool record_absence(Writer& writer, AddressId id, const std::string& server, const std::string& control,
                    Seq began, Time at, Milliseconds interval) {
    // A run begins anew when the address was missed or its listings changed after its first lookup.
    SQLite::Statement drop(writer.db,
                           "DELETE FROM absence WHERE address_id = :id AND first_seq < (SELECT "
                           "max(listed_seq, coalesce(missed_seq, 0)) FROM address WHERE id = :id)");
    drop.bind(":id", id);
    drop.exec();
    SQLite::Statement record(writer.db,
                             "INSERT INTO absence (address_id, first_at, first_seq, last_at, last_seq, "
                             "server, control) VALUES (:id, :at, :seq, :at, :seq, :server, :control) "
                             "ON CONFLICT (address_id) DO UPDATE SET last_at = :at, last_seq = :seq, "
                             "server = :server, control = :control RETURNING last_at - first_at");
    record.bind(":id", id);
    record.bind(":at", to_unix_ms(at));
    record.bind(":seq", began);
    record.bind(":server", server);
    record.bind(":control", control);
    record.executeStep();
    const bool confirmed = record.getColumn(0).getInt64() >= interval.count();
    record.reset();
    AddressBook(writer).mark_undecided(id, AddressBook::Rank::miss);
    return confirmed;
}

void reconsider_absences(Writer& writer) {
    writer.db.exec(
        "INSERT INTO undecided (address_id, rank) SELECT address_id, 1 FROM absence JOIN address ON "
        "address.id = address_id WHERE answer = 'reject' ON CONFLICT (address_id) DO NOTHING");
}

}  // namespace postcensus::store
