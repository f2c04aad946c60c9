// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "audit/text.h"
#include "base/duration.h"
#include "base/printable.h"

namespace postcensus::audit {
namespace {

constexpr std::size_t kFew = 10;  // lines of most lists: the other formats have more
constexpr std::size_t kChanges = 50;
constexpr std::size_t kDomains = 200;

// Characters, not bytes: names may be of any script. Wide ones count as one, and spoil a column at worst.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// Columns as wide as what stands in them; those after the first are numbers, to the right.
class Columns {
  public:
    explicit Columns(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

    void write(const Colours& colours, std::string& out) const {
        std::vector<std::size_t> widths(rows_.front().size(), 0);
        for (const auto& row : rows_)
            for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
        for (const auto& row : rows_) {
            std::string line = "  ";
            for (std::size_t i = 0; i < row.size(); ++i) {
                const std::string gap(i < widths.size() ? widths[i] - width_of(row[i]) : 0, ' ');
                if (i > 0) line += "  ";
                line += i == 0 || i >= widths.size() ? row[i] + gap : gap + row[i];
            }
            line.erase(line.find_last_not_of(' ') + 1);
            out += (&row == &rows_.front() ? colours.bold(line) : line) + "\n";
        }
    }

  private:
    std::vector<std::vector<std::string>> rows_;
};

class TextReport {
  public:
    TextReport(const census::Report& report, bool colour) : report_(report), colours_(colour) {}

    std::string write() {
        line("{}",
             colours_.bold(fmt::format("Postcensus report, {} to {}{}", format_time(report_.since),
                                       format_time(report_.until),
                                       report_.domain.empty() ? "" : ", " + printable(report_.domain))));
        if (!report_.domain.empty()) line("{}", kOfAllDomains);
        if (report_.ended) line("no route names this domain any more: what follows is its history");
        add_attention();
        add_domains();
        add_waiting();
        add_learned();
        add_doubts();
        add_held();
        add_reading();
        add_asking();
        add_counts();
        add_changes();
        return std::move(out_);
    }

  private:
    template <typename... Args>
    void line(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
        out_ += "\n";
    }
    void title(const std::string& text) { line("\n{}", colours_.bold(text)); }
    std::string now(const char* heading) const { return heading + as_of_now(report_); }
    std::string since(Time at) const { return ago(at, report_.made); }
    // How many a list leaves out.
    void more(std::int64_t total, std::size_t shown) {
        if (total > static_cast<std::int64_t>(shown))
            line("  … and {} more", total - static_cast<std::int64_t>(shown));
    }
    template <typename Lines>
    static std::size_t few(const Lines& lines, std::size_t most = kFew) {
        return std::min(lines.size(), most);
    }

    void add_attention() {
        if (report_.attention.empty()) return line("{}", colours_.green("Nothing needs attention."));
        title(is_past(report_) ? "Needs attention (of the period, and as of now):" : "Needs attention:");
        for (const census::Attention& one : report_.attention)
            line("  {} {}", colours_.red("!"), printable(one.words, 500));
    }

    void add_domains() {
        title(is_past(report_) ? "Domains (accepted to held: as of now):" : "Domains:");
        if (report_.domains.empty()) return line("  no relayed domain");
        Columns columns({"domain", "accepted", "listed", "learned", "closed", "unknown", "held", "misses",
                         "distinct", "came", "left", "refused"});
        for (std::size_t i = 0; i < few(report_.domains, kDomains); ++i) {
            const census::DomainCounts& domain = report_.domains[i];
            std::vector<std::string> row{printable(domain.domain)};
            for (const std::int64_t number :
                 {domain.accepted, domain.listed, domain.learned, domain.closed, domain.unknown, domain.held,
                  domain.misses, domain.missed, domain.came, domain.left, domain.rejected})
                row.push_back(std::to_string(number));
            if (domain.accept_all) row.emplace_back("its server accepts everyone");
            columns.add(std::move(row));
        }
        columns.write(colours_, out_);
        more(static_cast<std::int64_t>(report_.domains.size()), few(report_.domains, kDomains));
        line("  misses: those that are kept, of each recipient the first and the last nine");
        if (report_.elsewhere > 0)
            line("  {} known addresses are in domains that no route names", report_.elsewhere);
    }

