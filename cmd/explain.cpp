// SPDX-License-Identifier: MIT
// postcensus explain: the answer for one address, and why.
#include <fmt/format.h>

#include <iostream>

#include "audit/text.h"
#include "base/clock.h"
#include "cmd/command.h"
#include "tasks/report.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;

void add_options(po::options_description& options) {
    options.add_options()("format", po::value<std::string>()->default_value("text"),
                          "text (json comes with a later version)");
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    if (const std::string format = arguments["format"].as<std::string>(); format == "json")
        return fail(ExitCode::unavailable,
                    "explain --format json is not available yet; a later version brings it");
    else if (format != "text")
        return fail(ExitCode::usage, "--format takes text or json");
    const std::vector<std::string> addresses = words(arguments, "address");
    if (addresses.size() != 1) return fail(ExitCode::usage, "explain wants one address");
    const auto address = mail::Address::from_external(addresses.front());
    if (!address) return fail(ExitCode::usage, fmt::format("'{}' is not an address", addresses.front()));
    auto configuration = load_configuration(globals);
    if (!configuration) return fail(configuration.error());
    auto explanation = tasks::gather_explanation(*std::move(configuration), *address);
    if (!explanation) return fail(explanation.error());
    std::cout << audit::explanation_text(*explanation, now());
    return ExitCode::done;
}

}  // namespace

const Command kExplain{"explain",
                       "ADDRESS [--format text]",
                       "show the answer for one address, why, and all evidence",
                       "warning",
                       run,
                       add_options,
                       "address"};

}  // namespace postcensus::cmd
