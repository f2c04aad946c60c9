// SPDX-License-Identifier: MIT
// postcensus report: the audit of a period.
#include <fcntl.h>
#include <fmt/format.h>

#include <iostream>

#include "audit/text.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/privileges.h"
#include "base/unique_fd.h"
#include "cmd/command.h"
#include "tasks/report.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;

void add_options(po::options_description& options) {
    options.add_options()("since", po::value<std::string>()->default_value("24h"),
                          "a duration back from now, or a time: 24h, 2026-11-24T00:00:00Z")(
        "until", po::value<std::string>()->default_value("0"), "likewise")(
        "domain", po::value<std::string>()->default_value(""), "only this domain")(
        "format", po::value<std::string>()->default_value("text"),
        "text (json, csv and html come with a later version)")("output", po::value<std::string>(),
                                                               "a file, instead of standard output")(
        "quiet", "say nothing unless something needs attention");
}

Result<Time> parse_moment(const std::string& text, const char* option, Time now) {
    if (auto time = parse_time(text)) return *time;
    if (auto back = parse_duration(text)) return now - *back;
    return fail(
        ExitCode::usage,
        fmt::format("{}: '{}' is neither a duration (24h) nor a time (2026-11-24T00:00:00Z)", option, text));
}

bool needs_attention(const census::Report& report) {
    return report.held_total > 0 || !report.waiting.empty() ||
           (!report.readings.empty() && !report.readings.front().good);
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    if (const std::string format = arguments["format"].as<std::string>(); format != "text") {
        if (format == "json" || format == "csv" || format == "html")
            return fail(
                ExitCode::unavailable,
                fmt::format("report --format {} is not available yet; a later version brings it", format));
        return fail(ExitCode::usage, "--format takes text, json, csv or html");
    }
    const Time time = now();
    auto since = parse_moment(arguments["since"].as<std::string>(), "--since", time);
    if (!since) return fail(since.error());
    auto until = parse_moment(arguments["until"].as<std::string>(), "--until", time);
    if (!until) return fail(until.error());
    const auto named = arguments["domain"].as<std::string>();
    const std::string domain = named.empty() ? "" : mail::valid_domain(named).value_or("?");

    auto configuration = config::load(globals.config);
    if (!configuration) return fail(configuration.error());
    UniqueFd output;
    if (arguments.contains("output")) {
        const auto path = arguments["output"].as<std::string>();
        output.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
        if (!output) return fail(ExitCode::cannot_write, describe_errno("cannot write", path, errno));
    }
    if (auto became = become_owner_of(configuration->state.path.parent_path()); !became)
        return fail(became.error());
    if (!domain.empty() && configuration->route_of(domain) == nullptr &&
        !configuration->asks_postfix_for_domains())
        return fail(ExitCode::usage, fmt::format("no route names the domain {}", named));
    auto report = tasks::gather_report(*configuration, *since, *until, domain);
    if (!report) return fail(report.error());
    if (arguments.contains("quiet") && !needs_attention(*report)) return ExitCode::done;
    const std::string text = audit::report_text(*report, time);
    if (output) {
        if (auto written = write_all(output.get(), text, arguments["output"].as<std::string>()); !written)
            return fail(written.error());
    } else {
        std::cout << text;
    }
    return ExitCode::done;
}

}  // namespace

const Command kReport{"report",
                      "[--since TIME] [--until TIME] [--domain D] [--format text] [--output FILE] [--quiet]",
                      "show what was asked, learned, changed and held",
                      "warning",
                      run,
                      add_options,
                      nullptr};

}  // namespace postcensus::cmd
