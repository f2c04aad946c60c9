// SPDX-License-Identifier: MIT
#include "base/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace postcensus {
namespace {

bool harmless(char32_t point) {
    if (point < 0x20 || (point >= 0x7F && point < 0xA0)) return false;
    // Line and paragraph separators, and what turns the direction of text round (U+061C, U+200E..F,
    // U+202A..E, U+2066..9).
    return !(point >= 0x2028 && point <= 0x202E) && !(point >= 0x2066 && point <= 0x2069) &&
           point != 0x200E && point != 0x200F && point != 0x061C;
}

// Nearly all that comes is.
bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char byte) { return byte >= ' ' && byte < 0x7F; });
}

}  // namespace

char32_t code_point(std::string_view sequence) {
    if (sequence.size() == 1) return static_cast<unsigned char>(sequence[0]);
    char32_t point = static_cast<unsigned char>(sequence[0]) & (0xFFU >> (sequence.size() + 1));
    for (const char byte : sequence.substr(1))
        point = (point << 6U) | (static_cast<unsigned char>(byte) & 0x3FU);
    return point;
}

std::size_t utf8_length(std::string_view text) {
    if (text.empty()) return 0;
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
    if (length == 0 || lead >= 0xF5 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) return 0;
    const char32_t point = code_point(text.substr(0, length));
    // Overlong forms and surrogates are not UTF-8 (RFC 3629).
    if ((length == 3 && point < 0x800) || (length == 4 && (point < 0x10000 || point > 0x10FFFF))) return 0;
    return point >= 0xD800 && point <= 0xDFFF ? 0 : length;
}

bool is_printable(std::string_view text) {
    return is_plain(text) || printable(text, text.size()) == text;
}

std::string printable(std::string_view text, std::size_t longest) {
    if (text.size() <= longest && is_plain(text)) return std::string(text);
    std::string out;
    out.reserve(std::min(text.size(), longest));
    while (!text.empty()) {
        if (out.size() >= longest) return out + "...";
        const std::size_t length = utf8_length(text);
        const std::string_view sequence = text.substr(0, length == 0 ? 1 : length);
        if (length != 0 && harmless(code_point(sequence)))
            out += sequence;
        else
            for (const char byte : sequence)
                fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(byte));
        text.remove_prefix(sequence.size());
    }
    return out;
}

}  // namespace postcensus
