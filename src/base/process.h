// SPDX-License-Identifier: MIT
// Runs another program to its end and returns what it said. Blocks the calling thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/failure.h"

namespace postcensus {

// So much of standard error is kept.
inline constexpr std::size_t kMostErrors = 64UL * 1024;

struct ProcessResult {
    int status = 0;      // exit status; 128 + signal if a signal ended it
    std::string output;  // standard output, whole
    std::string errors;  // standard error, at most kMostErrors
};

// The processor time that this thread has used, with that of the programs that it ran.
std::chrono::nanoseconds work_of_this_thread();

// `arguments[0]` is looked up in PATH, then in /usr/sbin and /sbin (postmap lives there, and a user's PATH
// may not). After `limit` the program is killed and a Failure returned. SIGPIPE must be ignored (main() does
// that): the program may end without reading its input. It gets the three standard descriptors and no other.
Result<ProcessResult> run_process(const std::vector<std::string>& arguments, const std::string& input,
                                  std::chrono::milliseconds limit);

}  // namespace postcensus
