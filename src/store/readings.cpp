// SPDX-License-Identifier: MIT
#include "store/readings.h"

#include <algorithm>
#include <map>

namespace postcensus::store {
namespace {

// Objects that are gone are kept until so many readings and other writes have passed: no reading takes
// longer.
constexpr Seq kKeepGone = 100'000;

std::int64_t directory_id(Writer& writer, const std::string& name) {
    SQLite::Statement add(writer.db, "INSERT INTO directory (name) VALUES (?) ON CONFLICT (name) DO NOTHING");
    add.bind(1, name);
    add.exec();
    SQLite::Statement find(writer.db, "SELECT id FROM directory WHERE name = ?");
    find.bind(1, name);
    find.executeStep();
    return find.getColumn(0).getInt64();
}

void insert_reading(Writer& writer, std::int64_t directory, const Reading& reading, const Applied& applied) {
    SQLite::Statement insert(writer.db,
                             "INSERT INTO reading (directory_id, kind, server, began, ended, began_seq, seq, "
                             "objects, added, removed, outcome, good) "
                             "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert.bind(1, directory);
    insert.bind(2, std::string(name_of(reading.kind)));
    insert.bind(3, reading.server);
    insert.bind(4, to_unix_ms(reading.began));
    insert.bind(5, to_unix_ms(reading.ended));
    insert.bind(6, reading.began_seq);
    insert.bind(7, writer.seq);
    insert.bind(8, reading.objects);
    insert.bind(9, applied.added);
    insert.bind(10, applied.removed);
    insert.bind(11, reading.outcome);
    insert.bind(12, reading.good ? 1 : 0);
    insert.exec();
}

void bind_blob(SQLite::Statement& statement, int index, const std::string& bytes) {
    statement.bind(index, bytes.data(), static_cast<int>(bytes.size()));
}

std::string blob_of(const SQLite::Column& column) {
    return {static_cast<const char*>(column.getBlob()), static_cast<std::size_t>(column.getBytes())};
}

// Rejections that rest on what the directories do not list, when doubt has come up.
void reconsider_absences(Writer& writer) {
    writer.db.exec(
        "INSERT INTO undecided (address_id, rank) SELECT address_id, 1 FROM absence JOIN address ON "
        "address.id = address_id WHERE answer = 'reject' ON CONFLICT (address_id) DO NOTHING");
}

std::optional<Time> time_of(const SQLite::Column& column) {
    if (column.isNull()) return std::nullopt;
    return from_unix_ms(column.getInt64());
}

}  // namespace

std::string_view name_of(ReadingKind kind) {
    switch (kind) {
        case ReadingKind::full:
            return "full";
        case ReadingKind::changes:
            return "changes";
        case ReadingKind::sweep:
            return "sweep";
        case ReadingKind::lookup:
            return "lookup";
        case ReadingKind::dropped:
            break;
    }
    return "dropped";
}

KnownObjects::KnownObjects(SQLite::Database& db, const std::string& directory)
    : find_(db,
            "SELECT id, digest, gone, unseen_seq IS NOT NULL FROM object WHERE directory_id = "
            "(SELECT id FROM directory WHERE name = ?) AND guid = ?") {
    find_.bind(1, directory);
}

std::optional<KnownObject> KnownObjects::find(const std::string& guid) {
    find_.reset();
    bind_blob(find_, 2, guid);
    if (!find_.executeStep()) return std::nullopt;
    const KnownObject object{find_.getColumn(0).getInt64(),
                             static_cast<std::uint64_t>(find_.getColumn(1).getInt64()),
                             find_.getColumn(2).getInt() != 0, find_.getColumn(3).getInt() != 0};
    find_.reset();
    return object;
}

void for_each_object(SQLite::Database& db, const std::string& directory, Seq began,
                     const std::function<void(std::int64_t, std::string)>& take) {
    SQLite::Statement all(db,
                          "SELECT object.id, guid FROM object JOIN directory ON directory.id = directory_id "
                          "WHERE name = ? AND gone = 0 AND read_seq < ?");
    all.bind(1, directory);
    all.bind(2, began);
    while (all.executeStep()) take(all.getColumn(0).getInt64(), blob_of(all.getColumn(1)));
}

std::vector<std::string> unseen_objects(SQLite::Database& db, const std::string& directory) {
    SQLite::Statement all(db,
                          "SELECT guid FROM object WHERE unseen_seq IS NOT NULL AND directory_id = "
                          "(SELECT id FROM directory WHERE name = ?)");
    all.bind(1, directory);
    std::vector<std::string> guids;
    while (all.executeStep()) guids.push_back(blob_of(all.getColumn(0)));
    return guids;
}

std::vector<std::string> directories_with_objects(SQLite::Database& db) {
    std::vector<std::string> names;
    SQLite::Statement all(db,
                          "SELECT name FROM directory WHERE EXISTS (SELECT 1 FROM object WHERE directory_id "
                          "= directory.id AND gone = 0) ORDER BY name");
    while (all.executeStep()) names.push_back(all.getColumn("name").getString());
    return names;
}

std::vector<std::string> addresses_of(SQLite::Database& db, const std::string& directory,
                                      const std::string& guid) {
    SQLite::Statement listed(db,
                             "SELECT address FROM object JOIN directory ON directory.id = directory_id "
                             "JOIN listing ON object_id = object.id JOIN address ON address.id = address_id "
                             "WHERE name = ? AND guid = ? ORDER BY address");
    listed.bind(1, directory);
    bind_blob(listed, 2, guid);
    std::vector<std::string> addresses;
    while (listed.executeStep()) addresses.push_back(listed.getColumn("address").getString());
    return addresses;
}

DirectoryFacts load_directory(SQLite::Database& db, const std::string& directory) {
    DirectoryFacts facts;
    SQLite::Statement row(db, "SELECT full_at, swept_at, away_since FROM directory WHERE name = ?");
    row.bind(1, directory);
    if (row.executeStep()) {
        facts.full_at = time_of(row.getColumn("full_at"));
        facts.swept_at = time_of(row.getColumn("swept_at"));
        facts.away_since = time_of(row.getColumn("away_since"));
    }
    SQLite::Statement positions(db,
                                "SELECT server, uri, position, at FROM position JOIN directory ON "
                                "directory.id = directory_id WHERE name = ? ORDER BY at DESC, server");
    positions.bind(1, directory);
    while (positions.executeStep())
        facts.positions.push_back({positions.getColumn("server").getString(),
                                   positions.getColumn("uri").getString(),
                                   positions.getColumn("position").getString(),
                                   from_unix_ms(positions.getColumn("at").getInt64())});
    return facts;
}

void set_away(Writer& writer, const std::string& directory, std::optional<Time> since) {
    SQLite::Statement set(writer.db, "UPDATE directory SET away_since = ? WHERE id = ?");
    if (since)
        set.bind(1, to_unix_ms(*since));
    else
        set.bind(1);
    set.bind(2, directory_id(writer, directory));
    set.exec();
}

bool move_position(Writer& writer, const std::string& directory, const Position& position,
                   const std::string& from) {
    const std::int64_t id = directory_id(writer, directory);
    SQLite::Statement find(writer.db, "SELECT position FROM position WHERE directory_id = ? AND server = ?");
    find.bind(1, id);
    find.bind(2, position.server_id);
    const std::string now = find.executeStep() ? find.getColumn(0).getString() : std::string{};
    find.reset();
    if (now != from) return false;
    SQLite::Statement save(writer.db,
                           "INSERT OR REPLACE INTO position (directory_id, server, uri, position, at) "
                           "VALUES (?, ?, ?, ?, ?)");
    save.bind(1, id);
    save.bind(2, position.server_id);
    save.bind(3, position.uri);
    save.bind(4, position.text);
    save.bind(5, to_unix_ms(position.at));
    save.exec();
    return true;
}

void forget_positions(Writer& writer) {
    writer.db.exec("DELETE FROM position");
}

void drop_directory(Writer& writer, const std::string& directory) {
    for (const char* sql :
         {"DELETE FROM position WHERE directory_id = ?",
          "UPDATE directory SET full_good = 1, full_at = NULL, away_since = NULL WHERE id = ?"}) {
        SQLite::Statement statement(writer.db, sql);
        statement.bind(1, directory_id(writer, directory));
        statement.exec();
    }
}

ReadingWriter::ReadingWriter(Writer& writer, const Reading& reading, ListedAnswer answer)
    : writer_(writer),
      reading_(reading),
      directory_(directory_id(writer, reading.directory)),
      full_seq_([&] {
          SQLite::Statement load(writer.db, "SELECT full_seq FROM directory WHERE id = ?");
          load.bind(1, directory_);
          load.executeStep();
          return load.getColumn(0).getInt64();
      }()),
      book_(writer),
      find_(writer.db,
            "SELECT id, read_seq, gone, unseen_seq IS NOT NULL FROM object WHERE directory_id = ? AND guid = "
            "?"),
      insert_(writer.db,
              "INSERT INTO object (directory_id, guid, dn, digest, read_seq) VALUES (?, ?, ?, ?, ?)"),
      update_(writer.db,
              "UPDATE object SET dn = ?, digest = ?, read_seq = ?, gone = ?, unseen_seq = NULL WHERE id = ?"),
      end_(writer.db, "UPDATE object SET digest = 0, read_seq = ?, gone = 1, unseen_seq = NULL WHERE id = ?"),
      unseen_(writer.db, "UPDATE object SET unseen_seq = ? WHERE id = ?"),
      listed_(writer.db, "SELECT address_id FROM listing WHERE object_id = ?"),
      clear_(writer.db, "DELETE FROM listing WHERE object_id = ?"),
      list_(writer.db, "INSERT INTO listing (address_id, object_id, closed) VALUES (?, ?, ?)"),
      count_(writer.db,
             "SELECT count(*), coalesce(sum(directory_id = ?), 0) FROM listing JOIN object ON object.id = "
             "object_id WHERE address_id = ?"),
      changed_(writer.db,
               "UPDATE address SET listed_seq = ?, last_object = coalesce(?, last_object) WHERE id = ?") {
    if (reading.kind != ReadingKind::full || full_seq_ != 0) return;
    arrivals_.emplace(writer, std::move(answer), [this](AddressId id) {
        count_and_touch(id);
        note_listed(id, {});
    });
}

std::optional<ReadingWriter::Row> ReadingWriter::find(const std::string& guid) {
    find_.reset();
    find_.bind(1, directory_);
    bind_blob(find_, 2, guid);
    if (!find_.executeStep()) return std::nullopt;
    const Row row{find_.getColumn(0).getInt64(), find_.getColumn(1).getInt64(),
                  find_.getColumn(2).getInt() != 0, find_.getColumn(3).getInt() != 0};
    find_.reset();
    return row;
}

void ReadingWriter::touch(AddressId id, std::int64_t listed_before, std::int64_t listed_here_before) {
    touched_.push_back({id, static_cast<std::int64_t>(touched_.size()), listed_before, listed_here_before});
}

void ReadingWriter::count_and_touch(AddressId id) {
    count_.reset();
    count_.bind(1, directory_);
    count_.bind(2, id);
    count_.executeStep();
    touch(id, count_.getColumn(0).getInt64(), count_.getColumn(1).getInt64());
    count_.reset();
}

// Its listings change now; `object`: one that lists it no more.
void ReadingWriter::note_listed(AddressId id, std::optional<std::int64_t> object) {
    changed_.reset();
    changed_.bind(1, writer_.seq);
    if (object)
        changed_.bind(2, *object);
    else
        changed_.bind(2);
    changed_.bind(3, id);
    changed_.exec();
}

void ReadingWriter::unlist(std::int64_t object) {
    unlisted_ = true;
    std::vector<AddressId> ids;
    listed_.reset();
    listed_.bind(1, object);
    while (listed_.executeStep()) ids.push_back(listed_.getColumn(0).getInt64());
    listed_.reset();
    for (const AddressId id : ids) {
        count_and_touch(id);
        note_listed(id, object);
    }
    clear_.reset();
    clear_.bind(1, object);
    clear_.exec();
}

void ReadingWriter::put(const census::Listing& listing) {
    auto row = find(listing.guid);
    if (!row && listing.addresses.empty()) return;
    if (outdated(row ? row->read_seq : 0)) return;
    const bool gone = listing.addresses.empty();
    if (row) {
        if (!row->gone) unlist(row->id);
        update_.reset();
        update_.bind(1, listing.dn);
        update_.bind(2, gone ? 0 : static_cast<std::int64_t>(listing.digest()));
        update_.bind(3, reading_.began_seq);
        update_.bind(4, gone ? 1 : 0);
        update_.bind(5, row->id);
        update_.exec();
    } else {
        insert_.reset();
        insert_.bind(1, directory_);
        bind_blob(insert_, 2, listing.guid);
        insert_.bind(3, listing.dn);
        insert_.bind(4, static_cast<std::int64_t>(listing.digest()));
        insert_.bind(5, reading_.began_seq);
        insert_.exec();
        row = Row{writer_.db.getLastInsertRowid()};
    }
    for (const mail::Address& address : listing.addresses) {
        if (arrivals_) {
            arrivals_->add(address, row->id, listing.closed);
            continue;
        }
        const auto [id, is_new] = book_.ensure_listed(address, writer_.seq);
        if (is_new)
            touch(id, 0, 0);
        else
            count_and_touch(id);
        list_.reset();
        list_.bind(1, id);
        list_.bind(2, row->id);
        list_.bind(3, listing.closed ? 1 : 0);
        list_.exec();
    }
}

void ReadingWriter::end(const std::string& guid) {
    const auto row = find(guid);
    if (!row || row->gone || outdated(row->read_seq)) return;
    unlist(row->id);
    end_.reset();
    end_.bind(1, reading_.began_seq);
    end_.bind(2, row->id);
    end_.exec();
}

void ReadingWriter::mark_unseen(const std::string& guid) {
    const auto row = find(guid);
    if (!row || row->gone || row->unseen || outdated(row->read_seq)) return;
    ++applied_.unseen;
    unseen_.reset();
    unseen_.bind(1, writer_.seq);
    unseen_.bind(2, row->id);
    unseen_.exec();
    listed_.reset();
    listed_.bind(1, row->id);
    while (listed_.executeStep())
        book_.mark_undecided(listed_.getColumn(0).getInt64(), AddressBook::Rank::other);
    listed_.reset();
}

void ReadingWriter::mark_seen(const std::string& guid) {
    const auto row = find(guid);
    if (!row || !row->unseen) return;
    unseen_.reset();
    unseen_.bind(1);
    unseen_.bind(2, row->id);
    unseen_.exec();
    listed_.reset();
    listed_.bind(1, row->id);
    while (listed_.executeStep())
        book_.mark_undecided(listed_.getColumn(0).getInt64(), AddressBook::Rank::other);
    listed_.reset();
}

// All addresses touched become undecided. Counts those that appeared and disappeared.
// `arrived`: new ones beside these.
void ReadingWriter::settle_touched(std::int64_t arrived) {
    std::sort(touched_.begin(), touched_.end(), [](const Touched& a, const Touched& b) {
        return std::pair(a.id, a.order) < std::pair(b.id, b.order);
    });
    std::int64_t here = arrived;
    AddressId last = 0;
    for (const Touched& before : touched_) {
        if (before.id == last) continue;
        last = before.id;
        std::int64_t listed = 1;
        std::int64_t listed_here = 1;
        if (unlisted_) {
            count_.reset();
            count_.bind(1, directory_);
            count_.bind(2, before.id);
            count_.executeStep();
            listed = count_.getColumn(0).getInt64();
            listed_here = count_.getColumn(1).getInt64();
            count_.reset();
        }
        if (before.listed == 0 && listed > 0) ++applied_.added;
        if (before.listed > 0 && listed == 0) ++applied_.removed;
        here += (listed_here > 0 ? 1 : 0) - (before.listed_here > 0 ? 1 : 0);
        book_.mark_undecided(before.id, AddressBook::Rank::other);
    }
    touched_.clear();
    SQLite::Statement adjust(writer_.db,
                             "UPDATE directory SET listed = listed + ? WHERE id = ? RETURNING listed");
    adjust.bind(1, here);
    adjust.bind(2, directory_);
    adjust.executeStep();
    applied_.listed = adjust.getColumn(0).getInt64();
    adjust.reset();
}

Applied ReadingWriter::finish() {
    const std::int64_t arrived = arrivals_ ? arrivals_->finish() : 0;
    applied_.added += arrived;
    settle_touched(arrived);
    if (applied_.unseen > 0) reconsider_absences(writer_);
    if (reading_.kind == ReadingKind::full && reading_.began_seq > full_seq_) {
        SQLite::Statement note(writer_.db,
                               "UPDATE directory SET full_seq = ?, full_at = ?, full_good = 1 WHERE id = ?");
        note.bind(1, reading_.began_seq);
        note.bind(2, to_unix_ms(reading_.ended));
        note.bind(3, directory_);
        note.exec();
    }
    insert_reading(writer_, directory_, reading_, applied_);
    return applied_;
}

void note_failed(Writer& writer, const Reading& reading) {
    const std::int64_t directory = directory_id(writer, reading.directory);
    insert_reading(writer, directory, reading, {});
    if (reading.kind != ReadingKind::full) return;
    SQLite::Statement note(writer.db, "UPDATE directory SET full_good = 0 WHERE id = ?");
    note.bind(1, directory);
    note.exec();
    reconsider_absences(writer);
}

void note_swept(Writer& writer, const std::string& directory, Time at) {
    SQLite::Statement note(writer.db, "UPDATE directory SET swept_at = ? WHERE id = ?");
    note.bind(1, to_unix_ms(at));
    note.bind(2, directory_id(writer, directory));
    note.exec();
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

bool directories_doubtful(SQLite::Database& db, const std::string& domain) {
    SQLite::Statement doubt(
        db,
        "SELECT EXISTS (SELECT 1 FROM directory WHERE full_good = 0) OR EXISTS (SELECT 1 FROM object JOIN "
        "listing ON object_id = object.id JOIN address ON address.id = address_id WHERE unseen_seq IS NOT "
        "NULL AND domain = ?)");
    doubt.bind(1, domain);
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

void prune_objects(Writer& writer) {
    SQLite::Statement drop(writer.db, "DELETE FROM object WHERE gone = 1 AND read_seq < ?");
    drop.bind(1, writer.seq - kKeepGone);
    drop.exec();
}

}  // namespace postcensus::store
