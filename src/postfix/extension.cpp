// SPDX-License-Identifier: MIT
#include "postfix/extension.h"

namespace postcensus::postfix {

std::optional<std::string> Extensions::base_of(std::string_view local) const {
    if (local == "postmaster" || local == "mailer-daemon" || local == double_bounce_sender)
        return std::nullopt;
    constexpr std::string_view kRequest = "-request";
    if (owner_request_special && delimiters.find('-') != std::string::npos &&
        (local.starts_with("owner-") || (local.size() > kRequest.size() && local.ends_with(kRequest))))
        return std::nullopt;
    const std::size_t at = delimiters.empty() ? std::string_view::npos : local.find_first_of(delimiters);
    if (at == std::string_view::npos || at == 0) return std::nullopt;
    return std::string(local.substr(0, at));
}

}  // namespace postcensus::postfix
