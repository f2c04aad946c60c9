// SPDX-License-Identifier: MIT
// The service: follows the log, asks, decides, publishes. The order of the flow is the order of the
// coroutines in watch.cpp.
//
// One thread owns the state and runs the io_context; tables are built in workers with read-only connections
// of their own.
#pragma once

#include "config/configuration.h"
#include "flow/publish/tenure.h"
#include "store/database.h"

namespace postcensus::watch {

enum class WatchEnd {
    stopped,  // SIGTERM or SIGINT, or all was done (`once`)
    reload,   // SIGHUP: the caller loads the configuration anew and calls again
    anew,     // Postfix relays other domains now, or logs elsewhere: the caller calls again
};

// Becomes the decider or fails with ExitCode::try_again. With `once`: handles all that is there and due, then
// ends. The signals are held (base/signals.h). `tenure` goes on to the next call: over a reload no lock is
// let go of.
Result<WatchEnd> watch(config::Configuration configuration, bool once, flow::Tenure& tenure);

}  // namespace postcensus::watch
