// SPDX-License-Identifier: MIT
// postcensus approve: releases the removals that the gate holds, after a fresh reading.
#include <fmt/format.h>

#include <iostream>

#include "cmd/command.h"
#include "store/addresses.h"
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
    auto began = state->current_seq();
    if (!began) return fail(began.error());
    for (const directory::Settings& settings : configuration->directories) {
        auto read = tasks::read_directory(*state, settings, false, [](const directory::ReadSummary&) {});
        if (!read) return fail(read.error());
    }
    if (auto finished = tasks::finish_reading(*configuration, *state, *began); !finished)
        return fail(finished.error());
    if (auto settled = settle(*configuration, *state); !settled) return fail(settled.error());
    auto approved = state->write([](store::Writer& writer) { return store::approve_holds(writer); });
    if (!approved) return fail(approved.error());
    for (const std::string& address : *approved) std::cout << "- " << address << "\n";
    std::cerr << fmt::format("{} removals released\n", approved->size());
    if (auto settled = settle(*configuration, *state); !settled) return fail(settled.error());
    return ExitCode::done;
}

}  // namespace

const Command kApprove{"approve", "",  "release the removals that the gate holds, and print them",
                       "warning", run, nullptr,
                       nullptr};

}  // namespace postcensus::cmd
