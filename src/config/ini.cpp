// SPDX-License-Identifier: MIT
#include "config/ini.h"

#include <fmt/format.h>

#include "base/printable.h"

namespace postcensus::config {
namespace {

std::string_view trim(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r";
    const std::size_t first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string_view without_comment(std::string_view line) {
    for (std::size_t i = 0; i < line.size(); ++i)
        if (line[i] == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t')) return line.substr(0, i);
    return line;
}

}  // namespace

int IniSection::line_of(const std::string& key) const {
    for (const IniKey& candidate : keys)
        if (candidate.name == key) return candidate.line;
    return line;
}

Result<std::vector<IniSection>> split_ini(std::string_view text, const std::string& file) {
    std::vector<IniSection> sections;
    int number = 0;
    const auto bad = [&](const std::string& what) {
        return fail(ExitCode::configuration, fmt::format("{}:{}: {}", file, number, what));
    };
    while (!text.empty()) {
        ++number;
        const std::size_t newline = text.find('\n');
        const std::string_view line = trim(without_comment(text.substr(0, newline)));
        text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
        if (line.empty()) continue;
        if (line.front() == '[') {
            const std::string name(line.size() < 3 ? "" : trim(line.substr(1, line.size() - 2)));
            if (line.back() != ']' || name.empty())
                return bad(fmt::format("'{}' is no section; write [name]", printable(line, 60)));
            for (const IniSection& section : sections)
                if (section.name == name)
                    return bad(fmt::format("the section [{}] is there twice (first in line {})",
                                           printable(name, 60), section.line));
            sections.push_back({name, number, {}});
            continue;
        }
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos || equals == 0)
            return bad(fmt::format("'{}' is neither a section nor 'key = value'", printable(line, 60)));
        if (sections.empty()) return bad("a key stands before the first [section]");
        const std::string name(trim(line.substr(0, equals)));
        for (const IniKey& key : sections.back().keys)
            if (key.name == name)
                return bad(fmt::format("[{}] {} is set twice (first in line {})",
                                       printable(sections.back().name, 60), printable(name, 60), key.line));
        sections.back().keys.push_back({name, std::string(trim(line.substr(equals + 1))), number});
    }
    return sections;
}

}  // namespace postcensus::config
