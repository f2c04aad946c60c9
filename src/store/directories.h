// SPDX-License-Identifier: MIT
// What is known of each directory: its objects, how far its changes were followed, when it was read.
// Every function here runs inside Database::read() or write() and may throw SQLite::Exception.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/database.h"

namespace postcensus::store {

// The id of a directory's row, which is made if need be.
std::int64_t directory_id(Writer& writer, const std::string& name);

// Keys of objects are bytes.
void bind_blob(SQLite::Statement& statement, int index, const std::string& bytes);
std::string blob_of(const SQLite::Column& column);

// --- its objects

struct KnownObject {
    std::int64_t id = 0;
    std::uint64_t digest = 0;  // 0: it lists nothing
    bool gone = false;
    bool unseen = false;
    bool plain = false;
    std::optional<std::string> doubts;  // as in Listing
};

// Finds objects by their key, with its statement kept prepared.
class KnownObjects {
  public:
    KnownObjects(SQLite::Database& db, const std::string& directory);
    std::optional<KnownObject> find(const std::string& guid);

  private:
    SQLite::Statement find_;
};

// id and key of every object that lists something and was last read before `began`.
void for_each_object(SQLite::Database& db, const std::string& directory, Seq began,
                     const std::function<void(std::int64_t id, std::string guid)>& take);

std::vector<std::string> unseen_objects(SQLite::Database& db, const std::string& directory);  // their keys
std::vector<std::string> directories_with_objects(SQLite::Database& db);

// Addresses that the object with this key lists now, sorted.
std::vector<std::string> addresses_of(SQLite::Database& db, const std::string& directory,
                                      const std::string& guid);

// --- how far its changes were followed

struct Position {
    std::string server_id;
    std::string uri;
    std::string text;  // opaque here
    Time at;
};

struct DirectoryFacts {
    std::vector<Position> positions;  // the one that moved last in front
    std::optional<Time> full_at;      // the last good full reading
    std::optional<Time> swept_at;
    std::optional<Time> away_since;
    std::set<std::string> shown;  // note_shown()
};

DirectoryFacts load_directory(SQLite::Database& db, const std::string& directory);
void set_away(Writer& writer, const std::string& directory, std::optional<Time> since);

// Moves a position, unless somebody else has moved it from where this reader started (`from`; empty: there
// was none). False then.
bool move_position(Writer& writer, const std::string& directory, const Position& position,
                   const std::string& from);
// The next reading of each directory is a full one.
void forget_positions(Writer& writer);
// Of a directory that the configuration no longer has: nothing about it stands against conclusions any more.
void drop_directory(Writer& writer, const std::string& directory);

// A sweep or full reading has looked for what is gone.
void note_swept(Writer& writer, const std::string& directory, Time at);

// Attributes that objects showed, of those that may hold addresses. All of them, of a full reading.
void note_shown(Writer& writer, const std::string& directory, bool full, const std::set<std::string>& shown);

// Objects that are gone, and that no reading of the last days can bring any more.
void prune_objects(Writer& writer);

}  // namespace postcensus::store
