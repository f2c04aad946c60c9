// SPDX-License-Identifier: MIT
// postcensus sync: reads the directories into the state, and has it decided and published.
#include <fmt/format.h>
#include <algorithm>
#include <iostream>

#include "audit/metrics_file.h"
#include "base/notify.h"
#include "cmd/command.h"
#include "cmd/progress.h"
#include "flow/decide/decision.h"
#include "flow/publish/decider.h"
#include "flow/read/reading.h"
#include "flow/read/relay_domains.h"
#include "store/holds.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;
using namespace std::chrono_literals;

void add_options(po::options_description& options) {
    options.add_options()("full", "read everything, not only what has changed; at once, at any server")(
        "dry-run", "read everything, print the difference (+ a@b, - a@b), and change nothing");
}

Result<std::vector<directory::Settings>> pick(const config::Configuration& configuration,
                                              const std::vector<std::string>& names) {
    if (configuration.directories.empty())
        return fail(ExitCode::configuration,
                    fmt::format("{} has no [directory.NAME] section, so there is nothing to read",
                                configuration.file.string()));
    if (names.empty()) return configuration.directories;
    std::vector<directory::Settings> picked;
    for (const std::string& name : names) {
        const auto found =
            std::find_if(configuration.directories.begin(), configuration.directories.end(),
                         [&name](const directory::Settings& settings) { return settings.name == name; });
        if (found == configuration.directories.end())
            return fail(ExitCode::usage,
                        fmt::format("{} has no section [directory.{}]", configuration.file.string(), name));
        picked.push_back(*found);
    }
    return picked;
}

Result<void> learn_domains(config::Configuration& configuration, store::Database& state, bool dry_run) {
    return dry_run ? flow::take_relay_domains(configuration, state)
                   : flow::learn_relay_domains(configuration, state, now());
}

Result<ExitCode> read_and_publish(config::Configuration& configuration,
                                  const std::vector<directory::Settings>& directories,
                                  const Arguments& arguments) {
    const bool dry_run = arguments.contains("dry-run");
    const flow::ReadMode mode = dry_run                      ? flow::ReadMode::dry_run
                                : arguments.contains("full") ? flow::ReadMode::full
                                                             : flow::ReadMode::automatic;
    // A dry run on a machine without a state compares with nothing, and leaves none behind.
    std::error_code ignored;
    const bool in_memory = dry_run && !std::filesystem::exists(configuration.state.path, ignored);
    auto state = store::Database::open(in_memory ? ":memory:" : configuration.state.path,
                                       store::Database::Mode::create, 10s);
    if (!state) return fail(state.error());
    if (auto learned = learn_domains(configuration, *state, dry_run); !learned) return fail(learned.error());
    auto began = state->current_seq();
    if (!began) return fail(began.error());
    if (!dry_run)
        if (auto noted = flow::note_domains(configuration, *state); !noted) return fail(noted.error());
    std::optional<Failure> first;
    std::vector<std::string> done;
    for (const directory::Settings& settings : directories) {
        ProgressLine progress;
        const auto draw = [&](const directory::ReadSummary& summary) {
            progress.draw(fmt::format("{}: {} objects, {} pages, {:.0f}/s ", settings.name, summary.objects,
                                      summary.pages,
                                      static_cast<double>(summary.objects) / progress.seconds()));
        };
        auto read =
            flow::read_directory(*state, settings, mode, draw, flow::answer_listed(configuration, now()));
        if (!read) {
            if (directories.size() > 1) std::cerr << "postcensus: " << read.error().message << "\n";
            if (!first) first = read.error();
            continue;
        }
        for (const std::string& address : read->added) std::cout << "+ " << address << "\n";
        for (const std::string& address : read->removed) std::cout << "- " << address << "\n";
        done.push_back(read->summary);
    }
    if (dry_run) {
        for (const std::string& line : done) std::cerr << line << "\n";
        if (first) return fail(*first);
        return ExitCode::done;
    }
    if (done.empty()) return fail(first.value());
    if (!first && words(arguments, "directory").empty())
        if (auto finished = flow::finish_reading(configuration, *state, *began); !finished)
            return fail(finished.error());

    // What the directories list may be of domains that Postfix has not been asked about yet.
    if (auto learned = learn_domains(configuration, *state, false); !learned) return fail(learned.error());
    const auto begun = std::chrono::steady_clock::now();
    auto settled = settle(configuration, *state);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    for (const std::string& line : done)
        std::cout << line
                  << (settled ? fmt::format("; published in {:.2f} s", seconds) : std::string("; stored"))
                  << "\n";
    if (!settled) return fail(settled.error());
    if (first) return fail(*first);
    notify_status(fmt::format("{}", fmt::join(done, "; ")));
    auto held = state->read([](SQLite::Database& db) { return store::count_holds(db); });
    if (!held) return fail(held.error());
    if (*held > 0)
        return fail(ExitCode::finding,
                    fmt::format("{} removals wait for an operator: more than [general] max-removals lets "
                                "through, or of objects that are not found any more where nobody can be "
                                "asked; see `postcensus report`, release them with `postcensus approve`",
                                *held));
    return ExitCode::done;
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    auto configuration = load_configuration(globals, config::Secrets::read);
    if (!configuration) return fail(configuration.error());
    auto directories = pick(*configuration, words(arguments, "directory"));
    if (!directories) return fail(directories.error());
    const Time began = now();
    auto done = read_and_publish(*configuration, *directories, arguments);
    if (!arguments.contains("dry-run"))
        audit::write_sync_metrics(*configuration, began, done ? *done : done.error().code);
    return done;
}

}  // namespace

const Command kSync{"sync",
                    "[DIRECTORY...] [--full] [--dry-run]",
                    "read the directories into the state, and publish what changes",
                    "warning",
                    run,
                    add_options,
                    "directory"};

}  // namespace postcensus::cmd
