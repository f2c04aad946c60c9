// SPDX-License-Identifier: MIT
// The words an HTML page is made of. Pure. Markup is what may stand in a page as it is: text of strangers
// becomes Markup only through text(), which makes it inert. No text of a stranger ever goes into an
// attribute.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace postcensus::audit {

struct Markup {
    std::string html;
};

constexpr std::size_t kLongestText = 240;  // of a text in a table: longer than nearly every address and reply

// Text with & < > " ' as references; what is not printable, turns the direction of text round, or cannot be
// seen is written as \xNN. Cut at about `longest` bytes, with "..." behind it; the result is never
// much longer than twice that.
std::string escaped(std::string_view untrusted, std::size_t longest = kLongestText);

// The same, isolated: right-to-left text cannot reorder its neighbours.
Markup text(std::string_view untrusted, std::size_t longest = kLongestText);

// Words of ours.
Markup words(std::string_view trusted);

// "12,345"
std::string grouped(std::int64_t number);
Markup number(std::int64_t value);

// "2026-11-24 03:47", UTC.
std::string minute_of(Time time);
Markup time(Time time);

// As spell_duration(), and finer below ten seconds: "820 ms", "2.4 s".
std::string spelled(Milliseconds duration);

// The sum, or the largest number there is; what is below zero counts as zero.
std::int64_t sum_of(std::int64_t one, std::int64_t other);

struct Column {
    // name and key: the first, which heads its row; a key is short. word: short, and a time.
    enum class Kind { name, key, text, word, number };
    const char* heading;
    Kind kind = Kind::text;
};

// How a table behaves on a phone.
enum class Narrow {
    stacked,  // each row becomes a block, each cell a line with its heading: for text
    scrolled  // in a container of its own: for numbers that want comparing
};

// A table that never grows beyond its bounds, and says so.
class Table {
  public:
    Table(const char* caption, std::vector<Column> columns, Narrow narrow, std::size_t most_rows = 100,
          std::size_t most_bytes = 50'000);

    // False: it is full, and the row was left out.
    bool add(const std::vector<Markup>& cells);

    // The whole of it, with a line that says how many rows of `total` are shown if that is not all of them.
    // `first` names those that are: "newest", "busiest".
    std::string html(std::int64_t total, const char* first) const;

  private:
    const char* caption_;
    std::vector<Column> columns_;
    Narrow narrow_;
    std::size_t most_rows_, most_bytes_;
    std::size_t rows_ = 0;
    std::string body_;
};

}  // namespace postcensus::audit