    void add_waiting() {
        if (report_.waiting_total == 0) return;
        title(now("Unsure for over an hour with senders coming back (mail waits)") + ":");
        for (std::size_t i = 0; i < few(report_.waiting); ++i) {
            const census::WaitingLine& one = report_.waiting[i];
            const auto reason = census::parse_reason(one.reason).value_or(census::Reason::no_evidence);
            line("  {}  {} misses, first {}, last {}: {}{}", printable(one.address), one.misses,
                 since(one.first), since(one.last), census::explain(reason),
                 one.last_callout.empty() ? "" : " [" + printable(one.last_callout) + "]");
        }
        more(report_.waiting_total, few(report_.waiting));
    }

    void add_learned() {
        if (report_.learned.count == 0) return;
        title("Learned after a miss:");
        line("  {} recipients; from the first miss to the answer: median {}, 95th percentile {}, longest {}",
             report_.learned.count, spell(report_.learned.median), spell(report_.learned.p95),
             spell(report_.learned.longest));
        if (report_.domains.size() < 2) return;
        Columns columns({"domain", "recipients", "median", "95%"});
        std::size_t learned = 0;
        for (const census::DomainCounts& domain : report_.domains)
            if (domain.waits.count > 0 && ++learned <= kDomains)
                columns.add({printable(domain.domain), std::to_string(domain.waits.count),
                             spell(domain.waits.median), spell(domain.waits.p95)});
        columns.write(colours_, out_);
        more(static_cast<std::int64_t>(learned), std::min(learned, kDomains));
    }

    static std::string spell(Milliseconds time) {
        return time < std::chrono::seconds(10)
                   ? fmt::format("{:.2f} s", static_cast<double>(time.count()) / 1000)
                   : spell_duration(time);
    }

    void add_doubts() {
        if (report_.gaps_total > 0) {
            title(now("Gaps") + ": the server knows them, no directory lists them:");
            for (std::size_t i = 0; i < few(report_.gaps); ++i)
                line("  {}  proven {}: {}", printable(report_.gaps[i].address), since(report_.gaps[i].at),
                     printable(report_.gaps[i].kind, 500));
            more(report_.gaps_total, few(report_.gaps));
        }
        if (report_.conflicts_total > 0) {
            title(now("Conflicts") + ": a directory lists or listed them, the server refuses them:");
            for (std::size_t i = 0; i < few(report_.conflicts); ++i) {
                const census::ConflictLine& one = report_.conflicts[i];
                line("  {}  {} at {}: {} ({})", printable(one.address), since(one.at), printable(one.target),
                     printable(one.reply),
                     one.refused ? "450 until one of them gives way" : "asked again soon");
                if (!one.object.empty())
                    line("      listed by {}{}", printable(one.object), one.unseen ? kNotSeen : "");
            }
            more(report_.conflicts_total, few(report_.conflicts));
        }
        if (report_.bounces_total > 0) {
            title("Bounces of accepted recipients:");
            for (std::size_t i = 0; i < few(report_.bounces); ++i) {
                const census::BounceLine& one = report_.bounces[i];
                line("  {}  {} in the period, last {} by {}: {} (now: {})", printable(one.address),
                     one.count == 1 ? "once" : fmt::format("{} times", one.count), since(one.last),
                     printable(one.host), printable(one.reply), printable(one.answer));
            }
            more(report_.bounces_total, few(report_.bounces));
        }
    }

