// SPDX-License-Identifier: MIT
// The one decider. Whoever holds the lock `decider` in the state's folder turns evidence into answers and
// publishes: `watch` for life, any other command only where no `watch` runs. So no two configurations or
// publishers ever compete.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "config/configuration.h"
#include "flow/publish/publisher.h"
#include "flow/publish/tenure.h"
#include "store/database.h"

namespace postcensus::flow {

class Decider {
  public:
    // Nothing if another process is the decider. Otherwise the state's domains are made what the
    // configuration says, and tables that this state does not know of (it was lost or restored) are adopted,
    // before anything is decided.
    // The locks are `tenure`'s, and outlive it.
    static Result<std::unique_ptr<Decider>> try_become(Tenure& tenure,
                                                       const config::Configuration& configuration,
                                                       store::Database& state, Time now);

    Publisher& publisher() { return publisher_; }

    // Makes the folder of the tables again where somebody removed it; what was in it is published anew, for
    // it is not what the state knows to be out. In the thread that publishes the overlays.
    Result<void> mend_folder();

    // Decides and publishes until nothing is left to do, the base included. For commands that run without a
    // `watch`.
    Result<void> settle(store::Database& state, Time now);

  private:
    Decider(Tenure& tenure, const config::Configuration& configuration, Publisher publisher);
    struct Foreign;
    using Publications = std::map<std::string, store::Publication>;
    Result<Foreign> take_over(const std::string& state_id, const Publications& known, Time now);
    Result<void> recover(store::Database& state, Time now);
    Result<void> publish(store::Database& state, Time now);

    Tenure& tenure_;
    const config::Configuration& configuration_;
    Publisher publisher_;
};

// Where the decider cannot start for want of disk space: ends the leases that are over, as failsafe would.
void end_leases(Tenure& tenure, const config::Configuration& configuration, Time now);

// Where nobody decides yet: makes the state's domains what the configuration says.
Result<void> note_domains(const config::Configuration& configuration, store::Database& state);

// Whether a process is a `watch`, and not a command that decides by itself for a moment. Whose command line
// is hidden (hidepid of /proc) counts as one.
bool is_watch(int pid);
// Whether one decides here. Where that cannot be seen, one does.
bool watch_runs(const config::Configuration& configuration);
// Whether the last process that became the decider is another `watch`, and still there to be seen. By the
// lock's own words: a service may not see the locks of the system.
bool last_decider_is_watch(const config::Configuration& configuration);

std::filesystem::path lock_path(const config::Configuration& configuration);
// In the folder of the tables: nobody else publishes into it.
std::filesystem::path tables_lock_path(const config::Configuration& configuration);
std::filesystem::path wake_path(const config::Configuration& configuration);

// After a command wrote evidence: becomes the decider and settles it, or wakes the one there is and waits for
// it. True: all up to now is decided and published. False: the decider did not get there in time.
Result<bool> settle_or_wait(const config::Configuration& configuration, store::Database& state,
                            std::chrono::milliseconds patience);

}  // namespace postcensus::flow
