// SPDX-License-Identifier: MIT
#include "postfix/lookup.h"

#include <fmt/format.h>

#include <chrono>

#include "base/printable.h"
#include "postfix/postmap.h"

namespace postcensus::postfix {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookupPatience = 20s;

bool is_between(char c) {
    return c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    int depth = 0;
    for (const char c : text) {
        if (c == '{') ++depth;
        if (c == '}') --depth;
        if (depth > 0 || !is_between(c)) {
            word += c;
        } else if (!word.empty()) {
            words.push_back(std::move(word));
            word.clear();
        }
    }
    if (!word.empty()) words.push_back(std::move(word));
    return words;
}

std::vector<std::string> tables_in(std::string_view text) {
    constexpr std::string_view kProxy = "proxy:";
    std::vector<std::string> tables;
    for (std::string& word : split_list(text)) {
        if (word.starts_with(kProxy)) word.erase(0, kProxy.size());
        if (word.find(':') != std::string::npos) tables.push_back(std::move(word));
    }
    return tables;
}

bool is_pattern_table(std::string_view table) {
    return table.starts_with("pcre:") || table.starts_with("regexp:");
}

Result<std::map<std::string, std::string>> look_up(const std::filesystem::path& config_dir,
                                                   const std::string& table,
                                                   const std::vector<std::string>& keys) {
    std::string input;
    for (const std::string& key : keys) input.append(key).append("\n");
    auto ran = run_postmap(config_dir, {"-q", "-", table}, input, kLookupPatience);
    if (!ran)
        return fail(ExitCode::unavailable,
                    fmt::format("cannot ask {}: {}", printable(table, 200), ran.error().message));
    if (!ran->errors.empty() || ran->status > 1)
        return fail(
            ExitCode::unavailable,
            fmt::format("cannot ask {}: {}; the user of Postcensus must be able to read it",
                        printable(table, 200), printable(ran->errors.substr(0, ran->errors.find('\n')))));
    std::map<std::string, std::string> found;
    for (std::size_t start = 0; start < ran->output.size();) {
        const std::size_t end = std::min(ran->output.find('\n', start), ran->output.size());
        const std::string line = ran->output.substr(start, end - start);
        if (const std::size_t tab = line.find('\t'); tab != std::string::npos)
            found.emplace(line.substr(0, tab), line.substr(tab + 1));
        start = end + 1;
    }
    return found;
}

}  // namespace postcensus::postfix
