// SPDX-License-Identifier: MIT
// What readings of the directories found, applied to the state.
// Every function here runs inside Database::read() or write() and may throw SQLite::Exception.
//
// Readings overlap: a poll, a full reading and a lookup may run at once, in different processes. Each takes
// a seq before its first search (begin_reading), and an object has the values of the reading that began last.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "census/listing.h"
#include "store/addresses.h"
#include "store/arrivals.h"
#include "store/database.h"
#include "store/directories.h"

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
    std::int64_t hidden = 0;   // objects that hide their addresses, newly
    std::int64_t listed = 0;   // addresses listed by this directory now
};

// The seq of a reading: no other has it, so their order is certain.
inline Seq begin_reading(const Writer& writer) {
    return writer.seq;
}

// Applies what one whole, good reading found, inside the caller's transaction; addresses whose listings
// changed become undecided.
class ReadingWriter {
  public:
    // `answer`: for what the first reading of a directory brings.
    ReadingWriter(Writer& writer, const Reading& reading, ListedAnswer answer = {});

    void put(const census::Listing& listing);   // what an object lists now, if anything
    void end(const std::string& guid);          // the object is gone
    void hide(const census::Listing& listing);  // the object is there; what it lists is not shown
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
        bool lists = false;
        std::optional<std::string> doubts = {};
    };
    std::optional<Row> find(const std::string& guid);
    bool outdated(Seq read_seq) const { return reading_.began_seq <= std::max(read_seq, full_seq_); }
    void unlist(std::int64_t object);
    void touch(AddressId id, std::int64_t listed_before, std::int64_t listed_here_before);
    void count_and_touch(AddressId id);
    void note_listed(AddressId id, std::optional<std::int64_t> object);
    void set_unseen(std::int64_t object, std::optional<Seq> since, const std::optional<std::string>& doubts);
    std::int64_t insert(const census::Listing& listing);
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
    bool doubted_ = false;              // something stands against absences now
    bool unlisted_ = false;  // something ended; else what is new is listed, and need not be counted
    Applied applied_;
};

// A reading that was not applied is remembered too: the report says so.
void note_failed(Writer& writer, const Reading& reading);
}  // namespace postcensus::store
