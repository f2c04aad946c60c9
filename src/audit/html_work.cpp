// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "audit/html_parts.h"
#include "audit/markup.h"
#include "audit/text.h"

namespace postcensus::audit {
namespace {

template <typename Lines>
std::int64_t size_of(const Lines& lines) {
    return static_cast<std::int64_t>(lines.size());
}

Markup time_or(const std::optional<Time>& at, const char* otherwise) {
    return at ? time(*at) : words(otherwise);
}

std::string directories(const census::Report& report) {
    if (report.directories.empty()) return {};
    Table table("Directories",
                {{"directory", Column::Kind::key},
                 {"listed", Column::Kind::number},
                 {"last read", Column::Kind::word},
                 {"last full reading", Column::Kind::word},
                 {"state"},
                 {"outcome of the last reading"}},
                Narrow::stacked);
    for (const census::DirectoryLine& line : report.directories) {
        const Markup state =
            line.away_since
                ? Markup{"<strong>does not answer since " + time(*line.away_since).html + "</strong>"}
            : line.full_failure ? Markup{"<strong>the last full reading was not applied:</strong> " +
                                         text(*line.full_failure).html}
                                : words("good");
        if (!table.add({text(line.name), number(line.listed), time_or(line.last_good, "never"),
                        time_or(line.last_full, "never"), state, text(line.outcome)}))
            break;
    }
    return section("Directories" + as_of_now(report), table.html(size_of(report.directories), "first"));
}

std::string readings(const census::Report& report) {
    if (report.readings.empty() && report.lookups == 0) return {};
    Table table("Readings of the directories",
                {{"directory", Column::Kind::key},
                 {"ended", Column::Kind::word},
                 {"took", Column::Kind::number},
                 {"kind", Column::Kind::word},
                 {"server"},
                 {"added", Column::Kind::number},
                 {"removed", Column::Kind::number},
                 {"of these held", Column::Kind::number},
                 {"applied", Column::Kind::word},
                 {"outcome"}},
                Narrow::stacked);
    for (const census::ReadingLine& line : report.readings)
        if (!table.add({text(line.directory), time(line.ended), words(spelled(line.ended - line.began)),
                        text(line.kind), text(line.server), number(line.added), number(line.removed),
                        number(line.held), line.good ? words("yes") : Markup{"<strong>no</strong>"},
                        text(line.outcome)}))
            break;
    const std::int64_t total = std::max(report.readings_total, size_of(report.readings));
    return section(
        "Readings",
        fmt::format("<p class=\"note\">{} in the period, {} of them not applied; and {} lookups of single "
                    "recipients, which show in what they brought.</p>\n",
                    grouped(total), grouped(report.readings_failed), grouped(report.lookups)) +
            (report.readings.empty() ? "" : table.html(total, "newest")));
}

std::string breakers(const census::Report& report) {
    if (report.breakers.empty() && report.stops.empty()) return {};
    Table table("Callouts that are stopped, or were",
                {{"server", Column::Kind::name},
                 {"domain"},
                 {"since", Column::Kind::word},
                 {"until", Column::Kind::word},
                 {"reason"}},
                Narrow::stacked);
    for (const auto* lines : {&report.breakers, &report.stops})
        for (const census::BreakerLine& line : *lines)
            if (!table.add({text(line.target), line.domain.empty() ? words("all") : text(line.domain),
                            time(line.since), line.ended ? time(*line.ended) : Markup{"<strong>now</strong>"},
                            text(line.reason)}))
                break;
    return section(
        "Stopped callouts",
        table.html(size_of(report.breakers) + std::max(report.stops_total, size_of(report.stops)), "newest"));
}

constexpr const char* kClasses[] = {"deliverable", "unknown", "policy", "accept-all", "fault", "retry"};

// Answers to callouts: one column for each class, and one for what is none of them.
void add_classes(const std::map<std::string, std::int64_t>& classes, std::vector<Markup>& cells) {
    std::int64_t other = 0;
    for (const auto& [name, value] : classes)
        if (std::none_of(std::begin(kClasses), std::end(kClasses),
                         [&name = name](const char* klass) { return name == klass; }))
            other = sum_of(other, value);
    for (const char* klass : kClasses) {
        const auto found = classes.find(klass);
        cells.push_back(number(found == classes.end() ? 0 : found->second));
    }
    cells.push_back(number(other));
}

std::string callouts(const census::Report& report) {
    if (report.targets.empty() && report.callouts.empty()) return {};
    std::vector<Column> columns{{"server", Column::Kind::name},
                                {"sessions", Column::Kind::number},
                                {"deliverable", Column::Kind::number},
                                {"unknown", Column::Kind::number},
                                {"closed", Column::Kind::number},
                                {"accepts everyone", Column::Kind::number},
                                {"fault", Column::Kind::number},
                                {"retry", Column::Kind::number},
                                {"other", Column::Kind::number},
                                {"tarpit", Column::Kind::number},
                                {"refusals a session", Column::Kind::number},
                                {"limit met at", Column::Kind::number}};
    Table table("Servers that callouts ask", std::move(columns), Narrow::scrolled);
    for (const census::TargetLine& line : report.targets) {
        std::vector<Markup> cells{text(line.target), number(line.sessions)};
        add_classes(line.classes, cells);
        cells.push_back(words(line.tarpit.count() > 0 ? spelled(line.tarpit) : "none"));
        cells.push_back(line.most_refused > 0 ? number(line.most_refused) : words("not learned"));
        cells.push_back(line.limit_at ? number(*line.limit_at) : words("never"));
        if (!table.add(cells)) break;
    }
    std::vector<Markup> sums{words("All servers"), {}};
    add_classes(report.callouts, sums);
    std::string totals;
    for (std::size_t i = 0; i <= std::size(kClasses); ++i)
        fmt::format_to(std::back_inserter(totals), "<div><dt>{}</dt><dd>{}</dd></div>",
                       i < std::size(kClasses) ? kClasses[i] : "other", sums[i + 2].html);
    return section(
        "Callouts",
        "<p class=\"note\">Only deliverable, unknown and policy (closed) say something about a recipient. "
        "Tarpit: how long the server waits before a refusal. Refusals a session: how many we allow "
        "ourselves.</p>\n<dl class=\"figures small\">" +
            totals +
            fmt::format("<div><dt>questions in line now</dt><dd>{}</dd></div>", grouped(report.questions)) +
            "</dl>\n" +
            (report.targets.empty()
                 ? ""
                 : table.html(std::max(report.targets_total, size_of(report.targets)), "busiest")));
}

std::string networks(const census::Report& report) {
    if (report.networks.empty()) return {};
    const bool all = report.domain.empty();  // what was not asked about is not counted by domain
    std::vector<Column> columns{{"network", Column::Kind::key},
                                {"distinct unknown recipients", Column::Kind::number}};
    if (all) columns.push_back({"misses not asked about", Column::Kind::number});
    Table table("Networks that miss the most", std::move(columns), Narrow::stacked);
    for (const census::NetworkLine& line : report.networks) {
        std::vector<Markup> cells{text(line.network), number(line.missed)};
        if (all) cells.push_back(number(line.suppressed));
        if (!table.add(cells)) break;
    }
    return section("Networks",
                   "<p class=\"note\">Over its budget a network's misses become no questions. If one of "
                   "them is a mail filter of yours, name it in <code>relays</code>.</p>\n" +
                       table.html(size_of(report.networks), "busiest"));
}

std::string tables(const census::Report& report) {
    if (report.tables.empty()) return {};
    Table table("Tables that Postfix reads",
                {{"table", Column::Kind::key},
                 {"entries", Column::Kind::number},
                 {"generation", Column::Kind::number},
                 {"published in the period", Column::Kind::number},
                 {"last published", Column::Kind::word},
                 {"good until", Column::Kind::word}},
                Narrow::stacked);
    for (const census::TableLine& line : report.tables)
        if (!table.add({text(line.table), number(line.entries), number(line.generation),
                        number(line.published), time(line.at), time_or(line.until, "no end")}))
            break;
    return section("Tables" + as_of_now(report), table.html(size_of(report.tables), "first"));
}

struct CounterWords {
    const char* name;
    const char* words;
};
constexpr CounterWords kCounters[] = {
    {"misses", "misses in the log"},
    {"misses-suppressed", "misses that became no question: over a network's budget, or the queue was full"},
    {"misses-old",
     "misses that were older than unknown-expire when they were read: they asked, and allowed no refusal"},
    {"misses-without-route", "misses in relay domains that no route names"},
    {"asked", "refusals of ours that a client met"},
    {"deliveries", "deliveries to the mail servers"},
    {"bounces", "deliveries that the mail servers refused"},
    {"lines-invalid", "lines of the log whose recipient is no valid address"},
    {"lines-hostile", "lines of the log that contradict themselves, dropped"},
    {"lines-cut", "lines of the log that were too long or cut, dropped"},
    {"lines-not-understood", "lines of the log that look like Postfix's and are not understood"},
    {"log-gaps", "times that lines of the log may have been lost"},
    {"tables-repaired", "tables that somebody else had changed, written again"},
    {"lookups", "recipients looked up in a directory"},
    {"lookups-found", "of these: found"},
};

std::string counters(const census::Report& report) {
    if (report.counters.empty() && report.lapsed == 0) return {};
    Table table("Counts of the period", {{"what", Column::Kind::name}, {"count", Column::Kind::number}},
                Narrow::scrolled);
    if (report.lapsed > 0) table.add({words("refusals that ended by themselves"), number(report.lapsed)});
    for (const CounterWords& counter : kCounters)
        if (const auto found = report.counters.find(counter.name); found != report.counters.end())
            // Its own name as well: the handbook speaks of that.
            table.add(
                {{fmt::format("{} <code>{}</code>", counter.words, counter.name)}, number(found->second)});
    for (const auto& [name, value] : report.counters)
        if (std::none_of(std::begin(kCounters), std::end(kCounters),
                         [&name = name](const CounterWords& counter) { return name == counter.name; }))
            if (!table.add({text(name), number(value)})) break;
    return section("Counts", table.html(size_of(report.counters) + (report.lapsed > 0 ? 1 : 0), "first"));
}

}  // namespace

std::string work_sections(const census::Report& report) {
    return directories(report) + readings(report) + callouts(report) + breakers(report) + networks(report) +
           tables(report) + counters(report);
}

}  // namespace postcensus::audit
