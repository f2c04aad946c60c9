// SPDX-License-Identifier: MIT
#include "check/findings.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "base/printable.h"

namespace postcensus::check {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestRemedy = 2000;  // of a text; a remedy may be a whole list of restrictions

std::string_view colour_of(Level level) {
    return level == Level::ok ? "\x1b[32m" : level == Level::warn ? "\x1b[33m" : "\x1b[31m";
}

std::string level_text(Level level, bool colour) {
    const std::string padded = fmt::format("{:<4}", name_of(level));
    return colour ? fmt::format("{}{}\x1b[0m", colour_of(level), padded) : padded;
}

// A remedy may have lines; each of them is made printable by itself.
std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        lines.push_back(printable(std::string_view(text).substr(start, end - start), kLongestRemedy));
        start = end + 1;
    }
    return lines;
}

void add_remedy(const std::string& remedy, std::set<std::string>& shown, std::string& out) {
    const std::vector<std::string> lines = lines_of(remedy);
    if (lines.empty()) return;
    // One list of restrictions mends several faults.
    const bool again = lines.size() > 1 && !shown.insert(remedy).second;
    fmt::format_to(std::back_inserter(out), "                -> {}{}\n", lines.front(),
                   again ? " … (as above)" : "");
    for (std::size_t i = 1; i < lines.size() && !again; ++i)
        fmt::format_to(std::back_inserter(out), "                   {}\n", lines[i]);
}

}  // namespace

std::string findings_text(const Findings& findings, bool colour) {
    std::string out;
    std::set<std::string> shown;
    std::size_t warnings = 0;
    std::size_t failures = 0;
    for (const Finding& finding : findings) {
        fmt::format_to(std::back_inserter(out), "{}  {:<9} {}: {}\n", level_text(finding.level, colour),
                       printable(finding.area), printable(finding.subject, kLongestRemedy),
                       printable(finding.words, kLongestRemedy));
        add_remedy(finding.remedy, shown, out);
        if (finding.level == Level::warn) ++warnings;
        if (finding.level == Level::fail) ++failures;
    }
    fmt::format_to(std::back_inserter(out), "{} ok, {} warn, {} fail\n",
                   findings.size() - warnings - failures, warnings, failures);
    return out;
}

std::string findings_json(const Findings& findings) {
    Json json{{"findings", Json::array()}};
    for (const Finding& finding : findings) {
        std::string remedy;
        for (const std::string& line : lines_of(finding.remedy))
            remedy += (remedy.empty() ? "" : "\n") + line;
        json["findings"].push_back({{"level", name_of(finding.level)},
                                    {"area", printable(finding.area)},
                                    {"subject", printable(finding.subject, kLongestRemedy)},
                                    {"words", printable(finding.words, kLongestRemedy)},
                                    {"remedy", remedy}});
    }
    json["worst"] = name_of(worst_of(findings));
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace postcensus::check
