// SPDX-License-Identifier: MIT
#include "audit/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>

#include "base/printable.h"

namespace postcensus::audit {
namespace {

constexpr std::size_t kMostDomains = 200;  // with a series of their own; the others share one
constexpr const char* kOthers = "others";
constexpr std::size_t kLongestLabel = 300;  // of a domain there are at most 255

using Label = std::pair<const char*, std::string>;

double unix_seconds(Time time) {
    return static_cast<double>(to_unix_ms(time)) / 1000;
}

class MetricsText {
  public:
    // All series of a family stand together.
    void family(const char* name, const char* type, const char* help) {
        name_ = name;
        series_.clear();
        fmt::format_to(std::back_inserter(out_), "# HELP postcensus_{} {}\n# TYPE postcensus_{} {}\n", name,
                       help, name, type);
    }
    template <typename Number>
    void value(Number number, const std::vector<Label>& labels = {}, const char* suffix = "") {
        std::string text;
        for (const auto& [name, label] : labels)
            text += fmt::format("{}{}=\"{}\"", text.empty() ? "{" : ",", name, escaped(label));
        if (!text.empty()) text += "}";
        // Two labels may look the same once they are harmless, and node_exporter drops a file with a series
        // that stands in it twice.
        if (!series_.insert(suffix + text).second) return;
        if constexpr (std::is_floating_point_v<Number>)
            fmt::format_to(std::back_inserter(out_), "postcensus_{}{}{} {:.3f}\n", name_, suffix, text,
                           number);
        else
            fmt::format_to(std::back_inserter(out_), "postcensus_{}{}{} {}\n", name_, suffix, text, number);
    }
    std::string take() { return std::move(out_); }

