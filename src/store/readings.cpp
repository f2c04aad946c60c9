// SPDX-License-Identifier: MIT
#include "store/readings.h"

#include <map>

#include "store/addresses.h"

namespace postcensus::store {
namespace {

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
                             "objects, added, removed, outcome, "
                             "good) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert.bind(1, directory);
    insert.bind(2, reading.kind);
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

// Changes listings object by object, and remembers for each address touched how many objects listed it
// before.
class ListingWriter {
  public:
    ListingWriter(Writer& writer, std::int64_t directory)
        : book_(writer),
          directory_(directory),
          find_(writer.db, "SELECT id FROM object WHERE directory_id = ? AND guid = ?"),
          insert_(writer.db,
                  "INSERT INTO object (directory_id, guid, dn, digest) VALUES (?, ?, ?, ?) RETURNING id"),
          update_(writer.db, "UPDATE object SET dn = ?, digest = ? WHERE id = ?"),
          remove_(writer.db, "DELETE FROM object WHERE id = ?"),
          listed_(writer.db, "SELECT address_id FROM listing WHERE object_id = ?"),
          clear_(writer.db, "DELETE FROM listing WHERE object_id = ?"),
          list_(writer.db, "INSERT INTO listing (address_id, object_id, closed) VALUES (?, ?, ?)"),
          count_(writer.db, "SELECT count(*) FROM listing WHERE address_id = ?"),
          touch_(writer.db, "UPDATE address SET listed_seq = ? WHERE id = ?"),
          seq_(writer.seq) {}

    void put(const census::Listing& listing) {
        std::int64_t object = find(listing.guid);
        if (object != 0) {
            unlist(object);
            update_.reset();
            update_.bind(1, listing.dn);
            update_.bind(2, static_cast<std::int64_t>(listing.digest()));
            update_.bind(3, object);
            update_.exec();
        } else {
            insert_.reset();
            insert_.bind(1, directory_);
            insert_.bind(2, listing.guid.data(), static_cast<int>(listing.guid.size()));
            insert_.bind(3, listing.dn);
            insert_.bind(4, static_cast<std::int64_t>(listing.digest()));
            insert_.executeStep();
            object = insert_.getColumn(0).getInt64();
            insert_.reset();
        }
        for (const mail::Address& address : listing.addresses) {
            const AddressId id = book_.ensure(address);
            remember(id);
            list_.reset();
            list_.bind(1, id);
            list_.bind(2, object);
            list_.bind(3, listing.closed ? 1 : 0);
            list_.exec();
        }
    }

    void drop(const std::string& guid) {
        const std::int64_t object = find(guid);
        if (object == 0) return;
        unlist(object);
        remove_.reset();
        remove_.bind(1, object);
        remove_.exec();
    }

    // All addresses touched become undecided. Counts those that appeared and disappeared.
    void finish(Applied& applied) {
        for (const auto& [id, before] : before_) {
            const std::int64_t after = count(id);
            if (before == 0 && after > 0) ++applied.added;
            if (before > 0 && after == 0) ++applied.removed;
            touch_.reset();
            touch_.bind(1, seq_);
            touch_.bind(2, id);
            touch_.exec();
            book_.mark_undecided(id, AddressBook::Rank::other);
        }
    }

  private:
    std::int64_t find(const std::string& guid) {
        find_.reset();
        find_.bind(1, directory_);
        find_.bind(2, guid.data(), static_cast<int>(guid.size()));
        const std::int64_t id = find_.executeStep() ? find_.getColumn(0).getInt64() : 0;
        find_.reset();
        return id;
    }

    std::int64_t count(AddressId id) {
        count_.reset();
        count_.bind(1, id);
        count_.executeStep();
        const std::int64_t number = count_.getColumn(0).getInt64();
        count_.reset();
        return number;
    }

    void remember(AddressId id) {
        if (before_.find(id) == before_.end()) before_.emplace(id, count(id));
    }

    void unlist(std::int64_t object) {
        listed_.reset();
        listed_.bind(1, object);
        while (listed_.executeStep()) remember(listed_.getColumn(0).getInt64());
        listed_.reset();
        clear_.reset();
        clear_.bind(1, object);
        clear_.exec();
    }

    AddressBook book_;
    std::int64_t directory_;
    SQLite::Statement find_, insert_, update_, remove_, listed_, clear_, list_, count_, touch_;
    Seq seq_;
    std::map<AddressId, std::int64_t> before_;
};

}  // namespace

std::unordered_map<std::string, std::uint64_t> load_digests(SQLite::Database& db,
                                                            const std::string& directory) {
    std::unordered_map<std::string, std::uint64_t> digests;
    SQLite::Statement all(
        db, "SELECT guid, digest FROM object JOIN directory ON directory.id = directory_id WHERE name = ?");
    all.bind(1, directory);
    while (all.executeStep()) {
        const SQLite::Column guid = all.getColumn("guid");
        digests.emplace(
            std::string(static_cast<const char*>(guid.getBlob()), static_cast<std::size_t>(guid.getBytes())),
            static_cast<std::uint64_t>(all.getColumn("digest").getInt64()));
    }
    return digests;
}

std::vector<std::string> directories_with_objects(SQLite::Database& db) {
    std::vector<std::string> names;
    SQLite::Statement all(db,
                          "SELECT name FROM directory WHERE EXISTS (SELECT 1 FROM object WHERE directory_id "
                          "= directory.id) ORDER BY name");
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
    listed.bind(2, guid.data(), static_cast<int>(guid.size()));
    std::vector<std::string> addresses;
    while (listed.executeStep()) addresses.push_back(listed.getColumn("address").getString());
    return addresses;
}

Applied apply(Writer& writer, const Reading& reading, const Difference& difference) {
    Applied applied;
    const std::int64_t directory = directory_id(writer, reading.directory);
    ListingWriter listings(writer, directory);
    for (const std::string& guid : difference.gone) listings.drop(guid);
    for (const census::Listing& listing : difference.changed) listings.put(listing);
    listings.finish(applied);
    SQLite::Statement count(writer.db,
                            "SELECT count(DISTINCT address_id) FROM object JOIN listing ON object_id = "
                            "object.id WHERE directory_id = ?");
    count.bind(1, directory);
    count.executeStep();
    applied.listed = count.getColumn(0).getInt64();
    insert_reading(writer, directory, reading, applied);
    return applied;
}

void note_failed(Writer& writer, const Reading& reading) {
    insert_reading(writer, directory_id(writer, reading.directory), reading, {});
}

}  // namespace postcensus::store
