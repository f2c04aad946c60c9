// SPDX-License-Identifier: MIT
// Addresses, the evidence about them, and their answers.
// Every function here runs inside Database::read() or write() and may throw SQLite::Exception.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "census/decide.h"
#include "store/database.h"

namespace postcensus::store {

using AddressId = std::int64_t;

// An address column; what stands there was valid when it was stored.
mail::Address stored_address(const SQLite::Column& column);

// Adds addresses that are new. Keeps its statements prepared, for long runs of addresses.
class AddressBook {
  public:
    explicit AddressBook(Writer& writer);
    AddressId ensure(const mail::Address& address);
    // The same for an address whose listings change now; whether it is new.
    std::pair<AddressId, bool> ensure_listed(const mail::Address& address, Seq seq);
    // Puts it on the list of the undecided. Misses go first.
    enum class Rank { miss = 0, other = 1 };
    void mark_undecided(AddressId id, Rank rank);

  private:
    std::optional<AddressId> find(const mail::Address& address);
    AddressId insert(const mail::Address& address, Seq listed_seq);

    SQLite::Database& db_;
    SQLite::Statement find_;
    SQLite::Statement insert_;
    SQLite::Statement listed_;
    SQLite::Statement undecided_;
};

std::optional<AddressId> find_address(SQLite::Database& db, const mail::Address& address);

// Why a removal waits for an operator.
enum class HoldCause {
    gate,    // too many at once
    unseen,  // nothing says that its objects are gone, and nobody can be asked
};

// What the state knows of one address. `relayed` and `operator_accepts` are the decider's to fill in.
struct Pending {
    AddressId id = 0;
    mail::Address address;
    census::Evidence evidence;
    std::optional<HoldCause> hold;                        // its removal waits for an operator
    bool approved = false;                                // who has approved it
    bool configured = false;                              // named by a route's accept
    census::Reason reason = census::Reason::no_evidence;  // of the last answer
    std::optional<Time> until;
    std::optional<Time> waits_since, waits_last;  // a sender waits for it: since then, and seen last
};

// Mail servers that come back do so sooner: after that, another mail waits.
constexpr std::chrono::hours kSenderGivesUp{24};

// Loads evidence, with its statements kept prepared.
class EvidenceReader {
  public:
    explicit EvidenceReader(SQLite::Database& db);
    std::optional<Pending> load(AddressId id);

  private:
    SQLite::Statement address_;
    SQLite::Statement listings_;
    SQLite::Statement callouts_;
};

// How many addresses of a domain have which answer, and why: whoever writes an answer keeps it right.
class CensusCount {
  public:
    explicit CensusCount(Writer& writer);
    void add(std::string_view domain, census::Answer answer, census::Reason reason, std::int64_t change);

  private:
    SQLite::Statement add_;
};

// Writes answers: the address row, its event, its hold. Takes it off the list of the undecided.
class AnswerWriter {
  public:
    explicit AnswerWriter(Writer& writer, Time now);
    void settle(const Pending& pending, const census::Verdict& verdict, const std::string& cause);
    // The answer stays; the removal waits for an operator.
    void hold(const Pending& pending, std::int64_t number);
    // The same for one that is settled as it is: its objects are not seen any more.
    void hold_unseen(const Pending& pending, std::int64_t number);
    // The address itself has gone.
    void drop_undecided(AddressId id);

  private:
    void write_hold(AddressId id, std::int64_t number, HoldCause cause);
    void note_reading(const Pending& held);
    void write_event(const Pending& pending, const census::Verdict& verdict, const std::string& cause);

    Writer& writer_;
    Time now_;
    SQLite::Statement update_;
    SQLite::Statement event_;
    CensusCount census_;
    SQLite::Statement decided_;
    SQLite::Statement unhold_;
    SQLite::Statement hold_;
    SQLite::Statement reading_;
    bool closed_noted_ = false;
};

// An address is closed now, or is no more: the table of the closed has to be looked at.
void note_closed_change(Writer& writer);
// The seq of the last such change.
Seq last_closed_change(SQLite::Database& db);

// Up to `most` addresses of a domain of which a callout or a lookup has said something, behind the local part
// `after`, which moves on.
std::vector<AddressId> asked_addresses(SQLite::Database& db, const std::string& domain, std::string& after,
                                       std::size_t most);
// Drops what callouts said of an address, so that it is asked anew; its history says who wanted that.
void forget(Writer& writer, AddressId id, const std::string& user, Time now);

// Work that other processes left and the decider has seen: `settled` is the seq up to which all is decided
// and published.
Seq settled_seq(SQLite::Database& db);
void set_settled(Writer& writer, Seq seq);

}  // namespace postcensus::store
