// SPDX-License-Identifier: MIT
#include "audit/json.h"

#include <nlohmann/json.hpp>

#include "base/printable.h"

namespace postcensus::audit {
namespace {

using Json = nlohmann::ordered_json;

// Bytes that are not UTF-8 have no place in JSON.
std::string dump(const Json& json, int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string scan_json(const census::ScanReport& scan) {
    Json json{{"files", scan.files}, {"lines", scan.lines}, {"bytes", scan.bytes}};
    json["unread"] = scan.unread;
    json["first"] = scan.first ? Json(format_time(*scan.first)) : Json();
    json["last"] = scan.last ? Json(format_time(*scan.last)) : Json();
    json["events"] = {{"miss", scan.misses},
                      {"asked", scan.asked},
                      {"bounced", scan.bounced},
                      {"delivered", scan.delivered}};
    json["codes"] = Json::object();
    for (const auto& [code, count] : scan.codes) json["codes"][std::to_string(code)] = count;
    const auto left_out = [](std::int64_t lines, const std::string& example) {
        return lines == 0 ? Json() : Json{{"lines", lines}, {"example", example}};
    };
    json["not_understood"] = left_out(scan.strange, scan.strange_line);
    json["other_syslog_name"] = left_out(scan.namesakes, scan.namesake_line);
    json["dropped"] = {{"hostile", scan.hostile}, {"cut", scan.cut}, {"invalid", scan.invalid}};
    json["distinct"] = scan.distinct;
    json["distinct_exact"] = scan.distinct_exact;
    json["complete"] = scan.missed_complete && scan.bounces_complete;
    json["misses"] = Json::array();
    for (const auto& missed : scan.missed)
        json["misses"].push_back(
            {{"recipient", missed.recipient}, {"count", missed.count}, {"clients", missed.clients}});
    json["bounces"] = Json::array();
    for (const auto& bounce : scan.bounces)
        json["bounces"].push_back({{"recipient", bounce.recipient},
                                   {"count", bounce.count},
                                   {"reply", printable(bounce.reply, 512)}});
    return dump(json, 2);
}

std::string event_json(const mail::LogEvent& event, Time at, const std::string& file, std::int64_t line) {
    Json json{{"event", mail::name_of(event.kind)},
              {"at", format_time(at)},
              {"recipient", event.recipient.external()}};
    if (!event.client.empty()) json["client"] = event.client;
    if (!event.reply.empty()) json["reply"] = printable(event.reply, 512);
    if (event.code != 0) json["code"] = event.code;
    if (event.times > 1) json["times"] = event.times;
    if (!event.host.empty()) json["host"] = event.host;
    if (!file.empty()) json["file"] = file;
    json["line"] = line;
    return dump(json, -1);
}

}  // namespace postcensus::audit
