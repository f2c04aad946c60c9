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

namespace postcensus::flow {

struct Published {
    std::string table;
    store::Publication publication;
    bool repaired = false;        // somebody else had changed it: failsafe, or a hand
    std::optional<Time> emptied;  // by failsafe, as far as the table shows
    std::string withdrawn;        // why it was not published, but emptied by the decider itself
};

// A table that the decider has just emptied itself; `before`: what was noted of it. The next publication
// writes it again, whatever is in it.
Published as_withdrawn(const postfix::TableFolder& tables, const std::string& table,
                       const std::map<std::string, store::Publication>& before, Time now, std::string why);

// Why the base has to be built now: an empty text means that it has not.
struct BaseDue {
    std::string why;
    // It holds an address that is not accepted any more, or is not what was put out.
    bool urgent = false;
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

    // Before the first good reading of a configured directory there is nothing to publish at all, unless
    // tables are out already.
    Result<BaseDue> base_due(store::Database& reader, Time now) const;
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
    void withdraw(const std::string& table, const Publications& before, Time now, const Failure& failure,
                  std::vector<Published>& published) const;
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
void note_published(store::Writer& writer, const std::vector<Published>& published);

}  // namespace postcensus::flow
