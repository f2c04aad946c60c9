// SPDX-License-Identifier: MIT
// postcensus watch: the service.
#include "tasks/watch.h"

#include <spdlog/spdlog.h>

#include <thread>

#include "base/log.h"
#include "base/notify.h"
#include "cmd/command.h"
#include "store/health.h"
#include "tasks/decider.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;
using namespace std::chrono_literals;

constexpr auto kPatience = 30s;

void add_options(po::options_description& options) {
    options.add_options()("once", "handle all that is there and due, then end");
}

bool outgrown(const config::Configuration& configuration) {
    const auto version = store::schema_version(configuration.state.path);
    return version && version->found > version->newest;
}

// Where no `watch` runs, at its start and for a moment at a reload, a command that decides by itself may have
// the decider's lock: that does not take long.
Result<tasks::WatchEnd> watch(const config::Configuration& configuration, bool once) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
        auto ended = tasks::watch(configuration, once);
        const bool busy = !ended && ended.error().code == ExitCode::try_again;
        if (!busy || outgrown(configuration) || std::chrono::steady_clock::now() >= end ||
            tasks::last_decider_is_watch(configuration))
            return ended;
        notify_alive();
        std::this_thread::sleep_for(100ms);
    }
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    auto configuration = load_configuration(globals);
    if (!configuration) return fail(configuration.error());
    auto ended = watch(*configuration, arguments.contains("once"));
    // The new configuration takes effect whole, or not at all.
    while (ended && *ended != tasks::WatchEnd::stopped) {
        if (*ended == tasks::WatchEnd::anew) {
            ended = watch(*configuration, false);
            continue;
        }
        auto next = config::load(globals.config);
        if (next) {
            ended = watch(*next, false);
            if (ended) {
                configuration = std::move(next);
                continue;
            }
            if (outgrown(*next)) break;  // no fault of the configuration's
        }
        spdlog::error("the new configuration is not used, the old one stays: {}",
                      (next ? ended.error() : next.error()).message);
        ended = watch(*configuration, false);
    }
    if (!ended) return fail(ended.error());
    return ExitCode::done;
}

}  // namespace

const Command kWatch{"watch",     "[--once]", "follow the log, ask, decide and publish", "info", run,
                     add_options, nullptr};

}  // namespace postcensus::cmd
