// SPDX-License-Identifier: MIT
// Values of a directory that people meant for addresses, and mistyped. Pure. What was meant is not guessed:
// only a blank at either end is dropped.
#pragma once

#include <string>
#include <string_view>

namespace postcensus::census {

struct Mistyped {
    std::string guid, dn;
    std::string value;  // printable, as it stands there
    std::string why;    // what is wrong, in words
};

// Without blanks at either end.
std::string_view trim_blanks(std::string_view text);

// What is wrong with a trimmed address; empty if nothing is.
std::string_view flaw_of_address(std::string_view address);

// What is wrong with a trimmed value of proxyAddresses that is not of the type smtp; empty if it just is of
// another type (X500, SIP…).
std::string_view flaw_of_type(std::string_view value);

}  // namespace postcensus::census
