// SPDX-License-Identifier: MIT
#include "audit/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/duration.h"
#include "base/printable.h"

namespace postcensus::audit {
namespace {

std::string ago(Time at, Time now) {
    return at > now ? "in " + spell_duration(at - now) : spell_duration(now - at) + " ago";
}

void add_domains(const census::Report& report, std::string& out) {
    std::size_t width = 6;
    for (const census::DomainCounts& counts : report.domains) width = std::max(width, counts.domain.size());
    fmt::format_to(std::back_inserter(out), "{:<{}} {:>9} {:>9} {:>8} {:>7} {:>8} {:>5} {:>8} {:>8}\n",
                   "domain", width, "listed", "accepted", "learned", "closed", "unknown", "held", "misses",
                   "distinct");
    for (const census::DomainCounts& counts : report.domains)
        fmt::format_to(std::back_inserter(out), "{:<{}} {:>9} {:>9} {:>8} {:>7} {:>8} {:>5} {:>8} {:>8}{}\n",
                       printable(counts.domain), width, counts.listed, counts.accepted, counts.learned,
                       counts.closed, counts.unknown, counts.held, counts.misses, counts.missed,
                       counts.accept_all ? "  its server accepts everyone" : "");
    if (report.domains.empty()) out += "(no relayed domain)\n";
    if (report.elsewhere > 0)
        fmt::format_to(std::back_inserter(out), "{} listed addresses are in domains that no route names\n",
                       report.elsewhere);
}

void add_attention(const census::Report& report, Time now, std::string& out) {
    if (report.held_total > 0) {
        fmt::format_to(std::back_inserter(out), "\nHeld: {} removals wait for `postcensus approve`:\n",
                       report.held_total);
        for (std::size_t i = 0; i < std::min<std::size_t>(report.held.size(), 10); ++i) {
            const census::HoldLine& line = report.held[i];
            fmt::format_to(std::back_inserter(out), "  hold {}: {} ({}{}{})\n", line.number,
                           printable(line.address),
                           line.cause == "gate" ? "too many at once" : "not found any more",
                           line.directory.empty() ? "" : "; " + printable(line.directory),
                           line.object.empty() ? "" : ": " + printable(line.object));
        }
    }
    if (report.unseen_total > 0) {
        fmt::format_to(
            std::back_inserter(out),
            "\nUnseen: {} objects are not found any more, and nothing says that they are gone; what "
            "they list stays accepted until a callout says otherwise. Deleted, moved out of base, or "
            "hidden from our account?\n",
            report.unseen_total);
        for (std::size_t i = 0; i < std::min<std::size_t>(report.unseen.size(), 10); ++i)
            fmt::format_to(std::back_inserter(out), "  {} ({}: {})\n", printable(report.unseen[i].address),
                           printable(report.unseen[i].directory), printable(report.unseen[i].object));
    }
    if (!report.waiting.empty()) {
        out += "\nUnsure for over an hour with senders coming back (mail waits):\n";
        for (const census::WaitingLine& line : report.waiting)
            fmt::format_to(
                std::back_inserter(out), "  {}  {} misses, first {}, last {}: {}{}\n",
                printable(line.address), line.misses, ago(line.first, now), ago(line.last, now),
                census::explain(census::parse_reason(line.reason).value_or(census::Reason::no_evidence)),
                line.last_callout.empty() ? "" : " [" + printable(line.last_callout) + "]");
    }
    for (const census::ReadingLine& line : report.readings) {
        if (line.good) continue;
        fmt::format_to(std::back_inserter(out), "\nThe last failed reading of directory {}, {}: {}\n",
                       printable(line.directory), ago(line.ended, now), printable(line.outcome));
        break;
    }
}

void add_work(const census::Report& report, Time now, std::string& out) {
    out += "\nReadings:\n";
    for (std::size_t i = 0; i < std::min<std::size_t>(report.readings.size(), 10); ++i) {
        const census::ReadingLine& line = report.readings[i];
        if (line.good)
            fmt::format_to(
                std::back_inserter(out), "  {}  {} ({}) at {}: {} added, {} removed, in {:.1f} s\n",
                format_time(line.ended), printable(line.directory), line.kind, printable(line.server),
                line.added, line.removed, std::chrono::duration<double>(line.ended - line.began).count());
        else
            fmt::format_to(std::back_inserter(out), "  {}  {} ({}): not applied\n", format_time(line.ended),
                           printable(line.directory), line.kind);
    }
    if (report.readings.empty()) out += "  none\n";
    out += "\nCounts (whole days, UTC):\n";
    for (const auto& [name, value] : report.counters)
        fmt::format_to(std::back_inserter(out), "  {:<24} {:>10}\n", name, value);
    out += "\nTables:\n";
    for (const census::TableLine& line : report.tables)
        fmt::format_to(std::back_inserter(out), "  {:<10} {:>9} entries, generation {}, published {}{}\n",
                       line.table, line.entries, line.generation, ago(line.at, now),
                       line.until ? ", good until " + format_time(*line.until) : "");
}

void add_list(const char* title, const std::vector<census::ExplanationLine>& lines, Time now,
              std::string& out) {
    if (lines.empty()) return;
    fmt::format_to(std::back_inserter(out), "\n{}:\n", title);
    for (const census::ExplanationLine& line : lines) {
        out += "  - " + printable(line.what, 1000);
        if (line.at) out += ": " + format_time(*line.at) + " (" + ago(*line.at, now) + ")";
        out += "\n";
    }
}

std::string_view meaning(census::Answer answer) {
    switch (answer) {
        case census::Answer::accept:
            return "Postfix answers 250";
        case census::Answer::closed:
            return "Postfix answers 250 to trusted clients, 550 5.7.1 to strangers";
        case census::Answer::reject:
            return "Postfix answers 550 5.1.1";
        case census::Answer::unsure:
            break;
    }
    return "Postfix answers 450 4.1.1, and the sender tries again";
}

}  // namespace

std::string report_text(const census::Report& report, Time now) {
    std::string out =
        fmt::format("Postcensus report, {} to {}\n\n", format_time(report.since), format_time(report.until));
    add_domains(report, out);
    add_attention(report, now, out);
    add_work(report, now, out);
    fmt::format_to(std::back_inserter(out), "\nChanges ({}{}):\n", report.changes_total,
                   report.changes_total > static_cast<std::int64_t>(report.changes.size())
                       ? fmt::format(", the newest {}", report.changes.size())
                       : "");
    for (const census::ChangeLine& line : report.changes)
        fmt::format_to(std::back_inserter(out), "  {}  {}: {} -> {} ({}; {})\n", format_time(line.at),
                       printable(line.address), line.from, line.to, line.reason, printable(line.cause));
    if (!report.commands.empty()) out += "\nCommands:\n";
    for (const census::CommandLine& line : report.commands)
        fmt::format_to(std::back_inserter(out), "  {}  {} by {}: {}\n", format_time(line.at), line.name,
                       printable(line.user), printable(line.words));
    return out;
}

std::string explanation_text(const census::Explanation& explanation, Time now) {
    std::string out = fmt::format("{}: {}\n{}", printable(explanation.address),
                                  census::name_of(explanation.answer), meaning(explanation.answer));
    if (!explanation.table.empty()) fmt::format_to(std::back_inserter(out), " (table {})", explanation.table);
    fmt::format_to(std::back_inserter(out), "\nWhy: {}\n",
                   explanation.known ? census::explain(explanation.reason)
                                     : "it was never listed, missed or configured");
    add_list("Evidence", explanation.evidence, now, out);
    add_list("What comes next", explanation.next, now, out);
    add_list("History", explanation.history, now, out);
    if (!explanation.postfix.empty()) out += "\nWhat Postfix finds (postmap -q):\n";
    for (const auto& [table, value] : explanation.postfix)
        fmt::format_to(std::back_inserter(out), "  {:<10} {}\n", table,
                       value ? printable(*value) : "not found");
    for (const std::string& trouble : explanation.trouble)
        out += "\nWarning: " + printable(trouble, 1000) + "\n";
    return out;
}

}  // namespace postcensus::audit
