// SPDX-License-Identifier: MIT
// postcensus explain: the answer for one address, and why.
#include <fmt/format.h>

#include "audit/explain.h"
#include "audit/json.h"
#include "audit/text.h"
#include "base/clock.h"
#include "cmd/command.h"
#include "cmd/output.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;

void add_options(po::options_description& options) {
    options.add_options()("format", po::value<std::string>()->default_value("text"), "text or json");
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    const auto format = arguments["format"].as<std::string>();
    if (format != "text" && format != "json") return fail(ExitCode::usage, "--format takes text or json");
    const std::vector<std::string> addresses = words(arguments, "address");
    if (addresses.size() != 1)
        return fail(ExitCode::usage, "explain wants one address, or @domain for its catch-all");
    auto configuration = load_configuration(globals, config::Secrets::left);
    if (!configuration) return fail(configuration.error());
    auto explanation = audit::explain(*std::move(configuration), addresses.front());
    if (!explanation) return fail(explanation.error());
    auto written =
        Output().write(format == "json" ? audit::explanation_json(*explanation)
                                        : audit::explanation_text(*explanation, now(), in_colour()));
    if (!written) return fail(written.error());
    return ExitCode::done;
}

}  // namespace

const Command kExplain{"explain",
                       "ADDRESS [--format text|json]",
                       "show the answer for one address, why, and all evidence",
                       "warning",
                       run,
                       add_options,
                       "address"};

}  // namespace postcensus::cmd
