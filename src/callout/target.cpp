// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "callout/session.h"

namespace postcensus::callout {

std::string Target::text() const {
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                               : fmt::format("[{}]:{}", host, port);
}

}  // namespace postcensus::callout
