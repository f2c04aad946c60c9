// SPDX-License-Identifier: MIT
// Finds the SQL statements in the sources: for tests that prepare each of them.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "catch.h"

namespace postcensus::store {

struct Literal {
    std::string text;  // adjacent literals in one
    std::size_t line = 0;
    bool concatenated = false;  // a + stands before or behind it
};

class Scanner {
  public:
    explicit Scanner(std::string source) : source_(std::move(source)) {}

    std::vector<Literal> literals() {
        std::vector<Literal> all;
        char before = '\0';     // the last character of code
        bool adjacent = false;  // nothing but blanks and comments since the last literal
        while (at_ < source_.size()) {
            if (skip_blank_or_comment()) continue;
            if (source_[at_] == '\'' && !is_word(before)) {
                read_quoted('\'');
                before = '\'';
                adjacent = false;
                continue;
            }
            if (source_[at_] == '"') {
                const std::size_t line = line_of(at_);
                const std::string text = before == 'R' ? read_raw() : read_quoted('"');
                if (adjacent)
                    all.back().text += text;
                else
                    all.push_back({text, line, before == '+'});
                adjacent = true;
                before = '"';
                continue;
            }
            if (adjacent && source_[at_] == '+') all.back().concatenated = true;
            adjacent = false;
            before = source_[at_++];
        }
        return all;
    }

  private:
    static bool is_word(char byte) {
        return std::isalnum(static_cast<unsigned char>(byte)) != 0 || byte == '_';
    }

    std::size_t line_of(std::size_t at) const {
        return 1 + static_cast<std::size_t>(
                       std::count(source_.begin(), source_.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    }

    bool skip_blank_or_comment() {
        const std::string_view rest = std::string_view(source_).substr(at_);
        if (std::isspace(static_cast<unsigned char>(rest.front())) != 0)
            ++at_;
        else if (rest.starts_with("//"))
            at_ = std::min(source_.find('\n', at_), source_.size());
        else if (rest.starts_with("/*"))
            at_ = std::min(source_.find("*/", at_ + 2), source_.size() - 2) + 2;
        else
            return false;
        return true;
    }

    std::string read_quoted(char quote) {
        std::string text;
        for (++at_; at_ < source_.size() && source_[at_] != quote; ++at_) {
            if (source_[at_] == '\\') ++at_;
            text += source_[at_];
        }
        ++at_;
        return text;
    }

    // R"mark(...)mark"
    std::string read_raw() {
        const std::size_t open = source_.find('(', at_);
        const std::string close = ")" + source_.substr(at_ + 1, open - at_ - 1) + "\"";
        const std::size_t end = source_.find(close, open);
        REQUIRE(end != std::string::npos);
        at_ = end + close.size();
        return source_.substr(open + 1, end - open - 1);
    }

    std::string source_;
    std::size_t at_ = 0;
};

inline bool is_statement(const std::string& text) {
    constexpr std::array<std::string_view, 6> kVerbs{"SELECT ", "INSERT ",  "UPDATE ",
                                                     "DELETE ", "REPLACE ", "WITH "};
    return std::any_of(kVerbs.begin(), kVerbs.end(),
                       [&text](std::string_view verb) { return text.starts_with(verb); });
}

inline std::vector<std::filesystem::path> sources() {
    std::vector<std::filesystem::path> files;
    for (const char* folder : {"src", "cmd"})
        for (const auto& entry :
             std::filesystem::recursive_directory_iterator(std::filesystem::path(POSTCENSUS_SOURCE) / folder))
            if (entry.path().extension() == ".cpp" || entry.path().extension() == ".h")
                files.push_back(entry.path());
    return files;
}

}  // namespace postcensus::store
