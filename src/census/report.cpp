// SPDX-License-Identifier: MIT
#include "census/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/duration.h"

namespace postcensus::census {
namespace {

std::string several(std::int64_t number, const char* one, const char* many) {
    return fmt::format("{} {}", number, number == 1 ? one : many);
}

std::int64_t counter(const Report& report, const char* name) {
    const auto found = report.counters.find(name);
    return found == report.counters.end() ? 0 : found->second;
}

void add_directories(const Report& report, std::vector<Attention>& all) {
    for (const DirectoryLine& directory : report.directories) {
        if (directory.full_failed && !directory.outcome.empty())
            all.push_back({"reading", fmt::format("directory {}: the last full reading was not applied: {}",
                                                  directory.name, directory.outcome)});
        else if (!directory.last_good)
            all.push_back({"reading", fmt::format("directory {} has never been read", directory.name)});
        else if (report.made - *directory.last_good > std::chrono::hours(1))
            all.push_back({"reading", fmt::format("directory {} was last read {} ago", directory.name,
                                                  spell_duration(report.made - *directory.last_good))});
    }
}

}  // namespace

std::vector<Attention> attention_of(const Report& report) {
    std::vector<Attention> all;
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
    for (const BreakerLine& breaker : report.breakers)
        all.push_back(
            {"breaker", fmt::format("callouts to {}{} are stopped: {}", breaker.target,
                                    breaker.domain.empty() ? "" : " for " + breaker.domain, breaker.reason)});
    for (const DomainCounts& domain : report.domains)
        if (domain.accept_all)
            all.push_back({"accept-all", fmt::format("the server of {} accepts every recipient: unknown "
                                                     "recipients cannot be refused",
                                                     domain.domain)});
    if (report.conflicts_total > 0)
        all.push_back(
            {"conflict", several(report.conflicts_total, "recipient is listed, and the server refuses it",
                                 "recipients are listed, and the server refuses them")});
    if (report.bounces_total > 0)
        all.push_back(
            {"bounce", "mail to " +
                           several(report.bounces_total, "accepted recipient", "accepted recipients") +
                           " was refused by the server: backscatter may have got out"});
    if (const std::int64_t gaps = counter(report, "log-gaps"); gaps > 0)
        all.push_back({"log", "lines of the log may have been lost, " + several(gaps, "time", "times")});
    for (const CommandLine& command : report.commands)
        if (command.name == "failsafe")
            all.push_back({"failsafe", "failsafe had to step in: " + command.words});
    if (const std::int64_t repaired = counter(report, "tables-repaired"); repaired > 0)
        all.push_back({"table", "a table was changed by someone else, and written again, " +
                                    several(repaired, "time", "times") +
                                    " (failsafe empties one that nobody tends)"});
    return all;
}

}  // namespace postcensus::census
