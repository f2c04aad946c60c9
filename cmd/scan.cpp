// SPDX-License-Identifier: MIT
// postcensus scan: what old logs say, for those who think about Postcensus, and for audits.
#include <fmt/format.h>
#include <sys/resource.h>

#include <iostream>

#include "audit/json.h"
#include "audit/text.h"
#include "base/privileges.h"
#include "cmd/command.h"
#include "cmd/progress.h"
#include "flow/follow/scan.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;

void add_options(po::options_description& options) {
    options.add_options()("events", "print one JSON object for each event instead, in the order of the log")(
        "format", po::value<std::string>()->default_value("text"), "text or json");
}

// With a configuration the routes and the syslog names are known. It is needed only where it was named.
Result<std::optional<config::Configuration>> find_configuration(const Globals& globals) {
    std::error_code ignored;
    const bool named = globals.config != Globals{}.config;
    if (!named && !std::filesystem::exists(globals.config, ignored))
        return std::optional<config::Configuration>{};
    auto configuration = config::load(globals.config, config::Secrets::left);
    if (configuration) return std::optional(*std::move(configuration));
    if (named) return fail(configuration.error());
    std::cerr << "postcensus: going on without the configuration: " << configuration.error().message << "\n";
    return std::optional<config::Configuration>{};
}

void draw(ProgressLine& line, const flow::ScanProgress& log) {
    if (!line.seen()) return;
    const auto megabytes = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
    line.draw(log.size > 0 ? fmt::format("{}: {} % of {:.0f} MB", log.name, log.taken * 100 / log.size,
                                         megabytes(log.size))
                           : fmt::format("{}: {:.0f} MB", log.name, megabytes(log.taken)));
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    const auto format = arguments["format"].as<std::string>();
    if (format != "text" && format != "json") return fail(ExitCode::usage, "--format takes text or json");
    const std::vector<std::string> names = words(arguments, "file");
    if (names.empty())
        return fail(ExitCode::usage,
                    "name the logs to read, or - for standard input; see postcensus scan --help");
    auto configuration = find_configuration(globals);
    if (!configuration) return fail(configuration.error());
    // Logs of years are many files, and all of them are opened before a right is given up.
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    std::vector<maillog::OldLog> logs;
    for (const std::string& name : names) {
        auto log = maillog::OldLog::open(name);
        if (!log) return fail(log.error());
        logs.push_back(*std::move(log));
    }
    // All that needs a right is open: strangers wrote what comes now.
    if (auto became = become_nobody(); !became) return fail(became.error());

    flow::ScanOptions options;
    if (*configuration) {
        options.syslog_names = (*configuration)->log.syslog_names;
        options.relayed = [&](std::string_view domain) {
            return (*configuration)->route_of(domain) != nullptr;
        };
    }
    const bool events = arguments.contains("events");
    if (events)
        options.on_event = [several = names.size() > 1](const mail::LogEvent& event, Time at,
                                                        const std::string& log, std::int64_t line) {
            std::cout << audit::event_json(event, at, several ? log : "", line);
        };
    flow::Scanned scanned;
    {
        ProgressLine progress;
        options.on_progress = [&progress](const flow::ScanProgress& log) { draw(progress, log); };
        scanned = flow::scan_logs(logs, options, now());
    }
    if (!events)
        std::cout << (format == "json" ? audit::scan_json(scanned.report) : audit::scan_text(scanned.report));
    else if (const census::ScanReport& report = scanned.report; report.strange > 0)
        std::cerr << fmt::format(
            "postcensus: {} lines look like Postfix's and are not understood, for example: {}\n",
            report.strange, report.strange_line);
    if (scanned.failures.empty()) return ExitCode::done;
    for (std::size_t i = 1; i < scanned.failures.size(); ++i)
        std::cerr << "postcensus: " << scanned.failures[i].message << "\n";
    Failure first = scanned.failures.front();
    first.message += "; what stood before it was counted";
    return fail(first);
}

}  // namespace

const Command kScan{"scan",
                    "FILE... [--events] [--format text|json]",
                    "read old logs, and say what would have been learned",
                    "warning",
                    run,
                    add_options,
                    "file"};

}  // namespace postcensus::cmd
