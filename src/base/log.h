// SPDX-License-Identifier: MIT
// Sets up the log (spdlog's default logger): standard error, or the journal with priorities under systemd.
// Everything else simply calls spdlog::info() and its kin with text that printable() has passed.
#pragma once

#include <string>

#include "base/failure.h"

namespace postcensus {

// Levels: debug, info, warning, error.
Result<void> set_up_log(const std::string& level);

// A Failure in one line, its detail behind it.
void log_failure(const Failure& failure);

}  // namespace postcensus
