// SPDX-License-Identifier: MIT
// Lines of a log that are JSON: those of journalctl(1) -o json, and of Docker's json-file driver. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "mail/log_time.h"

namespace postcensus::mail {

struct JsonLine {
    std::string line;           // Docker's: what the container wrote, a whole line; else empty, and
    std::optional<LogTime> at;  // the journal's; nothing: the form is not known
    std::string tag, message;
};

JsonLine read_json_line(std::string_view text);

}  // namespace postcensus::mail
