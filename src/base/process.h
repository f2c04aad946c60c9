// SPDX-License-Identifier: MIT
// Runs another program to its end and returns what it said. Blocks the calling thread.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/failure.h"

namespace postcensus {

struct ProcessResult {
    int status = 0;      // exit status; 128 + signal if a signal ended it
    std::string output;  // standard output, whole
    std::string errors;  // standard error, at most 64 KiB of it
};

// `arguments[0]` is looked up in PATH, then in /usr/sbin and /sbin (postmap lives there, and a user's PATH
// may not). After `limit` the program is killed and a Failure returned. SIGPIPE must be ignored (main() does
// that): the program may end without reading its input.
Result<ProcessResult> run_process(const std::vector<std::string>& arguments, const std::string& input,
                                  std::chrono::milliseconds limit);

}  // namespace postcensus
