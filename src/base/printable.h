// SPDX-License-Identifier: MIT
// Makes untrusted text (log lines, SMTP replies, LDAP values) safe for a log, a terminal or a table head.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace postcensus {

// Control characters, the C1 range, line and paragraph separators, bidirectional overrides and bytes that are
// not UTF-8 become \xNN; text over `longest` bytes is cut, with "..." behind it.
std::string printable(std::string_view text, std::size_t longest = 300);

// Whether all of it is safe as it is.
bool is_printable(std::string_view text);

// Length in bytes of the valid UTF-8 sequence at the start of `text`; 0 if there is none.
std::size_t utf8_length(std::string_view text);

// The character that one valid UTF-8 sequence stands for.
char32_t code_point(std::string_view sequence);

}  // namespace postcensus
