// SPDX-License-Identifier: MIT
// The entries of one table as its text has them, `key TAB value NEWLINE` each, in one piece of memory: there
// may be a million. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postcensus::postfix {

// Both end with the TableEntries that they are of, or with a change of it.
struct TableEntry {
    std::string_view key;    // the quoted form of an address, or @domain
    std::string_view value;  // one line
};

class TableEntries {
  public:
    void add(std::string_view key, std::string_view value);
    // For about so many.
    void reserve(std::size_t count);

    // By key. Of lines that are the same one stays.
    void sort();

    std::size_t size() const { return lines_.size(); }
    bool empty() const { return lines_.empty(); }
    TableEntry at(std::size_t index) const;
    // Where this key stands, after sort().
    std::optional<std::size_t> find(std::string_view key) const;
    void clear();

    // All lines, in the order in which they were added, or in that of sort().
    const std::string& text() const { return text_; }

    std::map<std::string, std::int64_t> count_by_domain() const;

  private:
    struct Line {
        std::size_t start;
        std::uint32_t key_size, size;
    };
    std::string_view view(const Line& line) const {
        return std::string_view(text_).substr(line.start, line.size);
    }

    void rewrite();

    std::string text_;
    std::vector<Line> lines_;
};

}  // namespace postcensus::postfix