    void add_held() {
        if (report_.held_total > 0) {
            title(now("Held") +
                  fmt::format(": {} removals wait for `postcensus approve`:", report_.held_total));
            for (std::size_t i = 0; i < few(report_.held); ++i) {
                const census::HoldLine& one = report_.held[i];
                line("  hold {}: {} ({}{}{})", one.number, printable(one.address),
                     one.cause == "gate" ? "too many at once" : "not found any more",
                     one.directory.empty() ? "" : "; " + printable(one.directory),
                     one.object.empty() ? "" : ": " + printable(one.object));
            }
            more(report_.held_total, few(report_.held));
        }
        add_mistyped();
        if (report_.unseen_total == 0) return;
        title(
            fmt::format("{}: {} objects are not found any more, or show no addresses though they are "
                        "mailboxes, and nothing says that they are gone; what they list stays accepted until "
                        "a callout says otherwise. Deleted, moved out of base, or hidden from our account?",
                        now("Unseen"), report_.unseen_total));
        for (std::size_t i = 0; i < few(report_.unseen); ++i)
            line("  {} ({}: {})",
                 report_.unseen[i].address.empty() ? "no address seen yet"
                                                   : printable(report_.unseen[i].address),
                 printable(report_.unseen[i].directory), printable(report_.unseen[i].object));
        more(report_.unseen_total, few(report_.unseen));
    }

    void add_mistyped() {
        if (report_.mistyped_total == 0) return;
        title(fmt::format("{}: {} values in the directories are no valid address, and were left out",
                          now("Mistyped"), report_.mistyped_total));
        for (std::size_t i = 0; i < few(report_.mistyped); ++i) {
            const census::MistypedLine& one = report_.mistyped[i];
            line("  '{}': {} ({}: {})", printable(one.value), printable(one.why), printable(one.directory),
                 printable(one.object));
        }
        more(report_.mistyped_total, few(report_.mistyped));
    }

    void add_reading() {
        if (!report_.directories.empty()) title(now("Directories") + ":");
        for (const census::DirectoryLine& one : report_.directories)
            line("  {}: {} addresses listed; last good read {}, in full {}{}{}", printable(one.name),
                 one.listed, one.last_good ? since(*one.last_good) : "never",
                 one.last_full ? since(*one.last_full) : "never",
                 one.full_failure ? "; the last one in full was not applied: " + printable(*one.full_failure)
                                  : "",
                 one.away_since ? "; its server has not answered since " + format_time(*one.away_since) : "");
        if (report_.readings_total == 0 && report_.lookups == 0) return;
        title(fmt::format("Readings ({}, {} not applied{}):", report_.readings_total, report_.readings_failed,
                          report_.lookups > 0
                              ? fmt::format("; and {} lookups of single recipients", report_.lookups)
                              : ""));
        for (std::size_t i = 0; i < few(report_.readings); ++i) {
            const census::ReadingLine& one = report_.readings[i];
            const double seconds = std::chrono::duration<double>(one.ended - one.began).count();
            if (one.good)
                line("  {}  {} ({}) at {}: {} added, {} removed{}, in {:.1f} s", format_time(one.ended),
                     printable(one.directory), printable(one.kind), printable(one.server), one.added,
                     one.removed, one.held > 0 ? fmt::format(" ({} held)", one.held) : "", seconds);
            else
                line("  {}  {} ({}): {}: {}", format_time(one.ended), printable(one.directory),
                     printable(one.kind), colours_.red("not applied"), printable(one.outcome));
        }
        more(report_.readings_total, few(report_.readings));
    }

    void add_breaker(const census::BreakerLine& one, const std::string& how) {
        line("  {} {}{} since {}{}: {}", how, printable(one.target),
             one.domain.empty() ? "" : " for " + printable(one.domain), format_time(one.since),
             one.ended ? fmt::format(" until {} ({})", format_time(*one.ended), spell(*one.ended - one.since))
                       : "",
             printable(one.reason));
    }

