// SPDX-License-Identifier: MIT
// postcensus watch: the service.
#include "tasks/watch.h"

#include <spdlog/spdlog.h>

#include <thread>

#include "base/log.h"
#include "base/notify.h"
#include "cmd/command.h"
#include "store/health.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;
using namespace std::chrono_literals;

constexpr auto kReloadPatience = 30s;

void add_options(po::options_description& options) {
    options.add_options()("once", "handle all that is there and due, then end");
}

bool outgrown(const config::Configuration& configuration) {
    const auto version = store::schema_version(configuration.state.path);
    return version && version->found > version->newest;
}

// At a reload the decider's lock is free for a moment, and a command that decides by itself may have it: that
// does not take long.
Result<tasks::WatchEnd> watch_again(const config::Configuration& configuration) {
    const auto end = std::chrono::steady_clock::now() + kReloadPatience;
    for (;;) {
        auto ended = tasks::watch(configuration, false);
        const bool busy = !ended && ended.error().code == ExitCode::try_again;
        if (!busy || outgrown(configuration) || std::chrono::steady_clock::now() >= end) return ended;
        notify_alive();
        std::this_thread::sleep_for(100ms);
    }
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    auto configuration = load_configuration(globals);
    if (!configuration) return fail(configuration.error());
    auto ended = tasks::watch(*configuration, arguments.contains("once"));
    // The new configuration takes effect whole, or not at all.
    while (ended && *ended != tasks::WatchEnd::stopped) {
        if (*ended == tasks::WatchEnd::anew) {
            ended = watch_again(*configuration);
            continue;
        }
        auto next = config::load(globals.config);
        if (next) {
            ended = watch_again(*next);
            if (ended) {
                configuration = std::move(next);
                continue;
            }
            if (outgrown(*next)) break;  // no fault of the configuration's
        }
        spdlog::error("the new configuration is not used, the old one stays: {}",
                      (next ? ended.error() : next.error()).message);
        ended = watch_again(*configuration);
    }
    if (!ended) return fail(ended.error());
    return ExitCode::done;
}

}  // namespace

const Command kWatch{"watch",     "[--once]", "follow the log, ask, decide and publish", "info", run,
                     add_options, nullptr};

}  // namespace postcensus::cmd
