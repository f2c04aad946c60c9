// SPDX-License-Identifier: MIT
#include "store/readings.h"

#include <algorithm>

#include "store/absences.h"
#include "store/history.h"

namespace postcensus::store {
namespace {

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
    count(writer, reading.good ? "readings-applied" : "readings-failed", reading.ended, 1, reading.directory);
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
            "SELECT id, read_seq, gone, unseen_seq IS NOT NULL, EXISTS (SELECT 1 FROM listing WHERE "
            "object_id = "
            "object.id), doubts FROM object WHERE directory_id = ? AND guid = ?"),
      insert_(
          writer.db,
          "INSERT INTO object (directory_id, guid, dn, digest, read_seq, plain) VALUES (?, ?, ?, ?, ?, ?)"),
      update_(writer.db,
              "UPDATE object SET dn = ?, digest = ?, read_seq = ?, gone = ?, plain = ?, unseen_seq = NULL, "
              "doubts = NULL WHERE id = ?"),
      end_(
          writer.db,
          "UPDATE object SET digest = 0, read_seq = ?, gone = 1, unseen_seq = NULL, doubts = NULL WHERE id = "
          "?"),
      unseen_(writer.db, "UPDATE object SET gone = 0, unseen_seq = ?, doubts = ? WHERE id = ?"),
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
    Row row{find_.getColumn(0).getInt64(), find_.getColumn(1).getInt64(), find_.getColumn(2).getInt() != 0,
            find_.getColumn(3).getInt() != 0, find_.getColumn(4).getInt() != 0};
    if (const auto doubts = find_.getColumn(5); !doubts.isNull()) row.doubts = doubts.getString();
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
        update_.bind(5, listing.plain ? 1 : 0);
        update_.bind(6, row->id);
        update_.exec();
    } else {
        row = Row{insert(listing)};
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
    // What it shows counts; it has more.
    if (!listing.doubts) return;
    doubted_ = true;
    ++applied_.hidden;
    set_unseen(row->id, writer_.seq, listing.doubts);
}

std::int64_t ReadingWriter::insert(const census::Listing& listing) {
    insert_.reset();
    insert_.bind(1, directory_);
    bind_blob(insert_, 2, listing.guid);
    insert_.bind(3, listing.dn);
    insert_.bind(4, listing.addresses.empty() ? 0 : static_cast<std::int64_t>(listing.digest()));
    insert_.bind(5, reading_.began_seq);
    insert_.bind(6, listing.plain ? 1 : 0);
    insert_.exec();
    return writer_.db.getLastInsertRowid();
}

// What it listed stays. One that has listed nothing so far is kept for the doubt alone.
void ReadingWriter::hide(const census::Listing& listing) {
    auto row = find(listing.guid);
    if (outdated(row ? row->read_seq : 0)) return;
    if (!row) {
        if (!listing.doubts) return;
        row = Row{insert({.guid = listing.guid, .dn = listing.dn})};
    }
    const bool unseen = row->lists || listing.doubts == "";
    if (row->unseen == unseen && row->doubts == listing.doubts && !row->gone) return;
    if (unseen && !row->unseen) ++applied_.hidden;
    doubted_ = true;
    set_unseen(row->id, unseen ? std::optional(writer_.seq) : std::nullopt, listing.doubts);
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
    if (!row || row->gone || outdated(row->read_seq)) return;
    // There is nothing that could be lost, and nothing to be asked about. But a mailbox of Exchange that hid
    // its addresses may be there, in a part that we cannot see any more.
    if (!row->lists && row->doubts != std::string{}) return end(guid);
    if (!row->lists) return;
    // One that hid its addresses, and is not found at all now, may have left.
    if (row->unseen && !row->doubts) return;
    ++applied_.unseen;
    doubted_ = true;
    set_unseen(row->id, writer_.seq, {});
}

void ReadingWriter::mark_seen(const std::string& guid) {
    const auto row = find(guid);
    if (!row || row->gone || (!row->unseen && !row->doubts)) return;
    set_unseen(row->id, {}, {});
}

void ReadingWriter::set_unseen(std::int64_t object, std::optional<Seq> since,
                               const std::optional<std::string>& doubts) {
    unseen_.reset();
    if (since)
        unseen_.bind(1, *since);
    else
        unseen_.bind(1);
    if (doubts)
        unseen_.bind(2, *doubts);
    else
        unseen_.bind(2);
    unseen_.bind(3, object);
    unseen_.exec();
    listed_.reset();
    listed_.bind(1, object);
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
    if (doubted_) reconsider_absences(writer_);
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

}  // namespace postcensus::store
