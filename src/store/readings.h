// SPDX-License-Identifier: MIT
// What the directories listed, the readings that said so, and how far their changes were followed.
// Every function here runs inside Database::read() or write() and may throw SQLite::Exception.
//
// Readings overlap: a poll, a full reading and a lookup may run at once, in different processes. Each takes
// a seq before its first search (begin_reading), and an object has the values of the reading that began last.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "census/listing.h"
#include "store/addresses.h"
#include "store/arrivals.h"
#include "store/database.h"

namespace postcensus::store {

enum class ReadingKind { full, changes, sweep, lookup, dropped };
std::string_view name_of(ReadingKind kind);

struct Reading {
    std::string directory;
    ReadingKind kind = ReadingKind::full;
    std::string server;  // its URI
    Time began;
    Time ended;
    Seq began_seq = 0;         // taken before its first search
    std::int64_t objects = 0;  // that it met
    std::string outcome = "applied";
    bool good = true;
};

struct Applied {
    std::int64_t added = 0;    // addresses that are listed now and were not
    std::int64_t removed = 0;  // addresses that no object lists any more
    std::int64_t unseen = 0;   // objects that are not found any more, newly
    std::int64_t listed = 0;   // addresses listed by this directory now
};

// The seq of a reading: no other has it, so their order is certain.
inline Seq begin_reading(const Writer& writer) {
    return writer.seq;
}

// --- what is known of a directory's objects

struct KnownObject {
    std::int64_t id = 0;
    std::uint64_t digest = 0;
    bool gone = false;
    bool unseen = false;
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

// --- readings

// Applies what one whole, good reading found, inside the caller's transaction; addresses whose listings
// changed become undecided.
class ReadingWriter {
  public:
    // `answer`: for what the first reading of a directory brings.
    ReadingWriter(Writer& writer, const Reading& reading, ListedAnswer answer = {});

    void put(const census::Listing& listing);  // what an object lists now, if anything
    void end(const std::string& guid);         // the object is gone
    void mark_unseen(const std::string& guid);
    void mark_seen(const std::string& guid);

    // Notes the reading itself. Once, at the end.
    Applied finish();

  private:
    struct Row {
        std::int64_t id = 0;
        Seq read_seq = 0;
        bool gone = false;
        bool unseen = false;
    };
    std::optional<Row> find(const std::string& guid);
    bool outdated(Seq read_seq) const { return reading_.began_seq <= std::max(read_seq, full_seq_); }
    void unlist(std::int64_t object);
    void touch(AddressId id, std::int64_t listed_before, std::int64_t listed_here_before);
    void count_and_touch(AddressId id);
    void note_listed(AddressId id, std::optional<std::int64_t> object);
    void settle_touched(std::int64_t arrived);

    Writer& writer_;
    const Reading& reading_;
    std::int64_t directory_;
    Seq full_seq_;  // of the last full reading that was applied
    AddressBook book_;
    SQLite::Statement find_, insert_, update_, end_, unseen_, listed_, clear_, list_, count_, changed_;
    struct Touched {
        AddressId id;
        std::int64_t order, listed, listed_here;
    };
    std::optional<Arrivals> arrivals_;  // in the first full reading of a directory
    std::vector<Touched> touched_;      // an address may stand here more than once; the first counts
    bool unlisted_ = false;  // something ended; else what is new is listed, and need not be counted
    Applied applied_;
};

// A reading that was not applied is remembered too: the report says so.
void note_failed(Writer& writer, const Reading& reading);
// A sweep or full reading has looked for what is gone.
void note_swept(Writer& writer, const std::string& directory, Time at);

// Releases the removals that wait for an operator, or those of one hold; the listings of objects that are not
// seen any more end with it. Returns the addresses.
std::vector<std::string> approve_holds(Writer& writer, std::optional<std::int64_t> number, Time now);

// Whether something stands against a conclusion from what the directories do not list: an object of this
// domain that is not seen any more, or a last full reading that failed.
bool directories_doubtful(SQLite::Database& db, const std::string& domain);

// A live lookup found `control` and not this address. True if it confirms another one, at least `interval`
// before.
bool record_absence(Writer& writer, AddressId id, const std::string& server, const std::string& control,
                    Seq began, Time at, Milliseconds interval);

// Objects that are gone, and that no reading of the last days can bring any more.
void prune_objects(Writer& writer);

}  // namespace postcensus::store
