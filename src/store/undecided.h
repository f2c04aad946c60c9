// SPDX-License-Identifier: MIT
// The list of the undecided: addresses whose evidence changed and whose answer has not been decided since.
// Whoever writes evidence puts its addresses there in the same transaction (AddressBook::mark_undecided); the
// decider empties it (flow/decide/decision.h). Every function here runs inside Database::read() or write()
// and may throw SQLite::Exception.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "census/gate.h"
#include "store/addresses.h"
#include "store/database.h"

namespace postcensus::store {

// The first of the list, misses before all others. Without the removals that wait for the gate.
std::vector<AddressId> next_undecided(SQLite::Database& db, std::size_t most);

// A removal stays undecided until all others are decided, so that the gate counts them together. New evidence
// about it puts it in front again.
class GateQueue {
  public:
    explicit GateQueue(Writer& writer);
    void add(AddressId id);

  private:
    SQLite::Statement add_;
};
std::vector<AddressId> next_at_gate(SQLite::Database& db, std::size_t most);

// What the removals at the gate would cost their domains. Those that are held already count as being lost;
// those that an operator approved count nowhere.
std::vector<census::DomainLosses> count_losses(SQLite::Database& db, Time now);

// A domain whose policy changed is undecided as a whole: its addresses are not listed one by one, for there
// may be a million. A killed decider begins it anew.
struct ChangedDomain {
    std::string domain;
    Seq seq = 0;
};
void mark_domain(Writer& writer, const std::string& domain);
std::vector<ChangedDomain> changed_domains(SQLite::Database& db);
// Up to `most` of its addresses behind the local part `after`, which moves on.
std::vector<AddressId> next_of_domain(SQLite::Database& db, const std::string& domain, std::string& after,
                                      std::size_t most);
// All their addresses are decided. One that changed again meanwhile stays.
void end_changes(Writer& writer, const std::vector<ChangedDomain>& domains);

// Addresses whose answer changes by itself by `now`, and those whose answer ends later than any made now
// could: the clock was set back. `latest`: the latest end there can be.
bool any_expired(SQLite::Database& db, Time now, Time latest);
// They become undecided. Returns how many.
int mark_expired(Writer& writer, Time now, Time latest);
// Those that are accepted although no reading finds them any more, or because a table of a lost state had
// them. Now and then: a question about one of them may have been lost, with its queue or its server.
void mark_doubtful(Writer& writer);
std::optional<Time> next_expiry(SQLite::Database& db);

}  // namespace postcensus::store
