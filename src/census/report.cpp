// SPDX-License-Identifier: MIT
#include "census/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/duration.h"

namespace postcensus::census {
namespace {

constexpr std::chrono::minutes kAwayLong{10};     // it restarts now and then
constexpr std::chrono::minutes kRotationLong{5};  // a log that is rotated is away for a moment
// It is the text of a mail: what a hosting has thousands of is counted.
constexpr std::size_t kMostServers = 10;
constexpr std::size_t kMostNames = 3;

std::string several(std::int64_t number, const char* one, const char* many) {
    return fmt::format("{} {}", number, number == 1 ? one : many);
}

std::int64_t counter(const Report& report, const char* name) {
    const auto found = report.counters.find(name);
    return found == report.counters.end() ? 0 : found->second;
}

// What is wrong with how a directory is read, or nothing.
std::string reading_words(const DirectoryLine& directory, Time made) {
    if (directory.full_failure)
        return fmt::format("directory {}: the last full reading was not applied: {}", directory.name,
                           *directory.full_failure);
    if (!directory.last_good) return fmt::format("directory {} has never been read", directory.name);
    if (made - *directory.last_good > std::chrono::hours(1))
        return fmt::format("directory {} was last read {} ago", directory.name,
                           spell_duration(made - *directory.last_good));
    // Polls and lookups go on while nobody runs `sync`.
    if (!directory.last_full)
        return fmt::format("directory {} has not been read in full yet: run `postcensus sync {}`",
                           directory.name, directory.name);
    if (made - *directory.last_full > kFullStale)
        return fmt::format(
            "directory {} was last read in full {} ago: does the timer of `sync` run? See `systemctl "
            "list-timers 'postcensus*'`",
            directory.name, spell_duration(made - *directory.last_full));
    return {};
}

void add_directories(const Report& report, std::vector<Attention>& all) {
    for (const DirectoryLine& directory : report.directories) {
        if (const std::string words = reading_words(directory, report.made); !words.empty())
            all.push_back({"reading", words});
        if (directory.away_since && report.made - *directory.away_since > kAwayLong)
            all.push_back(
                {"away", fmt::format("the server of directory {} that is followed has not answered for {}",
                                     directory.name, spell_duration(report.made - *directory.away_since))});
    }
}

// One a server, whatever the number of domains that it is at fault about.
void add_breakers(const Report& report, std::vector<Attention>& all) {
    std::map<std::string, std::vector<const BreakerLine*>> by_target;
    for (const BreakerLine& breaker : report.breakers) by_target[breaker.target].push_back(&breaker);
    std::size_t lines = 0;
    for (const auto& [target, breakers] : by_target) {
        if (++lines > kMostServers) {
            all.push_back({"breaker", fmt::format("callouts to {} more servers are stopped",
                                                  by_target.size() - kMostServers)});
            break;
        }
        std::string about;
        if (!breakers.front()->domain.empty())
            about = breakers.size() == 1 ? " for " + breakers.front()->domain
                                         : fmt::format(" for {} domains", breakers.size());
        all.push_back({"breaker", fmt::format("callouts to {}{} are stopped: {}", target, about,
                                              breakers.front()->reason)});
    }
}

// One for all domains: a hosting may have thousands behind one server.
void add_accept_all(const Report& report, std::vector<Attention>& all) {
    std::vector<std::string> names;
    std::size_t number = 0;
    for (const DomainCounts& domain : report.domains)
        if (domain.accept_all && ++number <= kMostNames) names.push_back(domain.domain);
    if (number == 0) return;
    constexpr const char* kEffect = "unknown recipients cannot be refused";
    all.push_back(
        {"accept-all",
         number == 1
             ? fmt::format("the server of {} accepts every recipient: {}", names.front(), kEffect)
             : fmt::format("the servers of {} domains accept every recipient: {} ({}{})", number, kEffect,
                           fmt::join(names, ", "),
                           number > kMostNames ? fmt::format(" and {} more", number - kMostNames) : "")});
}

void add_tables(const Report& report, std::vector<Attention>& all) {
    if (!report.unpublished.empty())
        all.push_back(
            {"table", fmt::format("never published: {}. Where main.cf names such a table, Postfix answers "
                                  "451 for every recipient; see the log of `watch`, and `postcensus check`",
                                  fmt::join(report.unpublished, ", "))});
    for (const TableLine& table : report.tables)
        if (table.entries > 0 && table.until && report.made - *table.until > std::chrono::minutes(1))
            all.push_back(
                {"lease", fmt::format("the lease of the table {} has been over for {}: is failsafe's "
                                      "timer running?",
                                      table.table, spell_duration(report.made - *table.until))});
    if (const std::int64_t repaired = counter(report, "tables-repaired"); repaired > 0)
        all.push_back({"table", "a table was changed by someone else, and written again, " +
                                    several(repaired, "time", "times") +
                                    " (failsafe empties one that nobody tends)"});
}

}  // namespace

std::vector<Attention> attention_of(const Report& report) {
    std::vector<Attention> all;
    if (report.unwatched)
        all.push_back(
            {"watch", "`postcensus watch` does not run: nobody follows the log, asks, or renews leases"});
    if (report.waiting_total > 0)
        all.push_back({"waiting", several(report.waiting_total,
                                          "recipient has been unsure for over an hour while its senders come "
                                          "back: mail waits",
                                          "recipients have been unsure for over an hour while their senders "
                                          "come back: mail waits")});
    if (report.held_total > 0)
        all.push_back({"held", several(report.held_total, "removal waits", "removals wait") +
                                   " for `postcensus approve`"});
    add_directories(report, all);
    add_breakers(report, all);
    add_accept_all(report, all);
    // Who is not seen any more has mostly left: the next full reading ends it.
    if (const std::int64_t seen = report.conflicts_total - report.conflicts_unseen; seen > 0)
        all.push_back({"conflict", several(seen, "recipient is listed, and the server refuses it",
                                           "recipients are listed, and the server refuses them")});
    if (report.bounces_total > 0)
        all.push_back(
            {"bounce", "mail to " +
                           several(report.bounces_total, "accepted recipient", "accepted recipients") +
                           " was refused by the server: backscatter may have got out"});
    if (report.log_missing && !report.unwatched && report.made - *report.log_missing > kRotationLong)
        all.push_back({"log", fmt::format("the log of Postfix has not been there for {}, so nobody asks: see "
                                          "`postcensus check`",
                                          spell_duration(report.made - *report.log_missing))});
    if (const std::int64_t strange = counter(report, "lines-not-understood"); strange > 0)
        all.push_back(
            {"log", several(strange, "line of the log looks like one of Postfix's and is not understood",
                            "lines of the log look like Postfix's and are not understood") +
                        ", so nothing is learned from them" +
                        (report.strange_line ? ". The last one: " + *report.strange_line : "")});
    if (const std::int64_t gaps = counter(report, "log-gaps"); gaps > 0)
        all.push_back({"log", "lines of the log may have been lost, " + several(gaps, "time", "times")});
    if (report.failsafe_runs > 0)
        all.push_back({"failsafe", "failsafe had to step in: " + report.last_failsafe +
                                       (report.failsafe_runs > 1
                                            ? fmt::format(" (and {} more in the period)",
                                                          several(report.failsafe_runs - 1, "time", "times"))
                                            : "")});
    add_tables(report, all);
    return all;
}

std::string_view words_of(const Explanation& explanation) {
    if (explanation.known) return explain(explanation.reason);
    if (lacks_catch_all(explanation))
        return "no catch-all is configured: each recipient of the domain is answered by itself";
    return "it was never listed, missed or configured";
}

bool lacks_catch_all(const Explanation& explanation) {
    return !explanation.known && explanation.address.starts_with('@');
}

}  // namespace postcensus::census
