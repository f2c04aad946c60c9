// SPDX-License-Identifier: MIT
#include "tasks/report.h"

#include <algorithm>

#include "tasks/decider.h"

namespace postcensus::tasks {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 10s;

}  // namespace

Result<census::Report> gather_report(const config::Configuration& configuration, const store::Scope& scope) {
    auto state = store::Database::open(configuration.state.path, store::Database::Mode::read_only, kPatience);
    if (!state) return fail(state.error());
    auto report = state->read([&](SQLite::Database& db) { return store::load_report(db, scope); });
    if (!report) return report;
    // What the state knows of a directory that the configuration has no more is history.
    std::erase_if(report->directories, [&](const census::DirectoryLine& line) {
        return std::none_of(configuration.directories.begin(), configuration.directories.end(),
                            [&](const directory::Settings& one) { return one.name == line.name; });
    });
    for (const directory::Settings& directory : configuration.directories)
        if (std::none_of(report->directories.begin(), report->directories.end(),
                         [&](const census::DirectoryLine& line) { return line.name == directory.name; }))
            report->directories.push_back({.name = directory.name});
    // What a watch stopped, it tries again; without one it is history.
    report->unwatched = !watch_runs(configuration);
    if (report->unwatched) report->breakers.clear();
    report->attention = census::attention_of(*report);
    return report;
}

Result<void> for_each_change(
    const config::Configuration& configuration, const store::Scope& scope,
    const std::function<Result<bool>(const std::vector<census::ChangeLine>& page)>& take) {
    auto state = store::Database::open(configuration.state.path, store::Database::Mode::read_only, kPatience);
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

}  // namespace postcensus::tasks
