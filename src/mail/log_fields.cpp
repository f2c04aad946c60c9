// SPDX-License-Identifier: MIT
#include "mail/log_fields.h"

#include <algorithm>

namespace postcensus::mail {
namespace {

// rsyslog writes a control character, and where it is told so every byte beyond ASCII, as # and three octal
// digits. What the address was cannot be told from one that has these characters.
bool has_escape(std::string_view text) {
    for (std::size_t at = text.find('#'); at != std::string_view::npos; at = text.find('#', at + 1)) {
        const std::string_view digits = text.substr(at + 1, 3);
        if (digits.size() < 3 ||
            !std::all_of(digits.begin(), digits.end(), [](char byte) { return byte >= '0' && byte <= '7'; }))
            continue;
        const int value = (digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0');
        if (value < 0x20 || value >= 0x7F) return true;
    }
    return false;
}

}  // namespace

// An address in quoted form up to the > that closes it: in quotes, < > and blanks mean nothing.
tl::expected<std::string_view, Dropped> take_quoted(Scanner& in) {
    const std::string_view text = in.text;
    std::size_t i = 0;
    if (text.starts_with('"')) {
        for (i = 1; i < text.size() && text[i] != '"'; ++i)
            if (text[i] == '\\') ++i;
        ++i;
    }
    // What stands outside of quotes never has these; if it does, this is not the form that the site logs (or
    // a forgery).
    for (; i < text.size() && text[i] != '>'; ++i)
        if (text[i] == ' ' || text[i] == '<' || text[i] == '"') return tl::make_unexpected(Dropped::hostile);
    if (i >= text.size()) return tl::make_unexpected(Dropped::cut);
    in.text.remove_prefix(i + 1);
    return text.substr(0, i);
}

std::optional<Address> recipient_of(std::string_view quoted) {
    return has_escape(quoted) ? std::nullopt : Address::from_external(quoted);
}

}  // namespace postcensus::mail
