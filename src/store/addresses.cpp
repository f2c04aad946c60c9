// SPDX-License-Identifier: MIT
#include "store/addresses.h"

#include <stdexcept>

#include "store/history.h"

namespace postcensus::store {
namespace {

std::optional<Seq> optional_seq(const SQLite::Column& column) {
    if (column.isNull()) return std::nullopt;
    return column.getInt64();
}

void bind_address(SQLite::Statement& statement, const mail::Address& address) {
    statement.bind(1, std::string(address.local()));
    statement.bind(2, std::string(address.domain()));
}

}  // namespace

mail::Address stored_address(const SQLite::Column& column) {
    auto address = mail::Address::from_stored(column.getString());
    if (!address) throw std::logic_error("the state holds an address that is none: " + column.getString());
    return *std::move(address);
}

AddressBook::AddressBook(Writer& writer)
    : db_(writer.db),
      find_(writer.db, "SELECT id FROM address WHERE local = ? AND domain = ?"),
      insert_(writer.db, "INSERT INTO address (local, domain, listed_seq) VALUES (?, ?, ?)"),
      listed_(writer.db, "UPDATE address SET listed_seq = ? WHERE id = ?"),
      undecided_(writer.db,
                 "INSERT INTO undecided (address_id, rank) VALUES (?, ?) "
                 "ON CONFLICT (address_id) DO UPDATE SET rank = min(rank, excluded.rank)") {}

AddressId AddressBook::ensure(const mail::Address& address) {
    if (const auto id = find(address)) return *id;
    return insert(address, 0);
}

std::pair<AddressId, bool> AddressBook::ensure_listed(const mail::Address& address, Seq seq) {
    const auto id = find(address);
    if (!id) return {insert(address, seq), true};
    listed_.reset();
    listed_.bind(1, seq);
    listed_.bind(2, *id);
    listed_.exec();
    return {*id, false};
}

std::optional<AddressId> AddressBook::find(const mail::Address& address) {
    find_.reset();
    bind_address(find_, address);
    std::optional<AddressId> id;
    if (find_.executeStep()) id = find_.getColumn(0).getInt64();
    find_.reset();
    return id;
}

AddressId AddressBook::insert(const mail::Address& address, Seq listed_seq) {
    insert_.reset();
    bind_address(insert_, address);
    insert_.bind(3, listed_seq);
    insert_.exec();
    insert_.reset();
    return db_.getLastInsertRowid();
}

void AddressBook::mark_undecided(AddressId id, Rank rank) {
    undecided_.reset();
    undecided_.bind(1, id);
    undecided_.bind(2, static_cast<int>(rank));
    undecided_.exec();
}

std::optional<AddressId> find_address(SQLite::Database& db, const mail::Address& address) {
    SQLite::Statement find(db, "SELECT id FROM address WHERE local = ? AND domain = ?");
    bind_address(find, address);
    if (!find.executeStep()) return std::nullopt;
    return find.getColumn(0).getInt64();
}

EvidenceReader::EvidenceReader(SQLite::Database& db)
    : address_(
          db,
          "SELECT address.address, answer, reason, until, listed_seq, left_seq, missed_seq, missed_at, "
          "adopted_seq, "
          "configured, "
          "waits_since, waits_last, coalesce(domain.accept_all, 0) AS accept_all, hold.cause AS hold_cause, "
          "coalesce(hold.approved, 0) AS approved, first_at, first_seq, last_at "
          "FROM address LEFT JOIN domain USING (domain) LEFT JOIN hold ON hold.address_id = address.id "
          "LEFT JOIN absence ON absence.address_id = address.id WHERE address.id = ?"),
      listings_(db,
                "SELECT count(*), coalesce(sum(closed), 0), count(unseen_seq), coalesce(max(unseen_seq), 0) "
                "FROM listing JOIN object ON object.id = object_id WHERE address_id = ?"),
      callouts_(db,
                "SELECT class, at, began_seq FROM callout WHERE address_id = ? AND class IN ('deliverable', "
                "'unknown', 'policy') "
                "ORDER BY began_seq, id") {}

std::optional<Pending> EvidenceReader::load(AddressId id) {
    address_.reset();
    address_.bind(1, id);
    if (!address_.executeStep()) return std::nullopt;
    Pending pending{.id = id, .address = stored_address(address_.getColumn("address")), .evidence = {}};
    pending.evidence.answered =
        census::parse_answer(address_.getColumn("answer").getString()).value_or(census::Answer::unsure);
    pending.reason =
        census::parse_reason(address_.getColumn("reason").getString()).value_or(census::Reason::no_evidence);
    if (const auto until = address_.getColumn("until"); !until.isNull())
        pending.until = from_unix_ms(until.getInt64());
    if (const auto since = address_.getColumn("waits_since"); !since.isNull())
        pending.waits_since = from_unix_ms(since.getInt64());
    if (const auto last = address_.getColumn("waits_last"); !last.isNull())
        pending.waits_last = from_unix_ms(last.getInt64());
    pending.evidence.listed_at = address_.getColumn("listed_seq").getInt64();
    const auto left = optional_seq(address_.getColumn("left_seq"));
    const auto missed = optional_seq(address_.getColumn("missed_seq"));
    // A miss from before it was last accepted says nothing of now.
    if (missed && !census::exists(pending.evidence.answered) && (!left || *missed > *left))
        pending.evidence.missed = missed;
    if (const auto at = address_.getColumn("missed_at"); !at.isNull())
        pending.evidence.missed_at = from_unix_ms(at.getInt64());
    pending.evidence.adopted = optional_seq(address_.getColumn("adopted_seq"));
    pending.configured = address_.getColumn("configured").getInt() != 0;
    pending.evidence.accept_all = address_.getColumn("accept_all").getInt() != 0;
    pending.evidence.postmaster = pending.address.local() == "postmaster";
    pending.approved = address_.getColumn("approved").getInt() != 0;
    if (const auto cause = address_.getColumn("hold_cause"); !cause.isNull())
        pending.hold = cause.getString() == "unseen" ? HoldCause::unseen : HoldCause::gate;
    pending.evidence.held = pending.hold == HoldCause::gate && !pending.approved;
    if (const auto first = address_.getColumn("first_at"); !first.isNull())
        pending.evidence.absence = census::AbsenceFact{from_unix_ms(first.getInt64()),
                                                       from_unix_ms(address_.getColumn("last_at").getInt64()),
                                                       address_.getColumn("first_seq").getInt64()};
    address_.reset();

    listings_.reset();
    listings_.bind(1, id);
    listings_.executeStep();
    pending.evidence.listings = listings_.getColumn(0).getInt();
    pending.evidence.closed_listings = listings_.getColumn(1).getInt();
    pending.evidence.unseen_listings = listings_.getColumn(2).getInt();
    pending.evidence.unseen_at = listings_.getColumn(3).getInt64();
    listings_.reset();

    callouts_.reset();
    callouts_.bind(1, id);
    while (callouts_.executeStep())
        pending.evidence.callouts.push_back(
            {census::parse_callout_class(callouts_.getColumn("class").getString())
                 .value_or(census::CalloutClass::deliverable),
             from_unix_ms(callouts_.getColumn("at").getInt64()),
             callouts_.getColumn("began_seq").getInt64()});
    callouts_.reset();
    return pending;
}

CensusCount::CensusCount(Writer& writer)
    : add_(writer.db,
           "INSERT INTO census (domain, answer, reason, addresses) VALUES (?, ?, ?, ?) ON CONFLICT (domain, "
           "answer, reason) DO UPDATE SET addresses = addresses + excluded.addresses") {}

void CensusCount::add(std::string_view domain, census::Answer answer, census::Reason reason,
                      std::int64_t change) {
    if (answer == census::Answer::unsure) return;
    add_.reset();
    add_.bind(1, std::string(domain));
    add_.bind(2, std::string(census::name_of(answer)));
    add_.bind(3, std::string(census::name_of(reason)));
    add_.bind(4, change);
    add_.exec();
}

AnswerWriter::AnswerWriter(Writer& writer, Time now)
    : writer_(writer),
      now_(now),
      update_(writer.db,
              "UPDATE address SET answer = :answer, reason = :reason, until = :until, "
              "accepted_seq = CASE WHEN :came THEN :seq ELSE accepted_seq END, "
              "left_seq = CASE WHEN :went THEN :seq ELSE left_seq END, "
              "missed_seq = CASE WHEN :over THEN NULL ELSE missed_seq END, "
              "waits_since = CASE WHEN :waits THEN waits_since END, "
              "waits_last = CASE WHEN :waits THEN waits_last END WHERE id = :id"),
      event_(
          writer.db,
          "INSERT INTO event (address_id, seq, at, from_answer, to_answer, reason, cause, approved, waited) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      census_(writer),
      decided_(writer.db, "DELETE FROM undecided WHERE address_id = ?"),
      unhold_(writer.db, "DELETE FROM hold WHERE address_id = ?"),
      hold_(writer.db,
            "INSERT INTO hold (address_id, domain, number, directory, object, cause, at) "
            "SELECT address.id, domain, :number, coalesce(directory.name, ''), coalesce(dn, ''), :cause, :at "
            "FROM address LEFT JOIN object ON object.id = coalesce((SELECT object_id FROM listing WHERE "
            "address_id = address.id ORDER BY object_id LIMIT 1), last_object) "
            "LEFT JOIN directory ON directory.id = directory_id WHERE address.id = :id "
            "ON CONFLICT (address_id) DO UPDATE SET number = excluded.number, cause = excluded.cause "
            "WHERE cause = 'unseen' AND excluded.cause = 'gate'"),
      reading_(writer.db,
               "UPDATE reading SET held = held + 1 WHERE began_seq = (SELECT read_seq FROM address JOIN "
               "object ON object.id = last_object WHERE address.id = :id) AND seq = (SELECT listed_seq FROM "
               "address WHERE id = :id AND NOT EXISTS (SELECT 1 FROM event WHERE address_id = :id AND "
               "event.seq > listed_seq))") {}

void AnswerWriter::drop_undecided(AddressId id) {
    decided_.reset();
    decided_.bind(1, id);
    decided_.exec();
}

void AnswerWriter::settle(const Pending& pending, const census::Verdict& verdict, const std::string& cause) {
    const bool was = census::exists(pending.evidence.answered);
    const bool is = census::exists(verdict.answer);
    if (verdict.answer != pending.evidence.answered || verdict.reason != pending.reason ||
        verdict.until != pending.until) {
        update_.reset();
        update_.bind(":answer", std::string(census::name_of(verdict.answer)));
        update_.bind(":reason", std::string(census::name_of(verdict.reason)));
        if (verdict.until)
            update_.bind(":until", to_unix_ms(*verdict.until));
        else
            update_.bind(":until");
        update_.bind(":came", is && !was ? 1 : 0);
        update_.bind(":went", was && !is ? 1 : 0);
        // A rejection whose time was over is no more, wherever the clock goes: it takes a new miss.
        update_.bind(":over", verdict.reason == census::Reason::lease_over ? 1 : 0);
        // Who is refused may be accepted soon; a rejection that is over has answered its senders.
        update_.bind(":waits", verdict.answer == census::Answer::reject ||
                                       (verdict.answer == census::Answer::unsure &&
                                        pending.evidence.answered == census::Answer::unsure)
                                   ? 1
                                   : 0);
        update_.bind(":seq", writer_.seq);
        update_.bind(":id", pending.id);
        update_.exec();
        if (verdict.answer != pending.evidence.answered || verdict.reason != pending.reason) {
            census_.add(pending.address.domain(), pending.evidence.answered, pending.reason, -1);
            census_.add(pending.address.domain(), verdict.answer, verdict.reason, 1);
        }
    }
    if (verdict.answer != pending.evidence.answered) {
        if (!closed_noted_ && (verdict.answer == census::Answer::closed ||
                               pending.evidence.answered == census::Answer::closed)) {
            note_closed_change(writer_);
            closed_noted_ = true;
        }
        write_event(pending, verdict, cause);
    }
    const bool waits_on = (pending.hold == HoldCause::gate && verdict.reason == census::Reason::held) ||
                          (pending.hold == HoldCause::unseen && census::exists(verdict.answer) &&
                           census::all_unseen(pending.evidence));
    if (pending.hold && (pending.approved || !waits_on)) {
        unhold_.reset();
        unhold_.bind(1, pending.id);
        unhold_.exec();
    }
    decided_.reset();
    decided_.bind(1, pending.id);
    decided_.exec();
}

void AnswerWriter::write_event(const Pending& pending, const census::Verdict& verdict,
                               const std::string& cause) {
    event_.reset();
    event_.bind(1, pending.id);
    event_.bind(2, writer_.seq);
    event_.bind(3, to_unix_ms(now_));
    event_.bind(4, std::string(census::name_of(pending.evidence.answered)));
    event_.bind(5, std::string(census::name_of(verdict.answer)));
    event_.bind(6, std::string(census::name_of(verdict.reason)));
    event_.bind(7, cause);
    event_.bind(8, pending.approved ? 1 : 0);
    const bool waited_for = pending.waits_last && *pending.waits_last >= now_ - kSenderGivesUp;
    if (pending.waits_since && waited_for && census::exists(verdict.answer)) {
        const Milliseconds waited = std::max<Milliseconds>(now_ - *pending.waits_since, Milliseconds(0));
        event_.bind(9, static_cast<std::int64_t>(waited.count()));
        count_learned(writer_, waited, now_);
    } else {
        event_.bind(9);
    }
    event_.exec();
}

void AnswerWriter::write_hold(AddressId id, std::int64_t number, HoldCause cause) {
    hold_.reset();
    hold_.bind(":id", id);
    hold_.bind(":number", number);
    hold_.bind(":cause", cause == HoldCause::gate ? "gate" : "unseen");
    hold_.bind(":at", to_unix_ms(now_));
    hold_.exec();
}

// Counts it for the reading that ended its listing, if nothing else has happened to it since: neither a
// callout, nor an operator's command.
void AnswerWriter::note_reading(const Pending& held) {
    const auto& callouts = held.evidence.callouts;
    if (held.evidence.listings > 0 || (!callouts.empty() && callouts.back().began >= held.evidence.listed_at))
        return;
    reading_.reset();
    reading_.bind(":id", held.id);
    reading_.exec();
}

void AnswerWriter::hold(const Pending& pending, std::int64_t number) {
    write_hold(pending.id, number, HoldCause::gate);
    note_reading(pending);
    Pending held = pending;
    held.hold = HoldCause::gate;
    held.evidence.held = true;
    settle(held, {pending.evidence.answered, census::Reason::held, {}}, {});
}

void AnswerWriter::hold_unseen(const Pending& pending, std::int64_t number) {
    write_hold(pending.id, number, HoldCause::unseen);
}

void note_closed_change(Writer& writer) {
    SQLite::Statement note(writer.db, "INSERT OR REPLACE INTO meta (key, value) VALUES ('closed', ?)");
    note.bind(1, std::to_string(writer.seq));
    note.exec();
}

Seq last_closed_change(SQLite::Database& db) {
    return db.execAndGet("SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'closed'), 0)")
        .getInt64();
}

std::vector<AddressId> asked_addresses(SQLite::Database& db, const std::string& domain, std::string& after,
                                       std::size_t most) {
    SQLite::Statement asked(
        db,
        "SELECT id, local FROM address WHERE domain = ? AND local > ? AND (adopted_seq IS NOT NULL OR EXISTS "
        "(SELECT 1 FROM callout WHERE address_id = address.id) OR EXISTS (SELECT 1 FROM absence WHERE "
        "address_id = address.id)) ORDER BY "
        "local LIMIT ?");
    asked.bind(1, domain);
    asked.bind(2, after);
    asked.bind(3, static_cast<std::int64_t>(most));
    std::vector<AddressId> ids;
    while (asked.executeStep()) {
        ids.push_back(asked.getColumn(0).getInt64());
        after = asked.getColumn(1).getString();
    }
    return ids;
}

void forget(Writer& writer, AddressId id, const std::string& user, Time now) {
    for (const char* sql :
         {"DELETE FROM callout WHERE address_id = ?", "DELETE FROM absence WHERE address_id = ?",
          "DELETE FROM question WHERE address_id = ?",
          "UPDATE address SET adopted_seq = NULL WHERE id = ?"}) {
        SQLite::Statement drop(writer.db, sql);
        drop.bind(1, id);
        drop.exec();
    }
    SQLite::Statement event(writer.db,
                            "INSERT INTO event (address_id, seq, at, from_answer, to_answer, reason, cause) "
                            "SELECT id, ?, ?, answer, answer, reason, ? FROM address WHERE id = ?");
    event.bind(1, writer.seq);
    event.bind(2, to_unix_ms(now));
    event.bind(3, "what callouts said of it was forgotten by " + user);
    event.bind(4, id);
    event.exec();
    AddressBook(writer).mark_undecided(id, AddressBook::Rank::other);
}

Seq settled_seq(SQLite::Database& db) {
    SQLite::Statement settled(db, "SELECT value FROM meta WHERE key = 'settled'");
    return settled.executeStep() ? settled.getColumn(0).getInt64() : 0;
}

void set_settled(Writer& writer, Seq seq) {
    SQLite::Statement note(writer.db,
                           "INSERT INTO meta (key, value) VALUES ('settled', ?) "
                           "ON CONFLICT (key) DO UPDATE SET value = excluded.value");
    note.bind(1, std::to_string(seq));
    note.exec();
}

}  // namespace postcensus::store
