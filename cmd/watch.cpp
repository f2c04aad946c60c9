// SPDX-License-Identifier: MIT
// postcensus watch: the service.
#include "tasks/watch.h"

#include <spdlog/spdlog.h>

#include <thread>

#include "base/log.h"
#include "cmd/command.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;
using namespace std::chrono_literals;

void add_options(po::options_description& options) {
    options.add_options()("once", "handle all that is there and due, then end");
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    auto configuration = load_configuration(globals);
    if (!configuration) return fail(configuration.error());
    for (;;) {
        auto ended = tasks::watch(*configuration, arguments.contains("once"));
        if (!ended) return fail(ended.error());
        if (*ended == tasks::WatchEnd::stopped) return ExitCode::done;
        // The new configuration takes effect whole, or not at all.
        auto next = config::load(globals.config);
        if (next)
            configuration = std::move(next);
        else
            spdlog::error("the new configuration is not used, the old one stays: {}", next.error().message);
    }
}

}  // namespace

const Command kWatch{"watch",     "[--once]", "follow the log, ask, decide and publish", "info", run,
                     add_options, nullptr};

}  // namespace postcensus::cmd
