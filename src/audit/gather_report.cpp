// SPDX-License-Identifier: MIT
#include "audit/gather_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "flow/publish/decider.h"
#include "flow/read/relay_domains.h"
#include "store/domains.h"

namespace postcensus::audit {
namespace {

using namespace std::chrono_literals;

constexpr auto kReportPatience = 10s;

}  // namespace

Result<void> check_domain(config::Configuration configuration, const std::string& domain) {
    auto state =
        store::Database::open(configuration.state.path, store::Database::Mode::read_only, kReportPatience);
    if (!state) return fail(state.error());
    if (auto taken = flow::take_relay_domains(configuration, *state); !taken) return taken;
    if (configuration.route_of(domain) != nullptr) return {};
    auto known = state->read([&](SQLite::Database& db) { return store::knows_domain(db, domain); });
    if (!known) return fail(known.error());
    if (*known) return {};
    return fail(ExitCode::usage,
                fmt::format("no route names the domain {}, and the state knows nothing of it", domain));
}

Result<census::Report> gather_report(config::Configuration configuration, const store::Scope& scope) {
    auto state =
        store::Database::open(configuration.state.path, store::Database::Mode::read_only, kReportPatience);
    if (!state) return fail(state.error());
    if (auto taken = flow::take_relay_domains(configuration, *state); !taken) return fail(taken.error());
    auto report = state->read([&](SQLite::Database& db) { return store::load_report(db, scope); });
    if (!report) return report;
    keep_configured(report->directories, configuration);
    report->ended = !scope.domain.empty() && configuration.route_of(scope.domain) == nullptr;
    for (census::DomainCounts& domain : report->domains)
        domain.accept_all = domain.accept_all && configuration.needs_proof(domain.domain);
    // What a watch stopped, it tries again; without one it is history.
    report->unwatched = !flow::watch_runs(configuration);
    if (report->unwatched) report->breakers.clear();
    report->attention = census::attention_of(*report);
    return report;
}

void keep_configured(std::vector<census::DirectoryLine>& directories,
                     const config::Configuration& configuration) {
    std::vector<census::DirectoryLine> kept;
    for (const directory::Settings& configured : configuration.directories) {
        const auto known =
            std::find_if(directories.begin(), directories.end(),
                         [&](const census::DirectoryLine& line) { return line.name == configured.name; });
        kept.push_back(known != directories.end() ? *known : census::DirectoryLine{.name = configured.name});
    }
    directories = std::move(kept);
}

Result<void> for_each_change(
    const config::Configuration& configuration, const store::Scope& scope,
    const std::function<Result<bool>(const std::vector<census::ChangeLine>& page)>& take) {
    auto state =
        store::Database::open(configuration.state.path, store::Database::Mode::read_only, kReportPatience);
    if (!state) return fail(state.error());
    store::ChangePlace place{scope.since, 0};
    for (;;) {
        auto page = state->read([&](SQLite::Database& db) { return store::next_changes(db, scope, place); });
        if (!page) return fail(page.error());
        if (page->empty()) return {};
        auto taken = take(*page);
        if (!taken) return fail(taken.error());
        if (!*taken) return {};
    }
}

}  // namespace postcensus::audit
