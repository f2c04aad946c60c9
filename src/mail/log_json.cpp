// SPDX-License-Identifier: MIT
#include "mail/log_json.h"

#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace postcensus::mail {
namespace {

std::string text_of(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

}  // namespace

JsonLine read_json_line(std::string_view text) {
    JsonLine line;
    const auto object = nlohmann::json::parse(text, nullptr, false);
    if (!object.is_object()) return line;
    line.line = text_of(object, "log");
    // The driver cuts a long line in pieces; the last one has the newline.
    if (line.line.ends_with('\n'))
        line.line.pop_back();
    else
        line.line.clear();
    line.tag = text_of(object, "SYSLOG_IDENTIFIER");
    line.message = text_of(object, "MESSAGE");
    const std::string time = text_of(object, "__REALTIME_TIMESTAMP");
    std::uint64_t microseconds = 0;
    const auto [end, error] = std::from_chars(time.data(), time.data() + time.size(), microseconds);
    if (error == std::errc{} && end == time.data() + time.size() && !line.tag.empty() &&
        !line.message.empty())
        line.at.emplace().exact = from_unix_ms(static_cast<std::int64_t>(microseconds / 1000));
    return line;
}

}  // namespace postcensus::mail
