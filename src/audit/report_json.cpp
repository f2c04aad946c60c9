// SPDX-License-Identifier: MIT
#include <nlohmann/json.hpp>

#include "audit/json.h"
#include "base/printable.h"

namespace postcensus::audit {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestString = 1000;

Json json_text(const std::string& value) {
    return printable(value, kLongestString);
}

Json json_time(const std::optional<Time>& at) {
    return at ? Json(format_time(*at)) : Json();
}

double seconds(Milliseconds duration) {
    return static_cast<double>(duration.count()) / 1000;
}

template <typename Lines, typename Write>
Json list(const Lines& lines, Write write) {
    Json all = Json::array();
    for (const auto& line : lines) all.push_back(write(line));
    return all;
}

// A list that may have been cut.
template <typename Lines, typename Write>
Json counted(std::int64_t total, const Lines& lines, Write write) {
    return {{"total", total}, {"first", list(lines, write)}};
}

Json counts(const std::map<std::string, std::int64_t>& values) {
    Json all = Json::object();
    for (const auto& [name, value] : values) all[printable(name)] = value;
    return all;
}

// Without any there is no time.
Json waits_json(const census::WaitTimes& waits) {
    const bool any = waits.count > 0;
    return {{"count", waits.count},
            {"median_seconds", any ? Json(seconds(waits.median)) : Json()},
            {"p95_seconds", any ? Json(seconds(waits.p95)) : Json()}};
}

Json domain_json(const census::DomainCounts& one) {
    return {{"domain", json_text(one.domain)},
            {"accepted", one.accepted},
            {"listed", one.listed},
            {"learned", one.learned},
            {"other", one.other},
            {"closed", one.closed},
            {"unknown", one.unknown},
            {"held", one.held},
            {"misses", one.misses},
            {"missed", one.missed},
            {"came", one.came},
            {"left", one.left},
            {"refused", one.rejected},
            {"accept_all", one.accept_all},
            {"learned_after_miss", waits_json(one.waits)}};
}

Json learned_json(const census::LearnTimes& learned) {
    Json json = waits_json(learned);
    json["longest_seconds"] = learned.count > 0 ? Json(seconds(learned.longest)) : Json();
    json["histogram"] = Json::array();
    for (std::size_t i = 0; i < learned.histogram.size(); ++i)
        json["histogram"].push_back(
            {{"up_to_seconds",
              i < std::size(census::kLearnSteps) ? Json(seconds(census::kLearnSteps[i])) : Json()},
             {"count", learned.histogram[i]}});
    return json;
}

void add_doubts(const census::Report& report, Json& json) {
    json["waiting"] = counted(report.waiting_total, report.waiting, [](const census::WaitingLine& one) {
        return Json{{"address", json_text(one.address)}, {"first", json_time(one.first)},
                    {"last", json_time(one.last)},       {"misses", one.misses},
                    {"reason", json_text(one.reason)},   {"last_callout", json_text(one.last_callout)}};
    });
    json["learned"] = learned_json(report.learned);
    json["gaps"] = counted(report.gaps_total, report.gaps, [](const census::GapLine& one) {
        return Json{{"address", json_text(one.address)},
                    {"proven", json_time(one.at)},
                    {"kind", json_text(one.kind)}};
    });
    json["conflicts"] =
        counted(report.conflicts_total, report.conflicts, [](const census::ConflictLine& one) {
            return Json{{"address", json_text(one.address)},
                        {"dn", json_text(one.object)},
                        {"at", json_time(one.at)},
                        {"target", json_text(one.target)},
                        {"reply", json_text(one.reply)},
                        {"accepted", !one.refused},
                        {"unseen", one.unseen}};
        });
    json["bounces"] = counted(report.bounces_total, report.bounces, [](const census::BounceLine& one) {
        return Json{{"address", json_text(one.address)}, {"count", one.count},
                    {"first", json_time(one.first)},     {"last", json_time(one.last)},
                    {"host", json_text(one.host)},       {"reply", json_text(one.reply)},
                    {"answer", json_text(one.answer)}};
    });
    json["held"] = counted(report.held_total, report.held, [](const census::HoldLine& one) {
        return Json{{"hold", one.number},
                    {"address", json_text(one.address)},
                    {"directory", json_text(one.directory)},
                    {"dn", json_text(one.object)},
                    {"cause", json_text(one.cause)},
                    {"at", json_time(one.at)}};
    });
    json["unseen"] = counted(report.unseen_total, report.unseen, [](const census::UnseenLine& one) {
        return Json{{"directory", json_text(one.directory)},
                    {"dn", json_text(one.object)},
                    {"address", json_text(one.address)}};
    });
    json["mistyped"] = counted(report.mistyped_total, report.mistyped, [](const census::MistypedLine& one) {
        return Json{{"directory", json_text(one.directory)},
                    {"dn", json_text(one.object)},
                    {"value", json_text(one.value)},
                    {"why", json_text(one.why)}};
    });
}

void add_work(const census::Report& report, Json& json) {
    json["directories"] = list(report.directories, [](const census::DirectoryLine& one) {
        return Json{{"directory", json_text(one.name)},
                    {"listed", one.listed},
                    {"last_good", json_time(one.last_good)},
                    {"last_full", json_time(one.last_full)},
                    {"away_since", json_time(one.away_since)},
                    {"full_failure", one.full_failure ? json_text(*one.full_failure) : Json()},
                    {"last_outcome", json_text(one.outcome)}};
    });
    json["readings"] = counted(report.readings_total, report.readings, [](const census::ReadingLine& one) {
        return Json{{"directory", json_text(one.directory)},
                    {"kind", json_text(one.kind)},
                    {"server", json_text(one.server)},
                    {"began", json_time(one.began)},
                    {"seconds", seconds(one.ended - one.began)},
                    {"added", one.added},
                    {"removed", one.removed},
                    {"held", one.held},
                    {"applied", one.good},
                    {"outcome", json_text(one.outcome)}};
    });
    json["readings"]["failed"] = report.readings_failed;
    json["readings"]["lookups"] = report.lookups;
    json["callouts"] = counts(report.callouts);
    json["targets"] = counted(report.targets_total, report.targets, [](const census::TargetLine& one) {
        return Json{{"target", json_text(one.target)},
                    {"callouts", counts(one.classes)},
                    {"sessions", one.sessions},
                    {"tarpit_seconds", seconds(one.tarpit)},
                    {"most_refused", one.most_refused > 0 ? Json(one.most_refused) : Json()},
                    {"limit_at", one.limit_at ? Json(*one.limit_at) : Json()}};
    });
    const auto breaker = [](const census::BreakerLine& one) {
        return Json{{"target", json_text(one.target)},
                    {"domain", one.domain.empty() ? Json() : json_text(one.domain)},
                    {"since", json_time(one.since)},
                    {"ended", json_time(one.ended)},
                    {"reason", json_text(one.reason)}};
    };
    json["breakers"] = counted(static_cast<std::int64_t>(report.breakers.size()), report.breakers, breaker);
    json["stops"] = counted(report.stops_total, report.stops, breaker);
    // What is not counted by domain is not 0.
    const bool all = report.domain.empty();
    json["networks"] = list(report.networks, [all](const census::NetworkLine& one) {
        return Json{{"network", json_text(one.network)},
                    {"missed", one.missed},
                    {"suppressed", all ? Json(one.suppressed) : Json()}};
    });
    json["questions"] = report.questions;
    json["lapsed"] = report.lapsed;
    json["counters"] = all ? counts(report.counters) : Json();
    json["tables"] = list(report.tables, [](const census::TableLine& one) {
        return Json{{"table", json_text(one.table)},       {"entries", one.entries},
                    {"generation", one.generation},        {"published", one.published},
                    {"last_published", json_time(one.at)}, {"until", json_time(one.until)}};
    });
}

void add_course(const census::Report& report, Json& json) {
    json["changes"] = counted(report.changes_total, report.changes, [](const census::ChangeLine& one) {
        return Json{{"at", json_time(one.at)},
                    {"address", json_text(one.address)},
                    {"from", json_text(one.from)},
                    {"to", json_text(one.to)},
                    {"reason", json_text(one.reason)},
                    {"cause", json_text(one.cause)},
                    {"waited_seconds", one.waited ? Json(seconds(*one.waited)) : Json()}};
    });
    json["commands"] = counted(report.commands_total, report.commands, [](const census::CommandLine& one) {
        return Json{{"at", json_time(one.at)},
                    {"command", json_text(one.name)},
                    {"user", json_text(one.user)},
                    {"words", json_text(one.words)}};
    });
    json["step_seconds"] = seconds(report.step);
    // What is not counted by domain is not 0.
    const bool all = report.domain.empty();
    const auto counted_for_all = [all](std::int64_t value) { return all ? Json(value) : Json(); };
    json["steps"] = list(report.steps, [&](const census::Step& one) {
        return Json{{"at", json_time(one.at)},
                    {"misses", counted_for_all(one.misses)},
                    {"suppressed", counted_for_all(one.suppressed)},
                    {"asked", counted_for_all(one.asked)},
                    {"came", one.came},
                    {"left", one.left},
                    {"refused", one.rejected},
                    {"callouts", all ? counts(one.callouts) : Json()}};
    });
    json["sizes"] = list(report.sizes, [](const census::SizePoint& one) {
        return Json{{"at", json_time(one.at)}, {"listed", one.listed}, {"learned", one.learned},
                    {"other", one.other},      {"closed", one.closed}, {"unknown", one.rejected}};
    });
}

Json lines_json(const std::vector<census::ExplanationLine>& lines) {
    return list(lines, [](const census::ExplanationLine& one) {
        Json json{{"kind", one.kind}, {"what", json_text(one.what)}, {"at", json_time(one.at)}};
        for (const auto& [name, value] : one.facts) json[name] = json_text(value);
        return json;
    });
}

std::string dump(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string report_json(const census::Report& report) {
    Json json{{"since", json_time(report.since)},
              {"until", json_time(report.until)},
              {"made", json_time(report.made)}};
    json["domain"] = report.domain.empty() ? Json() : json_text(report.domain);
    json["domain_ended"] = report.domain.empty() ? Json() : Json(report.ended);
    json["attention"] = list(report.attention, [](const census::Attention& one) {
        return Json{{"what", json_text(one.what)}, {"words", json_text(one.words)}};
    });
    const auto strange = report.counters.find("lines-not-understood");
    json["not_understood"] =
        strange == report.counters.end()
            ? Json()
            : Json{{"lines", strange->second},
                   {"example", report.strange_line ? json_text(*report.strange_line) : Json()}};
    json["domains"] = list(report.domains, domain_json);
    json["elsewhere"] = report.domain.empty() ? Json(report.elsewhere) : Json();
    add_doubts(report, json);
    add_work(report, json);
    add_course(report, json);
    return dump(json);
}

std::string explanation_json(const census::Explanation& explanation) {
    Json json{{"address", json_text(explanation.address)},
              {"answer", census::name_of(explanation.answer)},
              {"table", explanation.table.empty() ? Json() : Json(explanation.table)},
              {"rule", census::rule_of(explanation.reason)},
              {"reason", census::name_of(explanation.reason)},
              {"words", census::words_of(explanation)},
              {"through", explanation.through.empty() ? Json() : json_text(explanation.through)},
              {"evidence", lines_json(explanation.evidence)},
              {"next", lines_json(explanation.next)},
              {"history", lines_json(explanation.history)},
              {"history_more", explanation.history_more}};
    // false is "not found"; null is "could not be asked", and `warnings` says why.
    for (const char* table : {"directory", "learned", "closed", "unknown"}) {
        const auto found = explanation.postfix.find(table);
        Json& value = json["postfix"][table];
        if (found == explanation.postfix.end())
            value = nullptr;
        else if (found->second)
            value = json_text(found->second->value);
        else
            value = false;
    }
    json["warnings"] = list(explanation.trouble, [](const std::string& one) { return json_text(one); });
    return dump(json);
}

}  // namespace postcensus::audit
