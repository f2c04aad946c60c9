// SPDX-License-Identifier: MIT
#include "audit/markup.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <utility>

#include "base/duration.h"
#include "base/printable.h"

namespace postcensus::audit {
namespace {

struct Range {
    char32_t first, last;
};

// What printable() lets pass and nobody can see: soft hyphen, joiners, fillers, zero-width characters,
// variation selectors, tags; and what is no character.
constexpr std::array<Range, 17> kInvisible{{{0xAD, 0xAD},
                                            {0x34F, 0x34F},
                                            {0x115F, 0x1160},
                                            {0x17B4, 0x17B5},
                                            {0x180B, 0x180F},
                                            {0x200B, 0x200F},
                                            {0x2060, 0x206F},
                                            {0x2800, 0x2800},
                                            {0x3164, 0x3164},
                                            {0xFDD0, 0xFDEF},
                                            {0xFE00, 0xFE0F},
                                            {0xFEFF, 0xFEFF},
                                            {0xFFA0, 0xFFA0},
                                            {0xFFF0, 0xFFFB},
                                            {0xFFFE, 0xFFFF},
                                            {0x1D173, 0x1D17A},
                                            {0xE0000, 0x10FFFF}}};

// Marks that stand on the letter before them: piled up they cover the lines above.
constexpr std::array<Range, 5> kMarks{
    {{0x300, 0x36F}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x20D0, 0x20FF}, {0xFE20, 0xFE2F}}};
constexpr int kMostMarks = 3;  // on one letter; Vietnamese has two

constexpr std::size_t kLongestReference = 16;  // that one character becomes: four times \xNN

template <std::size_t N>
bool within(const std::array<Range, N>& ranges, char32_t point) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](Range range) { return range.first <= point && point <= range.last; });
}

std::string_view reference(char byte) {
    switch (byte) {
        case '&':
            return "&amp;";
        case '<':
            return "&lt;";
        case '>':
            return "&gt;";
        case '"':
            return "&quot;";
        case '\'':
            return "&#39;";
        default:
            return {};
    }
}

}  // namespace

std::string escaped(std::string_view untrusted, std::size_t longest) {
    const std::string shown = printable(untrusted, longest);
    std::string out;
    int marks = 0;
    for (std::string_view rest = shown; !rest.empty();) {
        if (out.size() + kLongestReference > 2 * longest) return out + "...";
        const std::string_view sequence = rest.substr(0, std::max<std::size_t>(utf8_length(rest), 1));
        rest.remove_prefix(sequence.size());
        const char32_t point = code_point(sequence);
        marks = within(kMarks, point) ? marks + 1 : 0;
        if (within(kInvisible, point) || marks > kMostMarks)
            for (const char byte : sequence)
                fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(byte));
        else if (const std::string_view other = reference(sequence[0]); !other.empty())
            out += other;
        else
            out += sequence;
    }
    return out;
}

Markup text(std::string_view untrusted, std::size_t longest) {
    if (untrusted.empty()) return {};
    return {"<bdi>" + escaped(untrusted, longest) + "</bdi>"};
}

Markup words(std::string_view trusted) {
    return {escaped(trusted)};
}

std::string grouped(std::int64_t number) {
    std::string digits = fmt::format("{}", number);
    const std::size_t sign = number < 0 ? 1 : 0;
    for (std::size_t at = digits.size(); at > sign + 3;) digits.insert(at -= 3, 1, ',');
    return digits;
}

Markup number(std::int64_t value) {
    return {grouped(value)};
}

std::string minute_of(Time time) {
    std::string text = format_time(time);
    if (const std::size_t seconds = text.rfind(':'); seconds != std::string::npos) text.resize(seconds);
    if (const std::size_t middle = text.find('T'); middle != std::string::npos) text[middle] = ' ';
    return text;
}

Markup time(Time time) {
    return {fmt::format("<time datetime=\"{}\">{}</time>", format_time(time), minute_of(time))};
}

std::string spelled(Milliseconds duration) {
    if (duration.count() <= 0) return "0 s";
    if (duration < std::chrono::seconds(1)) return fmt::format("{} ms", duration.count());
    if (duration < std::chrono::seconds(10) && duration.count() % 1000 != 0)
        return fmt::format("{:.1f} s", static_cast<double>(duration.count()) / 1000);
    std::string whole = spell_duration(duration);
    // "1 h 0 min" is no way to speak of a whole hour.
    whole.resize(std::min(whole.find(" 0 "), whole.size()));
    return whole;
}

std::int64_t sum_of(std::int64_t one, std::int64_t other) {
    one = std::max<std::int64_t>(one, 0);
    other = std::max<std::int64_t>(other, 0);
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    return one > kMost - other ? kMost : one + other;
}

Table::Table(const char* caption, std::vector<Column> columns, Narrow narrow, std::size_t most_rows,
             std::size_t most_bytes)
    : caption_(caption),
      columns_(std::move(columns)),
      narrow_(narrow),
      most_rows_(most_rows),
      most_bytes_(most_bytes) {}

bool Table::add(const std::vector<Markup>& cells) {
    std::string row = "<tr>";
    for (std::size_t i = 0; i < columns_.size() && i < cells.size(); ++i) {
        const Column& column = columns_[i];
        const std::string& cell = cells[i].html;
        if (column.kind == Column::Kind::name || column.kind == Column::Kind::key) {
            row += column.kind == Column::Kind::key ? "<th scope=\"row\" class=\"w\">" : "<th scope=\"row\">";
            row += cell + "</th>";
            continue;
        }
        std::string classes = column.kind == Column::Kind::number ? "n"
                              : column.kind == Column::Kind::word ? "w"
                                                                  : "";
        if (cell.empty()) classes += " o";  // on a phone it is left out
        row += classes.empty() ? "<td" : "<td class=\"" + classes + "\"";
        // Shown by the style on a phone, where the head of the table is not.
        if (narrow_ == Narrow::stacked) row += fmt::format(" data-h=\"{}\"", column.heading);
        row += ">" + (cell.empty() ? "–" : cell) + "</td>";
    }
    row += "</tr>\n";
    if (rows_ >= most_rows_ || body_.size() + row.size() > most_bytes_) {
        most_rows_ = rows_;  // what comes after it is no more worth showing
        return false;
    }
    body_ += row;
    ++rows_;
    return true;
}

std::string Table::html(std::int64_t total, const char* first) const {
    std::string out =
        narrow_ == Narrow::scrolled
            ? fmt::format("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">", caption_)
            : "<div class=\"rows\">";
    out += fmt::format("<table class=\"{}{}\"><caption>{}</caption><thead><tr>",
                       narrow_ == Narrow::scrolled ? "wide" : "list",
                       // Two columns at the far ends of a wide page cannot be read together.
                       columns_.size() == 2 ? " pair" : "", caption_);
    for (const Column& column : columns_)
        out += fmt::format("<th scope=\"col\"{}>{}</th>",
                           column.kind == Column::Kind::number ? " class=\"n\"" : "", column.heading);
    out += "</tr></thead><tbody>\n" + body_ + "</tbody></table></div>\n";
    if (std::cmp_less(rows_, total))
        out += fmt::format("<p class=\"cut\">The {} {} of {}; {} more are not shown.</p>\n", first,
                           grouped(static_cast<std::int64_t>(rows_)), grouped(total),
                           grouped(total - static_cast<std::int64_t>(rows_)));
    return out;
}

}  // namespace postcensus::audit
