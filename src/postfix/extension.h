// SPDX-License-Identifier: MIT
// The extension of a local part: Postfix looks B+x up as B too. By the rules of Postfix's own split_addr(3):
// some names are never divided (recipient_delimiter, owner_request_special and double_bounce_sender in
// postconf(5)). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace postcensus::postfix {

struct Extensions {
    Extensions() = default;
    explicit Extensions(std::string characters) : delimiters(std::move(characters)) {}

    std::string delimiters;             // any of these characters; empty: nothing is divided
    bool owner_request_special = true;  // "-" divides neither owner-x nor x-request
    std::string double_bounce_sender = "double-bounce";

    // What stands before the extension; nothing where there is none. `local`: folded.
    std::optional<std::string> base_of(std::string_view local) const;
};

}  // namespace postcensus::postfix