    void add_asking() {
        if (!report_.targets.empty() || !report_.breakers.empty() || !report_.stops.empty() ||
            report_.questions > 0)
            title("Callouts:");
        for (std::size_t i = 0; i < few(report_.targets); ++i) {
            const census::TargetLine& one = report_.targets[i];
            std::string classes;
            for (const auto& [name, number] : one.classes)
                classes += fmt::format("{}{} {}", classes.empty() ? "" : ", ", number, name);
            line("  {}: {} in {} sessions that ended; a refusal takes {}{}{}", printable(one.target),
                 classes.empty() ? "nothing asked" : printable(classes), one.sessions, spell(one.tarpit),
                 one.most_refused > 0 ? fmt::format(", {} refused a session", one.most_refused) : "",
                 one.limit_at ? fmt::format(" (it ended one at {})", *one.limit_at) : "");
        }
        more(report_.targets_total, few(report_.targets));
        for (std::size_t i = 0; i < few(report_.breakers); ++i)
            add_breaker(report_.breakers[i], colours_.red(now("stopped") + ":"));
        more(static_cast<std::int64_t>(report_.breakers.size()), few(report_.breakers));
        for (std::size_t i = 0; i < few(report_.stops); ++i) add_breaker(report_.stops[i], "was stopped:");
        more(report_.stops_total, few(report_.stops));
        if (report_.questions > 0) line("  {} {}", report_.questions, now("questions stand in line"));
        if (report_.networks.empty()) return;
        title("Networks that asked for recipients who are not accepted:");
        const bool all = report_.domain.empty();  // what became no question is not counted by domain
        Columns columns(all ? std::vector<std::string>{"network", "distinct", "suppressed"}
                            : std::vector<std::string>{"network", "distinct"});
        for (std::size_t i = 0; i < few(report_.networks); ++i) {
            const census::NetworkLine& one = report_.networks[i];
            std::vector<std::string> row{printable(one.network), std::to_string(one.missed)};
            if (all) row.push_back(std::to_string(one.suppressed));
            columns.add(std::move(row));
        }
        columns.write(colours_, out_);
    }

    void add_counts() {
        if (!report_.tables.empty()) title(now("Tables") + ":");
        for (const census::TableLine& one : report_.tables)
            line("  {:<10} {:>9} entries, generation {}, published {} times, last {}{}", printable(one.table),
                 one.entries, one.generation, one.published, since(one.at),
                 one.until ? ", good until " + format_time(*one.until) : "");
        if (report_.counters.empty()) return;
        title("Counts (whole hours):");
        for (const auto& [name, value] : report_.counters) line("  {:<24} {:>10}", printable(name), value);
    }

    void add_changes() {
        if (!report_.commands.empty()) title("Commands:");
        for (std::size_t i = 0; i < few(report_.commands); ++i)
            line("  {}  {} by {}: {}", format_time(report_.commands[i].at),
                 printable(report_.commands[i].name), printable(report_.commands[i].user),
                 printable(report_.commands[i].words));
        more(report_.commands_total, few(report_.commands));
        const std::size_t shown = few(report_.changes, kChanges);
        title(report_.changes_total > static_cast<std::int64_t>(shown)
                  ? fmt::format("Changes ({}, the newest {}; --format csv has all):", report_.changes_total,
                                shown)
                  : fmt::format("Changes ({}):", report_.changes_total));
        if (report_.lapsed > 0) line("  of these {} rejections that ended with their lease", report_.lapsed);
        for (std::size_t i = 0; i < shown; ++i) {
            const census::ChangeLine& one = report_.changes[i];
            line("  {}  {}: {} -> {} ({}; {})", format_time(one.at), printable(one.address),
                 printable(one.from), printable(one.to), printable(one.reason), printable(one.cause));
        }
    }

    const census::Report& report_;
    Colours colours_;
    std::string out_;
};

}  // namespace

std::string report_text(const census::Report& report, bool colour) {
    return TextReport(report, colour).write();
}

}  // namespace postcensus::audit
