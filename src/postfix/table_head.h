// SPDX-License-Identifier: MIT
// The comment lines at the head of a table's text file: which state made it, which generation it is, and
// until when it is good. Read again by failsafe (which has nothing else to go by) and after a crash or a
// restored backup. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace postcensus::postfix {

struct TableHead {
    std::string state_id;
    std::int64_t generation = 0;
    Time written;
    std::optional<Time> until;                   // rounded up to a second; none: no lease
    std::map<std::string, std::int64_t> counts;  // entries per domain
};

std::string format_head(std::string_view table, const TableHead& head);

// Whether a text that begins so may be a head that is not complete yet.
bool may_be_part_of_head(std::string_view text);

// Nothing if this is no head of ours, whole.
std::optional<TableHead> parse_head(std::string_view text);

}  // namespace postcensus::postfix
