// SPDX-License-Identifier: MIT
// postcensus check: what is wrong, and how to mend it.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <iostream>

#include "base/clock.h"
#include "base/privileges.h"
#include "check/check.h"
#include "check/findings.h"
#include "cmd/command.h"
#include "cmd/output.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;

void add_options(po::options_description& options) {
    options.add_options()("format", po::value<std::string>()->default_value("text"), "text or json");
}

// Without the state's folder there is nobody whose rights could be tested.
Result<check::Checked> check_as_owner(const config::Configuration& configuration) {
    const std::filesystem::path folder = configuration.state.path.parent_path();
    struct stat facts {};
    if (::stat(folder.c_str(), &facts) != 0)
        return check::Checked{{check::Finding::fail(
            "state", folder.string(),
            "there is no such folder, so the rights of its owner could not be tested, and "
            "nothing else was",
            fmt::format("install -d -o postcensus -g postcensus -m 0755 {} {}", folder.string(),
                        configuration.postfix.maps.string()))}};
    if (auto became = become_owner_of(folder); !became) return fail(became.error());
    return check::check(configuration, now());
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    const auto format = arguments["format"].as<std::string>();
    if (format != "text" && format != "json") return fail(ExitCode::usage, "--format takes text or json");
    const bool colour = in_colour();
    auto configuration = config::load(globals.config);
    if (!configuration) return fail(ExitCode::configuration, configuration.error().message);
    auto checked = check_as_owner(*configuration);
    if (!checked) return fail(checked.error());
    std::cout << (format == "json" ? check::findings_json(checked->findings)
                                   : check::findings_text(checked->findings, colour))
              << std::flush;
    const ExitCode code =
        check::worst_of(checked->findings) == check::Level::fail ? ExitCode::finding : ExitCode::done;
    // Threads that hang still use what the end of main() would destroy.
    if (checked->unfinished) std::_Exit(static_cast<int>(code));
    return code;
}

}  // namespace

const Command kCheck{"check",
                     "[--format text|json]",
                     "test configuration, directory, callout target, tables and main.cf",
                     "error",
                     run,
                     add_options,
                     nullptr};

}  // namespace postcensus::cmd
