// SPDX-License-Identifier: MIT
// Finds in a block of a log the lines that can be events (log_event.h), at the speed of memory: nearly all
// lines of a log are none. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace postcensus::mail {

// Calls `take` with each such line, without its newline, in order. `block` holds whole lines. Lines in which
// the marks merely stand are among them; read_line() tells.
void find_event_lines(std::string_view block, const std::function<void(std::string_view line)>& take);

std::size_t count_newlines(std::string_view text);

}  // namespace postcensus::mail
