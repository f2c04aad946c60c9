// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "audit/html_parts.h"
#include "audit/markup.h"
#include "audit/text.h"

namespace postcensus::audit {
namespace {

std::string note(const char* words) {
    return fmt::format("<p class=\"note\">{}</p>\n", words);
}

// A total that is smaller than its list is none.
template <typename Lines>
std::int64_t total_of(std::int64_t total, const Lines& lines) {
    return std::max(total, static_cast<std::int64_t>(lines.size()));
}

Markup explained(const std::string& reason) {
    const auto known = census::parse_reason(reason);
    return known ? words(census::explain(*known)) : text(reason);
}

std::string waiting(const census::Report& report) {
    if (report.waiting.empty())
        return section("Mail that waits" + as_of_now(report), "<p class=\"none\">None.</p>\n");
    Table table("Recipients that mail waits for",
                {{"recipient", Column::Kind::name},
                 {"misses", Column::Kind::number},
                 {"first miss", Column::Kind::word},
                 {"last miss", Column::Kind::word},
                 {"why it is unsure"},
                 {"last callout"}},
                Narrow::stacked);
    for (const census::WaitingLine& line : report.waiting)
        if (!table.add({text(line.address), number(line.misses), time(line.first), time(line.last),
                        explained(line.reason), text(line.last_callout)}))
            break;
    return section("Mail that waits" + as_of_now(report),
                   note("Unsure for over an hour while their senders come back. Postfix answers 450, the "
                        "senders keep the mail, and after some days give up. Made-up addresses belong here; "
                        "a recipient that exists does not.") +
                       table.html(total_of(report.waiting_total, report.waiting), "longest waiting"));
}

std::string learned_by_domain(const census::Report& report) {
    std::vector<const census::DomainCounts*> busiest;
    for (const census::DomainCounts& domain : report.domains)
        if (domain.waits.count > 0) busiest.push_back(&domain);
    if (busiest.empty()) return {};
    if (busiest.size() > kMostDomains)
        std::stable_sort(busiest.begin(), busiest.end(), [](const auto* one, const auto* other) {
            return one->waits.count > other->waits.count;
        });
    Table table("Time to learn, by domain",
                {{"domain", Column::Kind::name},
                 {"learned after a miss", Column::Kind::number},
                 {"half of them within", Column::Kind::number},
                 {"95 of 100 within", Column::Kind::number}},
                Narrow::scrolled, kMostDomains);
    for (const census::DomainCounts* domain : busiest)
        if (!table.add({text(domain->domain), number(domain->waits.count),
                        words(spelled(domain->waits.median)), words(spelled(domain->waits.p95))}))
            break;
    return table.html(static_cast<std::int64_t>(busiest.size()), "busiest");
}

std::string learned(const census::Report& report) {
    const census::LearnTimes& times = report.learned;
    if (times.count <= 0) return {};
    const auto fact = [](const char* name, const std::string& value) {
        return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, value);
    };
    return section("Time to learn",
                   note("From the first miss of a recipient until Postfix accepts it.") +
                       "<dl class=\"figures\">" + fact("learned after a miss", grouped(times.count)) +
                       fact("half of them within", spelled(times.median)) +
                       fact("95 of 100 within", spelled(times.p95)) +
                       fact("the longest", spelled(times.longest)) + "</dl>\n" + learned_by_domain(report));
}

std::string gaps(const census::Report& report) {
    if (report.directories.empty() || report.gaps.empty()) return {};
    Table table("Recipients that no directory lists",
                {{"recipient", Column::Kind::name}, {"proved at", Column::Kind::word}, {"what it may be"}},
                Narrow::stacked);
    for (const census::GapLine& line : report.gaps)
        if (!table.add({text(line.address), time(line.at), text(line.kind)})) break;
    return section("Gaps in the directory" + as_of_now(report),
                   note("The mail server takes mail for them, and no directory lists them.") +
                       table.html(total_of(report.gaps_total, report.gaps), "newest"));
}

std::string conflicts(const census::Report& report) {
    if (report.conflicts.empty()) return {};
    Table table("Listed recipients that the mail server refuses",
                {{"recipient", Column::Kind::name},
                 {"object"},
                 {"last refusal", Column::Kind::word},
                 {"server"},
                 {"its reply"},
                 {"refused now", Column::Kind::word}},
                Narrow::stacked);
    for (const census::ConflictLine& line : report.conflicts)
        if (!table.add({text(line.address), text(line.object + (line.unseen ? kNotSeen : "")), time(line.at),
                        text(line.target), text(line.reply), words(line.refused ? "yes" : "no")}))
            break;
    return section(
        "Conflicts" + as_of_now(report),
        note("A directory lists or listed them, and the mail server says that they do not exist.") +
            table.html(total_of(report.conflicts_total, report.conflicts), "newest"));
}

std::string bounces(const census::Report& report) {
    if (report.bounces.empty()) return {};
    Table table("Accepted recipients whose mail was refused",
                {{"recipient", Column::Kind::name},
                 {"refusals in the period", Column::Kind::number},
                 {"first", Column::Kind::word},
                 {"last", Column::Kind::word},
                 {"server"},
                 {"its reply"},
                 {"answer now", Column::Kind::word}},
                Narrow::stacked);
    for (const census::BounceLine& line : report.bounces)
        if (!table.add({text(line.address), number(line.count), time(line.first), time(line.last),
                        text(line.host), text(line.reply), text(line.answer)}))
            break;
    return section("Backscatter",
                   note("Postfix accepted this mail and the server behind it did not: the sender, true or "
                        "forged, got a bounce.") +
                       table.html(total_of(report.bounces_total, report.bounces), "newest"));
}

std::string held(const census::Report& report) {
    if (report.held.empty()) return {};
    Table table("Removals that wait for an operator",
                {{"recipient", Column::Kind::name},
                 {"hold", Column::Kind::number},
                 {"since", Column::Kind::word},
                 {"directory", Column::Kind::word},
                 {"object"},
                 {"cause", Column::Kind::word}},
                Narrow::stacked);
    for (const census::HoldLine& line : report.held)
        if (!table.add({text(line.address), number(line.number), time(line.at), text(line.directory),
                        text(line.object),
                        line.cause == "gate" ? words("too many at once") : text(line.cause)}))
            break;
    return section("Held removals" + as_of_now(report),
                   note("They keep their answer until <code>postcensus approve</code> releases them.") +
                       table.html(total_of(report.held_total, report.held), "first"));
}

std::string unseen(const census::Report& report) {
    if (report.unseen.empty()) return {};
    Table table("Objects that readings do not find any more",
                {{"address", Column::Kind::name}, {"directory", Column::Kind::word}, {"object"}},
                Narrow::stacked);
    for (const census::UnseenLine& line : report.unseen)
        if (!table.add({text(line.address), text(line.directory), text(line.object)})) break;
    return section("Unseen objects" + as_of_now(report),
                   note("Deleted, moved out of the search base, or hidden from our account, or their "
                        "addresses are: nothing says "
                        "which. What they listed stays accepted until a callout says otherwise.") +
                       table.html(total_of(report.unseen_total, report.unseen), "first"));
}

std::string mistyped(const census::Report& report) {
    if (report.mistyped.empty()) return {};
    Table table("Values in the directories that are no valid address",
                {{"value", Column::Kind::name}, {"why"}, {"directory", Column::Kind::word}, {"object"}},
                Narrow::stacked);
    for (const census::MistypedLine& line : report.mistyped)
        if (!table.add({text(line.value), text(line.why), text(line.directory), text(line.object)})) break;
    return section("Mistyped addresses" + as_of_now(report),
                   note("They were left out; what was meant is not guessed.") +
                       table.html(total_of(report.mistyped_total, report.mistyped), "first"));
}

}  // namespace

