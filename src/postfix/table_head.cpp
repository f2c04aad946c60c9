// SPDX-License-Identifier: MIT
#include "postfix/table_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace postcensus::postfix {
namespace {

constexpr std::string_view kFirstLine =
    "# A Postfix lookup table made by Postcensus. Do not edit: it is overwritten.\n";
constexpr std::string_view kLastLine = "# end of head\n";

std::optional<std::int64_t> parse_number(std::string_view text) {
    std::int64_t number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || rest != text.data() + text.size()) return std::nullopt;
    return number;
}

// One "# name: value" line. False if the value is none.
bool read_line(std::string_view name, std::string_view value, TableHead& head) {
    if (name == "state") head.state_id = value;
    if (name == "written" || name == "until") {
        const auto time = parse_time(std::string(value));
        if (!time) return false;
        if (name == "written")
            head.written = *time;
        else
            head.until = *time;
    }
    if (name == "generation") {
        const auto number = parse_number(value);
        if (!number) return false;
        head.generation = *number;
    }
    if (name == "count") {
        const std::size_t space = value.rfind(' ');
        const auto number =
            space == std::string_view::npos ? std::nullopt : parse_number(value.substr(space + 1));
        if (!number) return false;
        head.counts[std::string(value.substr(0, space))] = *number;
    }
    return true;
}

bool has_other_line(std::string_view text) {
    for (std::size_t newline = text.find('\n'); newline != std::string_view::npos;
         newline = text.find('\n', newline + 1))
        if (newline + 1 < text.size() && text[newline + 1] != '#') return true;
    return false;
}

}  // namespace

std::string format_head(std::string_view table, const TableHead& head) {
    std::string out(kFirstLine);
    out += fmt::format("# table: {}\n# state: {}\n# generation: {}\n# written: {}\n", table, head.state_id,
                       head.generation, format_time(head.written));
    if (head.until)
        out +=
            fmt::format("# until: {}\n", format_time(std::chrono::ceil<std::chrono::seconds>(*head.until)));
    for (const auto& [domain, count] : head.counts) out += fmt::format("# count: {} {}\n", domain, count);
    out += kLastLine;
    return out;
}

bool may_be_part_of_head(std::string_view text) {
    const std::size_t common = std::min(text.size(), kFirstLine.size());
    if (text.substr(0, common) != kFirstLine.substr(0, common)) return false;
    // Each of its lines is a comment, and so is its last one; behind it there are entries, or nothing.
    return text.find(kLastLine) == std::string_view::npos && !has_other_line(text);
}

std::optional<TableHead> parse_head(std::string_view text) {
    if (!text.starts_with(kFirstLine)) return std::nullopt;
    const std::size_t end = text.find(kLastLine);
    if (end == std::string_view::npos) return std::nullopt;
    TableHead head;
    text = text.substr(kFirstLine.size(), end - kFirstLine.size());
    while (!text.empty()) {
        const std::size_t newline = text.find('\n');
        const std::string_view line = text.substr(0, newline);
        text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
        const std::size_t colon = line.find(": ");
        if (!line.starts_with("# ") || colon == std::string_view::npos) return std::nullopt;
        if (!read_line(line.substr(2, colon - 2), line.substr(colon + 2), head)) return std::nullopt;
    }
    if (head.state_id.empty()) return std::nullopt;
    return head;
}

}  // namespace postcensus::postfix
