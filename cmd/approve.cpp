// SPDX-License-Identifier: MIT
// postcensus approve: releases the removals that the gate holds, after a fresh reading.
#include <fmt/format.h>

#include <iostream>

#include "cmd/command.h"
#include "store/addresses.h"
#include "tasks/decider.h"
#include "tasks/read_directory.h"

namespace postcensus::cmd {
namespace {

using namespace std::chrono_literals;

Result<ExitCode> run(const Globals& globals, const Arguments&) {
    auto configuration = load_configuration(globals);
    if (!configuration) return fail(configuration.error());
    auto state = store::Database::open(configuration->state.path, store::Database::Mode::existing, 10s);
    if (!state) return fail(state.error());
    // Only what is still absent in a fresh reading is released: what has come back leaves the hold by itself.
    for (const directory::Settings& settings : configuration->directories) {
        auto read = tasks::read_directory(*configuration, *state, settings, false,
                                          [](const directory::ReadSummary&) {});
        if (!read) return fail(read.error());
    }
    if (auto settled = tasks::settle_or_wait(*configuration, *state, 10s); !settled)
        return fail(settled.error());
    auto approved = state->write([](store::Writer& writer) { return store::approve_holds(writer); });
    if (!approved) return fail(approved.error());
    for (const std::string& address : *approved) std::cout << "- " << address << "\n";
    auto settled = tasks::settle_or_wait(*configuration, *state, 10s);
    if (!settled) return fail(settled.error());
    std::cerr << fmt::format("{} removals released\n", approved->size());
    if (!*settled)
        return fail(
            ExitCode::try_again,
            "the running `watch` has not published this within 10 s; it goes on with it (see its log)");
    return ExitCode::done;
}

}  // namespace

const Command kApprove{"approve", "",  "release the removals that the gate holds, and print them",
                       "warning", run, nullptr,
                       nullptr};

}  // namespace postcensus::cmd