std::string recipient_sections(const census::Report& report) {
    return waiting(report) + held(report) + conflicts(report) + bounces(report) + learned(report) +
           gaps(report) + unseen(report) + mistyped(report);
}

std::string change_sections(const census::Report& report) {
    std::string out;
    if (!report.changes.empty()) {
        Table table("Recipients whose answer changed",
                    {{"recipient", Column::Kind::name},
                     {"at", Column::Kind::word},
                     {"from", Column::Kind::word},
                     {"to", Column::Kind::word},
                     {"reason"},
                     {"cause", Column::Kind::word},
                     {"waited", Column::Kind::word}},
                    Narrow::stacked);
        for (const census::ChangeLine& line : report.changes)
            if (!table.add({text(line.address), time(line.at), text(line.from), text(line.to),
                            explained(line.reason), text(line.cause),
                            line.waited ? words(spelled(*line.waited)) : Markup{}}))
                break;
        out += section("Changes", table.html(total_of(report.changes_total, report.changes), "newest"));
    }
    if (!report.commands.empty()) {
        Table table("What operators, failsafe and the decider itself did",
                    {{"command", Column::Kind::key},
                     {"at", Column::Kind::word},
                     {"user", Column::Kind::word},
                     {"what it said"}},
                    Narrow::stacked);
        for (const census::CommandLine& line : report.commands)
            if (!table.add({text(line.name), time(line.at), text(line.user), text(line.words)})) break;
        out += section("Commands", table.html(total_of(report.commands_total, report.commands), "newest"));
    }
    return out;
}

}  // namespace postcensus::audit
