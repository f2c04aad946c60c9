// SPDX-License-Identifier: MIT
#include "census/mistyped.h"

#include <algorithm>
#include <array>

#include "base/printable.h"
#include "mail/address.h"

namespace postcensus::census {
namespace {

// Nobody types these into an address on purpose: no-break and other blanks, soft hyphen, zero width and
// direction marks, byte order mark.
bool is_invisible(char32_t point) {
    static constexpr std::array<std::pair<char32_t, char32_t>, 13> kRanges{{{0x00A0, 0x00A0},
                                                                            {0x00AD, 0x00AD},
                                                                            {0x034F, 0x034F},
                                                                            {0x061C, 0x061C},
                                                                            {0x115F, 0x1160},
                                                                            {0x1680, 0x1680},
                                                                            {0x17B4, 0x17B5},
                                                                            {0x180B, 0x180E},
                                                                            {0x2000, 0x200F},
                                                                            {0x2028, 0x202F},
                                                                            {0x205F, 0x206F},
                                                                            {0x3000, 0x3000},
                                                                            {0xFEFF, 0xFEFF}}};
    return std::any_of(kRanges.begin(), kRanges.end(),
                       [point](const auto& range) { return range.first <= point && point <= range.second; });
}

bool has_invisible(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = std::max<std::size_t>(utf8_length(text), 1);
        if (length > 1 && is_invisible(code_point(text.substr(0, length)))) return true;
        text.remove_prefix(length);
    }
    return false;
}

// Letters and digits alone.
std::string skeleton(std::string_view text) {
    std::string out;
    for (const char byte : mail::fold(text))
        if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9')) out += byte;
    return out;
}

bool has_type(std::string_view address) {
    static constexpr std::array<std::string_view, 4> kTypes{"smtp:", "mailto:", "sip:", "x500:"};
    const std::string folded = mail::fold(address.substr(0, 7));
    return std::any_of(kTypes.begin(), kTypes.end(),
                       [&](std::string_view type) { return folded.starts_with(type); });
}

}  // namespace

std::string_view trim_blanks(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string_view flaw_of_address(std::string_view address) {
    if (address.empty()) return "there is no address";
    if (has_invisible(address)) return "an invisible character is in it";
    if (!is_printable(address)) return "it is no printable text";
    if (has_type(address)) return "another type stands before the address";
    const std::size_t at = address.rfind('@');
    if (at == std::string_view::npos) return "it has no domain";
    const std::string_view local = address.substr(0, at);
    const std::string_view domain = address.substr(at + 1);
    if (local.empty()) return "nothing stands before the @";
    if (domain.empty()) return "it has no domain";
    const bool quoted = local.size() > 1 && local.front() == '"' && local.back() == '"';
    if (!quoted && local.find('@') != std::string_view::npos)
        return local.back() == '@' ? "there are two @ in a row" : "there are two addresses in it, or two @";
    if (domain.back() == '.') return "a dot stands at its end";
    if (local.back() == ' ' || domain.front() == ' ') return "a blank stands beside the @";
    const auto valid = mail::Address::from_internal(address);
    if (!valid) return "it is no valid address";
    return valid->fits_table() ? "" : "a table cannot hold an address that begins with #";
}

std::string_view flaw_of_type(std::string_view value) {
    if (value.find('@') == std::string_view::npos) return {};
    const std::size_t colon = value.find(':');
    if (colon == std::string_view::npos) return "there is no type (smtp:) before it";
    static constexpr std::array<std::string_view, 9> kMeant{"smtp", "smpt", "stmp", "smt",   "smtps",
                                                            "mtp",  "stp",  "mail", "mailto"};
    const std::string type = skeleton(value.substr(0, colon));
    const bool meant = std::find(kMeant.begin(), kMeant.end(), type) != kMeant.end();
    return meant || type == "email" ? "its type is not smtp:, though it looks like an address"
                                    : std::string_view{};
}

}  // namespace postcensus::census
