// SPDX-License-Identifier: MIT
#include "store/directories.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "store/columns.h"

namespace postcensus::store {
namespace {

// Objects that are gone are kept until so many readings and other writes have passed: no reading takes
// longer.
constexpr Seq kKeepGone = 100'000;

}  // namespace

std::int64_t directory_id(Writer& writer, const std::string& name) {
    SQLite::Statement add(writer.db, "INSERT INTO directory (name) VALUES (?) ON CONFLICT (name) DO NOTHING");
    add.bind(1, name);
    add.exec();
    SQLite::Statement find(writer.db, "SELECT id FROM directory WHERE name = ?");
    find.bind(1, name);
    find.executeStep();
    return find.getColumn(0).getInt64();
}

void bind_blob(SQLite::Statement& statement, int index, const std::string& bytes) {
    statement.bind(index, bytes.data(), static_cast<int>(bytes.size()));
}

std::string blob_of(const SQLite::Column& column) {
    return {static_cast<const char*>(column.getBlob()), static_cast<std::size_t>(column.getBytes())};
}

KnownObjects::KnownObjects(SQLite::Database& db, const std::string& directory)
    : find_(db,
            "SELECT id, digest, gone, unseen_seq IS NOT NULL, plain, doubts FROM object WHERE directory_id = "
            "(SELECT id FROM directory WHERE name = ?) AND guid = ?") {
    find_.bind(1, directory);
}

std::optional<KnownObject> KnownObjects::find(const std::string& guid) {
    find_.reset();
    bind_blob(find_, 2, guid);
    if (!find_.executeStep()) return std::nullopt;
    KnownObject object{
        find_.getColumn(0).getInt64(),    static_cast<std::uint64_t>(find_.getColumn(1).getInt64()),
        find_.getColumn(2).getInt() != 0, find_.getColumn(3).getInt() != 0,
        find_.getColumn(4).getInt() != 0, {}};
    if (const auto doubts = find_.getColumn(5); !doubts.isNull()) object.doubts = doubts.getString();
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
    SQLite::Statement row(db, "SELECT full_at, swept_at, away_since, shown FROM directory WHERE name = ?");
    row.bind(1, directory);
    if (row.executeStep()) {
        facts.full_at = time_of(row.getColumn("full_at"));
        facts.swept_at = time_of(row.getColumn("swept_at"));
        facts.away_since = time_of(row.getColumn("away_since"));
        std::istringstream words(row.getColumn("shown").getString());
        facts.shown = {std::istream_iterator<std::string>(words), {}};
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
         {"DELETE FROM position WHERE directory_id = ?", "DELETE FROM mistyped WHERE directory_id = ?",
          "UPDATE directory SET full_good = 1, full_at = NULL, away_since = NULL, shown = '' WHERE id = ?"}) {
        SQLite::Statement statement(writer.db, sql);
        statement.bind(1, directory_id(writer, directory));
        statement.exec();
    }
}

void note_swept(Writer& writer, const std::string& directory, Time at) {
    SQLite::Statement note(writer.db, "UPDATE directory SET swept_at = ? WHERE id = ?");
    note.bind(1, to_unix_ms(at));
    note.bind(2, directory_id(writer, directory));
    note.exec();
}

void note_shown(Writer& writer, const std::string& directory, bool full, const std::set<std::string>& shown) {
    std::set<std::string> all = load_directory(writer.db, directory).shown;
    if (!full && std::includes(all.begin(), all.end(), shown.begin(), shown.end())) return;
    if (full) all.clear();
    all.insert(shown.begin(), shown.end());
    SQLite::Statement note(writer.db, "UPDATE directory SET shown = ? WHERE id = ?");
    note.bind(1, fmt::format("{}", fmt::join(all, " ")));
    note.bind(2, directory_id(writer, directory));
    note.exec();
}

void prune_objects(Writer& writer) {
    SQLite::Statement drop(writer.db, "DELETE FROM object WHERE gone = 1 AND read_seq < ?");
    drop.bind(1, writer.seq - kKeepGone);
    drop.exec();
}

}  // namespace postcensus::store
