// SPDX-License-Identifier: MIT
// postcensus failsafe: ends leases that nobody tends. Works with a broken configuration and without a state.
#include <fmt/format.h>

#include <iostream>

#include "base/clock.h"
#include "base/privileges.h"
#include "cmd/command.h"
#include "postfix/lapse.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;

constexpr const char* kDefaultMaps = "/var/lib/postcensus/maps";

void add_options(po::options_description& options) {
    options.add_options()("maps", po::value<std::string>(),
                          "the folder of the tables; then no configuration is read")(
        "now", "empty them whatever their heads say: nobody will tend them any more");
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    std::filesystem::path maps;
    if (arguments.contains("maps")) {
        maps = arguments["maps"].as<std::string>();
    } else if (auto loaded = config::load(globals.config, config::Secrets::left); loaded) {
        maps = loaded->postfix.maps;
    } else {
        maps = kDefaultMaps;
        std::cerr << "postcensus: " << loaded.error().message << "; going on with " << maps.string() << "\n";
    }
    if (auto became = become_owner_of(maps); !became)
        return fail(ExitCode::configuration, became.error().message);
    const auto which = arguments.contains("now") ? postfix::Lapse::all : postfix::Lapse::over;
    auto lapsed = postfix::lapse_tables(maps, now(), which);
    if (!lapsed) return fail(lapsed.error());
    for (const postfix::Lapsed& table : *lapsed)
        std::cout << fmt::format("emptied {}: {}\n", (maps / table.table).string(), table.why);
    return ExitCode::done;
}

}  // namespace

const Command kFailsafe{"failsafe",
                        "[--maps DIR] [--now]",
                        "empty the tables unknown and closed if nobody tends them",
                        "warning",
                        run,
                        add_options,
                        nullptr};

}  // namespace postcensus::cmd
