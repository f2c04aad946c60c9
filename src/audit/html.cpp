// SPDX-License-Identifier: MIT
#include "audit/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "audit/charts.h"
#include "audit/html_parts.h"
#include "audit/markup.h"
#include "audit/text.h"

namespace postcensus::audit {
namespace {

constexpr std::size_t kMostDomainBytes = 70'000;
constexpr std::size_t kMostAttention = 50;
constexpr std::size_t kLongestSentence = 500;  // of what needs attention: a server's reply may be in it

std::string head(const census::Report& report) {
    const std::string whose = report.domain.empty() ? "" : escaped(report.domain) + ", ";
    // No script, no picture, no font, no address to load from: a page that is mailed around cannot call home.
    return fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"UTF-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"robots\" content=\"noindex\">\n"
        "<title>Postcensus report: {}{} to {}</title>\n<style>{}</style>\n</head>\n",
        whose, minute_of(report.since), minute_of(report.until), style_sheet());
}

// What a report of one domain does not tell apart, and whether that one has ended.
std::string domain_note(const census::Report& report) {
    if (report.domain.empty()) return {};
    std::string note = kOfAllDomains;
    note.front() = 'D';
    return fmt::format(
        " {}.{}", note,
        report.ended ? " No route names this domain any more: what follows is its history." : "");
}

std::string header(const census::Report& report) {
    return fmt::format(
        "<header>\n<p class=\"brand\">Postcensus report</p>\n<h1>{}</h1>\n<p>{} to {}. Made {}. All times "
        "are UTC.{}</p>\n</header>\n",
        report.domain.empty() ? "All relayed domains" : text(report.domain).html, time(report.since).html,
        time(report.until).html, time(report.made).html, domain_note(report));
}

// What an attention is called on its mark. Its own word is for programs.
const char* mark_of(const std::string& what) {
    struct Mark {
        const char* what;
        const char* words;
    };
    static constexpr Mark kMarks[] = {
        {"waiting", "Mail waits"}, {"held", "Held"},          {"reading", "Directory"},
        {"away", "Directory"},     {"breaker", "Callouts"},   {"accept-all", "Accepts everyone"},
        {"conflict", "Conflict"},  {"bounce", "Backscatter"}, {"log", "Log"},
        {"failsafe", "Failsafe"},  {"table", "Table"},        {"lease", "Lease"},
        {"watch", "Watch"}};
    for (const Mark& mark : kMarks)
        if (what == mark.what) return mark.words;
    return "Notice";
}

std::string attention(const census::Report& report) {
    if (report.attention.empty())
        return "<section class=\"calm\">\n<h2>Nothing needs attention</h2>\n<p>watch runs, no mail waits, no "
               "removal "
               "is held, every directory was read, and no callouts are stopped.</p>\n</section>\n";
    std::string list;
    const std::size_t shown = std::min(report.attention.size(), kMostAttention);
    for (std::size_t i = 0; i < shown; ++i)
        fmt::format_to(std::back_inserter(list), "<li><strong>{}</strong> {}</li>\n",
                       mark_of(report.attention[i].what),
                       text(report.attention[i].words, kLongestSentence).html);
    const std::string more =
        shown < report.attention.size()
            ? fmt::format("<p class=\"cut\">{} more are not shown.</p>\n",
                          grouped(static_cast<std::int64_t>(report.attention.size() - shown)))
            : "";
    return fmt::format("<section class=\"alarm\">\n<h2>Needs attention{}</h2>\n<ul>\n",
                       is_past(report) ? " (of the period, and as of now)" : "") +
           list + "</ul>\n" + more + "</section>\n";
}

std::string key_figures(const census::Report& report) {
    census::DomainCounts all;
    for (const census::DomainCounts& counts : report.domains) {
        all.accepted = sum_of(all.accepted, counts.accepted);
        all.listed = sum_of(all.listed, counts.listed);
        all.learned = sum_of(all.learned, counts.learned);
        all.unknown = sum_of(all.unknown, counts.unknown);
        all.missed = sum_of(all.missed, counts.missed);
        all.came = sum_of(all.came, counts.came);
    }
    struct Figure {
        const char* name;
        std::string value;
    };
    const Figure figures[] = {
        {"recipients accepted", grouped(all.accepted)},
        {"of these listed", grouped(all.listed)},
        {"of these learned", grouped(all.learned)},
        {"became accepted in the period", grouped(all.came)},
        {"refused as unknown", grouped(all.unknown)},
        {"distinct recipients missed", grouped(all.missed)},
        {"that mail waits for",
         grouped(std::max(report.waiting_total, static_cast<std::int64_t>(report.waiting.size())))},
        {"half are learned within",
         report.learned.count > 0 ? spelled(report.learned.median) : std::string("–")},
    };
    std::string out = "<dl class=\"figures\">";
    for (const Figure& figure : figures)
        fmt::format_to(std::back_inserter(out), "<div><dt>{}</dt><dd>{}</dd></div>", figure.name,
                       figure.value);
    out += "</dl>\n";
    if (is_past(report))
        out +=
            "<p class=\"note\">Accepted, listed, learned, refused, and that mail waits for: as of now. The "
            "others: in the period.</p>\n";
    return section("Key figures", out);
}

std::string domains(const census::Report& report) {
    std::vector<const census::DomainCounts*> busiest;
    for (const census::DomainCounts& counts : report.domains) busiest.push_back(&counts);
    if (busiest.size() > kMostDomains)
        std::stable_sort(busiest.begin(), busiest.end(),
                         [](const auto* one, const auto* other) { return one->misses > other->misses; });
    Table table("Domains",
                {{"domain", Column::Kind::name},
                 {"accepted", Column::Kind::number},
                 {"listed", Column::Kind::number},
                 {"learned", Column::Kind::number},
                 {"closed", Column::Kind::number},
                 {"unknown", Column::Kind::number},
                 {"held", Column::Kind::number},
                 {"misses", Column::Kind::number},
                 {"distinct", Column::Kind::number},
                 {"came", Column::Kind::number},
                 {"left", Column::Kind::number},
                 {"rejected", Column::Kind::number}},
                Narrow::scrolled, kMostDomains, kMostDomainBytes);
    for (const census::DomainCounts* counts : busiest) {
        Markup name = text(counts->domain);
        if (counts->accept_all) name.html += " <strong class=\"mark\">accepts everyone</strong>";
        if (!table.add({name, number(counts->accepted), number(counts->listed), number(counts->learned),
                        number(counts->closed), number(counts->unknown), number(counts->held),
                        number(counts->misses), number(counts->missed), number(counts->came),
                        number(counts->left), number(counts->rejected)}))
            break;
    }
    std::string out =
        "<p class=\"note\">Accepted to held is how it stands now, misses to rejected what came in the "
        "period. Misses are those "
        "that are kept: of each recipient the first, and the last few. Distinct: how many recipients they "
        "were for.</p>\n";
    out += busiest.empty() ? "<p class=\"none\">None.</p>\n"
                           : table.html(static_cast<std::int64_t>(busiest.size()), "busiest");
    if (report.elsewhere > 0)
        out += fmt::format("<p class=\"note\">{} known addresses are in domains that no route names.</p>\n",
                           grouped(report.elsewhere));
    return section("Domains", out);
}

// What was looked for and not found: an auditor wants to read that, in one line.
std::string nothing_of(const census::Report& report) {
    const std::pair<bool, const char*> lists[] = {
        {report.held.empty(), "held removals"},
        {report.conflicts.empty(), "conflicts"},
        {report.bounces.empty(), "backscatter"},
        {report.learned.count <= 0, "recipients learned after a miss"},
        {!report.directories.empty() && report.gaps.empty(), "gaps in the directory"},
        {!report.directories.empty() && report.unseen.empty(), "unseen objects"},
        {!report.directories.empty() && report.mistyped.empty(), "mistyped addresses"},
        {!report.directories.empty() && report.readings.empty() && report.lookups == 0, "readings"},
        {report.targets.empty() && report.callouts.empty(), "callouts"},
        {report.breakers.empty() && report.stops.empty(), "stopped callouts"},
        {report.networks.empty(), "networks that asked for unknown recipients"},
        {report.tables.empty(), "published tables"},
        {report.changes.empty(), "changes"},
        {report.commands.empty(), "commands of an operator"}};
    std::string names;
    for (const auto& [empty, name] : lists)
        if (empty) names += std::string(names.empty() ? "" : ", ") + name;
    if (names.empty()) return {};
    return section("Nothing to show", "<p class=\"none\">There are none of these: " + names + ".</p>\n");
}

}  // namespace

std::string section(const std::string& title, const std::string& inner) {
    return fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", title, inner);
}

std::string report_html(const census::Report& report) {
    return head(report) + "<body>\n" + header(report) + "<main>\n" + attention(report) + key_figures(report) +
           "<section>\n<h2>In pictures</h2>\n<div class=\"charts\">\n" + charts(report) +
           "</div>\n</section>\n" + domains(report) + recipient_sections(report) + work_sections(report) +
           change_sections(report) + nothing_of(report) + "</main>\n</body>\n</html>\n";
}

}  // namespace postcensus::audit
