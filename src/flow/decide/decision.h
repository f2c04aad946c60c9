// SPDX-License-Identifier: MIT
// Turns evidence into answers: empties the list of the undecided, misses first. Only the decider runs this
// (flow/publish/decider.h).
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "census/decide.h"
#include "config/configuration.h"
#include "store/addresses.h"
#include "store/arrivals.h"
#include "store/database.h"
#include "store/undecided.h"

namespace postcensus::flow {

struct Decided {
    std::size_t looked_at = 0;
    std::size_t changed = 0;  // answers that are another now
    std::size_t held = 0;     // removals that the gate stopped
    std::size_t doubted = 0;  // recipients that are accepted, or were, about whom a question was asked
};

// One pass over the list of the undecided, in pieces of 500 a transaction, so that others have their turn
// between two. Misses come first. Removals wait until all else is decided, so that the gate counts them
// together; evidence that comes meanwhile is decided on as well, or by the next pass.
class Decision {
  public:
    Decision(store::Database& state, const config::Configuration& configuration)
        : state_(state), configuration_(configuration) {}

    // A piece. True: all is done. After a Failure (the state is busy) nothing is lost: go on later.
    Result<bool> step(Time now);

    const Decided& decided() const { return decided_; }

  private:
    // One number for all that one pass holds; taken when it is needed.
    std::int64_t hold_number(store::Writer& writer);
    struct Piece {
        std::vector<store::AddressId> ids;
        std::size_t domain = 0;  // how far the changed domains are looked through, once these are decided
        std::string after;
        bool last = false;  // nothing is left but what waits at the gate
    };
    // What is at hand while a transaction runs.
    struct Look {
        store::Writer* writer = nullptr;
        store::AnswerWriter* answers = nullptr;
        store::GateQueue* gate = nullptr;
        Decided sum;
    };
    // True: it has dealt with this one; else it gets the verdict for its answer.
    using Settle =
        std::function<bool(Look& look, const store::Pending& pending, const census::Verdict& verdict)>;
    Result<void> look_at(const std::vector<store::AddressId>& ids, Time now, const Settle& settle);
    Result<Piece> next_piece();
    Result<void> decide_piece(const Piece& piece, Time now);
    Result<bool> ask_gate(Time now);
    Result<bool> settle_removals(Time now);
    void queue_follow_up(store::Writer& writer, store::AnswerWriter& answers, const store::Pending& pending,
                         const census::Verdict& verdict, Time now, Decided& sum);

    store::Database& state_;
    const config::Configuration& configuration_;
    std::optional<std::vector<store::ChangedDomain>> domains_;  // once they are known
    std::size_t domain_ = 0;                                    // the one at hand
    std::string after_;                                         // its last local part that was decided
    bool at_gate_ = false;
    bool stopped_ = false;  // by the gate
    std::optional<std::int64_t> hold_number_;
    Decided decided_;
};

// A whole pass, for who has the thread to himself.
Result<Decided> decide_all(store::Database& state, const config::Configuration& configuration, Time now);

// What an address is answered of which nothing is known but that a directory lists it, whoever decides:
// nothing if the decider has another policy for this domain than this configuration. It must outlive the
// answer.
store::ListedAnswer answer_listed(const config::Configuration& configuration, Time now);

}  // namespace postcensus::flow
