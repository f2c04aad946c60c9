// SPDX-License-Identifier: MIT
// From answers to tables. Reads a snapshot, builds what differs from what is out, and says what it published;
// the decider notes that in the state. Blocks, so `watch` runs it in workers: one for the overlays, one for
// the base, each with a read-only connection of its own.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "postfix/table.h"
#include "store/database.h"
#include "store/publications.h"

namespace postcensus::tasks {

struct Published {
    std::string table;
    store::Publication publication;
    bool repaired = false;        // somebody else had changed it: failsafe, or a hand
    std::optional<Time> emptied;  // by failsafe, as far as the table shows
};

class Publisher {
  public:
    // `delimiters`: Postfix's recipient_delimiter; B+x is looked up as B too.
    Publisher(const config::Configuration& configuration, postfix::TableFolder tables, std::string state_id,
              std::string delimiters);

    // The overlays, in the order that is safe in the direction that matters: unknown, learned, closed. What
    // is unchanged is not written. What was put out before a Failure is in `published` all the same. Not by
    // two threads at once.
    Result<void> publish_overlays(store::Database& reader, Time now, std::vector<Published>& published);

    // The base. Whether it is due: base_due().
    Result<std::optional<Published>> publish_base(store::Database& reader, Time now) const;

    // Why the base has to be built now, or an empty text. Before the first good reading of a configured
    // directory there is nothing to publish at all, unless tables are out already.
    Result<std::string> base_due(store::Database& reader, Time now) const;
    Result<bool> ready(store::Database& reader) const;

    const postfix::TableFolder& tables() const { return tables_; }

  private:
    struct Draft;
    using Publications = std::map<std::string, store::Publication>;
    Draft draft_unknown(SQLite::Database& db, Time now) const;
    Draft draft_learned(SQLite::Database& db, store::Seq base_seq) const;
    Draft draft_closed(SQLite::Database& db, Time now) const;
    bool closed_is_current(SQLite::Database& db, const Publications& before, Time now) const;
    void add_extensions(SQLite::Database& db, Draft& draft, const mail::Address& address) const;
    Result<std::optional<Published>> put_out(Draft draft, const Publications& before, Time now) const;

    const config::Configuration& configuration_;
    postfix::TableFolder tables_;
    std::string state_id_;
    std::string delimiters_;

    // `closed` may be large and changes seldom: it is not drafted again unless something has changed.
    struct Drafted {
        store::Seq seq = 0;
        Time at;
        bool complete = true;  // no closed recipient was left out, unconfirmed for a day
    };
    std::optional<Drafted> closed_;
    // The clock was set back: what was confirmed up to then says nothing any more, wherever the clock goes.
    std::optional<Time> stale_;
};

// Notes what is out. One transaction.
Result<void> note_published(store::Database& state, const std::vector<Published>& published);

}  // namespace postcensus::tasks
