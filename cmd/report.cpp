// SPDX-License-Identifier: MIT
// postcensus report: the audit of a period.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "audit/csv.h"
#include "audit/gather_report.h"
#include "audit/html.h"
#include "audit/json.h"
#include "audit/text.h"
#include "base/duration.h"
#include "base/printable.h"
#include "base/privileges.h"
#include "cmd/command.h"
#include "cmd/output.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;

// Lines of each list. A page of HTML stays below a megabyte; a program can take more.
constexpr std::size_t kTextLines = 50;
constexpr std::size_t kHtmlLines = 200;
constexpr std::size_t kJsonLines = 1000;
constexpr std::size_t kCsvPage = 5000;

void add_options(po::options_description& options) {
    options.add_options()("since", po::value<std::string>()->default_value("24h"),
                          "a duration back from now, or a time (UTC): 24h, 7d, 2026-11-24, "
                          "2026-11-24T00:00:00Z")("until", po::value<std::string>()->default_value("0"),
                                                  "likewise; 0 is now")(
        "domain", po::value<std::string>()->default_value(""), "only this domain")(
        "format", po::value<std::string>()->default_value("text"),
        "text, json (all of it), csv (the changes) or html")("output", po::value<std::string>(),
                                                             "a file, instead of standard output")(
        "quiet", "silent, unless something needs attention; then the exit code is 1");
}

Result<Time> parse_moment(const std::string& text, const char* option, Time now) {
    for (const std::string& form : {text, text + "T00:00:00Z"})
        if (auto time = parse_time(form)) return *time;
    if (auto back = parse_duration(text); back && back->count() >= 0) return now - *back;
    return fail(ExitCode::usage,
                fmt::format("{}: '{}' is neither a duration (24h) nor a time (2026-11-24T00:00:00Z)", option,
                            printable(text)));
}

struct Wish {
    store::Scope scope;
    std::string format;
    bool quiet = false;
};

Result<Wish> parse(const Arguments& arguments) {
    Wish wish{.format = arguments["format"].as<std::string>(), .quiet = arguments.contains("quiet")};
    if (wish.format != "text" && wish.format != "json" && wish.format != "csv" && wish.format != "html")
        return fail(ExitCode::usage, "--format takes text, json, csv or html");
    wish.scope.now = now();
    auto since = parse_moment(arguments["since"].as<std::string>(), "--since", wish.scope.now);
    if (!since) return fail(since.error());
    auto until = parse_moment(arguments["until"].as<std::string>(), "--until", wish.scope.now);
    if (!until) return fail(until.error());
    if (*since >= *until) return fail(ExitCode::usage, "--since must be before --until");
    wish.scope.since = *since;
    wish.scope.until = std::min(*until, wish.scope.now + std::chrono::seconds(1));
    if (wish.scope.since >= wish.scope.until) return fail(ExitCode::usage, "--since is in the future");
    wish.scope.most = wish.format == "text"   ? kTextLines
                      : wish.format == "html" ? kHtmlLines
                      : wish.format == "json" ? kJsonLines
                                              : kCsvPage;
    if (const auto named = arguments["domain"].as<std::string>(); !named.empty()) {
        const auto domain = mail::valid_domain(named);
        if (!domain) return fail(ExitCode::usage, fmt::format("'{}' is not a domain", printable(named)));
        wish.scope.domain = *domain;
    }
    return wish;
}

std::string written(const census::Report& report, const std::string& format, bool colour) {
    if (format == "json") return audit::report_json(report);
    if (format == "html") return audit::report_html(report);
    return audit::report_text(report, colour);
}

std::string attention_text(const census::Report& report) {
    std::string out;
    for (const census::Attention& one : report.attention) out += printable(one.words, 500) + "\n";
    return out;
}

Result<void> write_changes(const config::Configuration& configuration, const store::Scope& scope,
                           Output& output) {
    // Not before there is a state.
    std::string head = audit::changes_csv_head();
    auto done = audit::for_each_change(
        configuration, scope, [&](const std::vector<census::ChangeLine>& page) -> Result<bool> {
            auto written = output.write(std::exchange(head, {}) + audit::changes_csv(page));
            if (!written) return fail(written.error());
            return !output.closed();
        });
    return done ? output.write(head) : done;
}

// To a file it is written in any case; `quiet` is about what the caller sees.
Result<ExitCode> write_report(const config::Configuration& configuration, const Wish& wish, Output& output,
                              bool to_file) {
    if (!wish.scope.domain.empty())
        if (auto known = audit::check_domain(configuration, wish.scope.domain); !known)
            return fail(known.error());
    if (wish.format == "csv" && !wish.quiet) {
        auto done = write_changes(configuration, wish.scope, output);
        return done ? Result<ExitCode>(ExitCode::done) : fail(done.error());
    }
    auto report = audit::gather_report(configuration, wish.scope);
    if (!report) return fail(report.error());
    const bool silent = wish.quiet && report->attention.empty();
    if (to_file || !silent) {
        auto done = wish.format == "csv"
                        ? write_changes(configuration, wish.scope, output)
                        : output.write(written(*report, wish.format, !to_file && in_colour()));
        if (!done) return fail(done.error());
    }
    if (!wish.quiet || silent) return ExitCode::done;
    if (to_file)
        if (auto told = Output().write(attention_text(*report)); !told) return fail(told.error());
    return ExitCode::finding;
}

// In the state's folder its owner could have put a link to a file of root's, or a pipe that nobody reads:
// there root writes as he would. Elsewhere root writes, and puts the file in place, but for what strangers
// wrote there is a child without root's rights.
Result<ExitCode> write_report_to(const std::string& path, const config::Configuration& configuration,
                                 const Wish& wish, const std::filesystem::path& folder) {
    const auto theirs = owner_may_redirect(folder, path);
    if (!theirs) return fail(theirs.error());
    if (*theirs)
        if (auto became = become_owner_of(folder); !became) return fail(became.error());
    auto output = Output::open(path, *theirs ? Output::Special::replaced : Output::Special::written);
    if (!output) return fail(output.error());
    auto ended = as_owner_of(folder, [&] { return write_report(configuration, wish, *output, true); });
    if (!ended) return ended;
    if (auto done = output->commit(); !done) return fail(done.error());
    return ended;
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    auto wish = parse(arguments);
    if (!wish) return fail(wish.error());
    auto configuration = config::load(globals.config, config::Secrets::left);
    if (!configuration) return fail(configuration.error());
    const std::filesystem::path folder = configuration->state.path.parent_path();
    if (!arguments.contains("output")) {
        if (auto became = become_owner_of(folder); !became) return fail(became.error());
        Output output;
        return write_report(*configuration, *wish, output, false);
    }
    return write_report_to(arguments["output"].as<std::string>(), *configuration, *wish, folder);
}

}  // namespace

const Command kReport{
    "report",
    "[--since TIME] [--until TIME] [--domain D] [--format text|json|csv|html] [--output FILE] "
    "[--quiet]",
    "show what was asked, learned, changed and held",
    "warning",
    run,
    add_options,
    nullptr};

}  // namespace postcensus::cmd