  private:
    static std::string escaped(const std::string& label) {
        std::string out;
        for (const char c : printable(label, kLongestLabel)) {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
        return out;
    }

    std::string name_, out_;
    std::set<std::string> series_;  // of this family
};

std::int64_t total(const census::WatchFacts& facts, const std::string& name, const std::string& label = {}) {
    const auto found = facts.totals.find({name, label});
    return found == facts.totals.end() ? 0 : found->second;
}

struct Counter {
    const char* total;
    const char* name;
    const char* help;
};
constexpr std::array<Counter, 15> kExported{{
    {"misses", "misses_total", "Recipients that Postfix did not know, in the log."},
    {"misses-suppressed", "misses_suppressed_total",
     "Misses that became no question: over a network's budget."},
    {"misses-old", "misses_old_total",
     "Misses older than unknown-expire when they were read: they allow no rejection."},
    {"misses-without-route", "misses_without_route_total", "Misses in domains that no route names."},
    {"asked", "rejections_used_total", "Uses of our rejections, in the log."},
    {"bounces", "bounces_total", "Deliveries to our recipients that a server refused."},
    {"deliveries", "deliveries_total", "Deliveries to our recipients."},
    {"lookups", "lookups_total", "Missed addresses that were looked up in the directories."},
    {"lookups-found", "lookups_found_total", "Of these: that a directory listed."},
    {"lines-hostile", "log_lines_hostile_total", "Lines of the log whose fields contradict each other."},
    {"lines-cut", "log_lines_cut_total", "Lines of the log that were cut."},
    {"lines-invalid", "log_lines_invalid_total", "Lines of the log whose recipient is no valid address."},
    {"lines-not-understood", "log_lines_not_understood_total",
     "Lines of the log that look like Postfix's, in no form that is known: nothing is learned from them."},
    {"log-gaps", "log_gaps_total", "Times that lines of the log may have been lost."},
    {"tables-repaired", "tables_repaired_total", "Tables that somebody else had changed, written again."},
}};

void add_counters(const census::WatchFacts& facts, MetricsText& text) {
    for (const Counter& counter : kExported) {
        text.family(counter.name, "counter", counter.help);
        text.value(total(facts, counter.total));
    }
}

void add_callouts(const census::WatchFacts& facts, MetricsText& text) {
    constexpr std::string_view kPrefix = "callout-";
    constexpr const char* kSessions = "sessions";
    text.family("callouts_total", "counter", "Answers of callouts, by class and server.");
    for (const auto& [key, number] : facts.totals)
        if (key.first.starts_with(kPrefix))
            text.value(number, {{"class", key.first.substr(kPrefix.size())}, {"target", key.second}});
    text.family("callout_sessions_total", "counter", "SMTP sessions of callouts that have ended.");
    for (const auto& [key, number] : facts.totals)
        if (key.first == kSessions) text.value(number, {{"target", key.second}});
    text.family("callout_sessions_open", "gauge", "SMTP sessions of callouts that are open.");
    text.value(facts.sessions);

    std::map<std::pair<std::string, std::string>, int> stopped;
    for (const auto& [key, number] : facts.totals)
        if (key.first.starts_with(kPrefix) && key.second != kOthers) stopped[{key.second, ""}] = 0;
    std::size_t domains = 0;
    for (const census::BreakerLine& one : facts.breakers) {
        if (!one.domain.empty() && ++domains > kMostDomains)
            stopped[{kOthers, kOthers}] = 1;
        else
            stopped[{one.target, one.domain}] = 1;
    }
    text.family(
        "callouts_stopped", "gauge",
        "1: no callouts to this server, or for this domain of it (empty: all), as something is wrong.");
    for (const auto& [key, is_stopped] : stopped)
        text.value(is_stopped, {{"target", key.first}, {"domain", key.second}});
    text.family("accept_all", "gauge",
                "Domains whose server accepts every recipient: nothing can be proved.");
    text.value(facts.accept_all.size());
}

void add_learned(const census::WatchFacts& facts, MetricsText& text) {
    text.family("learn_seconds", "histogram", "From the first miss of a recipient to its acceptance.");
    std::int64_t count = 0;
    for (const Milliseconds step : census::kLearnSteps) {
        const std::string le = std::to_string(step.count() / 1000);
        count += total(facts, "learned", le);
        text.value(count, {{"le", le}}, "_bucket");
    }
    count += total(facts, "learned", "more");
    text.value(count, {{"le", "+Inf"}}, "_bucket");
    text.value(static_cast<double>(total(facts, "learned-ms")) / 1000, {}, "_sum");
    text.value(count, {}, "_count");
}

void add_waiting(const census::WatchFacts& facts, MetricsText& text) {
    text.family("waiting_recipients", "gauge",
                "Recipients that have been unsure for over an hour while senders came back in the last day.");
    text.value(facts.waiting);
    text.family("questions", "gauge",
                "Questions in line: a sender came back, a sender waits, or nobody does.");
    for (const char* who : {"came-back", "waits", "nobody"}) {
        const auto found = facts.questions.find(who);
        text.value(found == facts.questions.end() ? 0 : found->second, {{"sender", who}});
    }
    text.family("undecided_addresses", "gauge",
                "Addresses with new evidence that have not been decided yet.");
    text.value(facts.undecided);
    text.family("removals_held", "gauge", "Removals that wait for `postcensus approve`.");
    text.value(facts.held);
    text.family("objects_unseen", "gauge",
                "Objects that readings do not find any more, and nothing says why.");
    text.value(facts.unseen);
    text.family("addresses", "gauge", "Addresses that are not unsure, by answer and reason.");
    for (const auto& [key, number] : facts.addresses)
        text.value(number, {{"answer", key.first}, {"reason", key.second}});
}

void add_tables(const census::WatchFacts& facts, MetricsText& text) {
    text.family("table_entries", "gauge", "Entries of the published tables, by domain of the recipients.");
    for (const auto& [table, domains] : facts.entries) {
        std::vector<std::pair<std::int64_t, std::string>> largest;
        for (const auto& [domain, number] : domains) largest.emplace_back(number, domain);
        std::sort(largest.rbegin(), largest.rend());
        std::int64_t others = 0;
        for (std::size_t i = 0; i < largest.size(); ++i)
            if (i < kMostDomains)
                text.value(largest[i].first, {{"table", table}, {"domain", largest[i].second}});
            else
                others += largest[i].first;
        // Also where there are none: a table without entries has a sum all the same.
        text.value(others, {{"table", table}, {"domain", kOthers}});
    }
    text.family("table_published_timestamp_seconds", "gauge", "When a table was last published.");
    for (const census::TableLine& one : facts.tables)
        text.value(unix_seconds(one.at), {{"table", one.table}});
    text.family("table_lease_end_timestamp_seconds", "gauge",
                "Until when a table that refuses is good; failsafe empties it then.");
    for (const census::TableLine& one : facts.tables)
        if (one.until) text.value(unix_seconds(*one.until), {{"table", one.table}});
    text.family("publications_total", "counter", "Publications of a table.");
    for (const auto& [key, number] : facts.totals)
        if (key.first == "published") text.value(number, {{"table", key.second}});
}

void add_directories(const census::SyncFacts& facts, MetricsText& text) {
    text.family("directory_good_read_timestamp_seconds", "gauge",
                "The end of the last reading of a directory that was applied; 0: never.");
    for (const census::DirectoryLine& one : facts.directories)
        text.value(one.last_good ? unix_seconds(*one.last_good) : 0.0, {{"directory", one.name}});
    text.family("directory_full_read_timestamp_seconds", "gauge",
                "The end of the last full reading of a directory that was applied; 0: never.");
    for (const census::DirectoryLine& one : facts.directories)
        text.value(one.last_full ? unix_seconds(*one.last_full) : 0.0, {{"directory", one.name}});
    text.family("directory_full_read_failed", "gauge", "1: the last full reading was not applied.");
    for (const census::DirectoryLine& one : facts.directories)
        text.value(one.full_failure ? 1 : 0, {{"directory", one.name}});
    text.family("directory_server_away", "gauge",
                "1: the server whose changes are followed does not answer.");
    for (const census::DirectoryLine& one : facts.directories)
        text.value(one.away_since ? 1 : 0, {{"directory", one.name}});
    text.family("directory_addresses", "gauge", "Addresses that a directory lists.");
    for (const census::DirectoryLine& one : facts.directories)
        text.value(one.listed, {{"directory", one.name}});
    text.family("directory_readings_total", "counter", "Readings of a directory, applied or failed.");
    for (const auto& [key, number] : facts.readings)
        text.value(number, {{"directory", key.second}, {"outcome", key.first}});
}

}  // namespace

std::string watch_metrics(const census::WatchFacts& facts, const std::string& version) {
    MetricsText text;
    text.family("build_info", "gauge", "The version of the running watch.");
    text.value(1, {{"version", version}});
    text.family("watch_written_timestamp_seconds", "gauge", "When watch wrote these metrics.");
    text.value(unix_seconds(facts.written));
    text.family("log_lag_seconds", "gauge",
                "Since when not all lines of the log are read and stored; 0: all are.");
    text.value(static_cast<double>(facts.log_lag.count()) / 1000);
    text.family("log_present", "gauge", "0: the log is not there.");
    text.value(facts.log_present ? 1 : 0);
    text.family("directory_polled_timestamp_seconds", "gauge",
                "When the changes of a directory were last read.");
    for (const auto& [directory, at] : facts.polled) text.value(unix_seconds(at), {{"directory", directory}});
    add_counters(facts, text);
    add_waiting(facts, text);
    add_learned(facts, text);
    add_callouts(facts, text);
    add_tables(facts, text);
    return text.take();
}

std::string sync_metrics(const census::SyncFacts& facts) {
    MetricsText text;
    text.family("sync_timestamp_seconds", "gauge", "When sync last ended.");
    text.value(unix_seconds(facts.ended));
    text.family("sync_duration_seconds", "gauge", "What its last run took.");
    text.value(static_cast<double>((facts.ended - facts.began).count()) / 1000);
    text.family("sync_exit_code", "gauge",
                "How its last run ended: 0 is good, 1 removals held or a reading not applied.");
    text.value(facts.exit_code);
    if (facts.state_read) add_directories(facts, text);
    return text.take();
}

}  // namespace postcensus::audit
