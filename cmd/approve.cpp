// SPDX-License-Identifier: MIT
// postcensus approve: releases the removals that the gate holds, after a fresh reading.
#include <fmt/format.h>

#include <charconv>
#include <iostream>
#include <optional>

#include "cmd/command.h"
#include "flow/read/reading.h"
#include "flow/read/relay_domains.h"
#include "store/history.h"
#include "store/holds.h"

namespace postcensus::cmd {
namespace {

using namespace std::chrono_literals;

Result<std::optional<std::int64_t>> parse_hold(const std::vector<std::string>& words) {
    if (words.empty()) return std::optional<std::int64_t>{};
    std::int64_t number = 0;
    const std::string& text = words.front();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (words.size() > 1 || error != std::errc{} || end != text.data() + text.size() || number < 1)
        return fail(
            ExitCode::usage,
            "approve wants the number of one hold, as `postcensus report` shows it, or nothing for all");
    return std::optional<std::int64_t>(number);
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    auto hold = parse_hold(words(arguments, "hold"));
    if (!hold) return fail(hold.error());
    auto configuration = load_configuration(globals, config::Secrets::read);
    if (!configuration) return fail(configuration.error());
    auto state = store::Database::open(configuration->state.path, store::Database::Mode::existing, 10s);
    if (!state) return fail(state.error());
    if (auto learned = flow::learn_relay_domains(*configuration, *state, now()); !learned)
        return fail(learned.error());
    // What is held from now on nobody can have looked at yet.
    auto held = state->read([&](SQLite::Database& db) { return store::open_holds(db, *hold); });
    if (!held) return fail(held.error());
    if (*hold && held->empty())
        return fail(ExitCode::usage,
                    fmt::format("there is no hold {}; `postcensus report` shows those there are", **hold));
    // Only what is still absent in a fresh reading is released: what has come back leaves the hold by itself.
    auto began = state->current_seq();
    if (!began) return fail(began.error());
    for (const directory::Settings& settings : configuration->directories) {
        auto read = flow::read_directory(*state, settings, flow::ReadMode::full, {});
        if (!read) return fail(read.error());
    }
    if (auto finished = flow::finish_reading(*configuration, *state, *began); !finished)
        return fail(finished.error());
    if (auto settled = settle(*configuration, *state); !settled) return fail(settled.error());
    auto approved = state->write([&](store::Writer& writer) {
        auto released = store::approve_holds(writer, *held, now());
        const std::string which = *hold ? fmt::format("hold {}", **hold) : std::string("all holds");
        store::note_command(
            writer,
            {"approve", globals.user, fmt::format("{}: {} removals released", which, released.size())},
            now());
        return released;
    });
    if (!approved) return fail(approved.error());
    for (const std::string& address : *approved) std::cout << "- " << address << "\n";
    std::cerr << fmt::format("{} removals released\n", approved->size());
    if (auto settled = settle(*configuration, *state); !settled) return fail(settled.error());
    return ExitCode::done;
}

}  // namespace

const Command kApprove{"approve", "[HOLD]", "release the removals that wait for an operator, and print them",
                       "warning", run,      nullptr,
                       "hold"};

}  // namespace postcensus::cmd
