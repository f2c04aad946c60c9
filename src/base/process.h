// SPDX-License-Identifier: MIT
// Other programs: one that runs to its end and returns what it said, and one that runs beside. Without a
// shell.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/failure.h"
#include "base/unique_fd.h"

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

// A program that runs beside, and our ends of its standard descriptors; it gets no others. Killed with this
// object.
class Program {
  public:
    // `arguments[0]` is looked up in PATH, then in /usr/sbin and /sbin (postmap lives there, and a user's
    // PATH may not). SIGPIPE must be ignored (main() does that): it may end without reading its input.
    // Writing to it does not block, reading from it does.
    static Result<Program> start(const std::vector<std::string>& arguments);
    Program(Program&& other) noexcept;
    Program& operator=(Program&&) = delete;
    ~Program();

    UniqueFd in, out, errors;

    pid_t id() const { return id_; }
    // Waits for its end: its exit status; 128 + signal if a signal ended it. Once.
    int wait();

  private:
    Program() = default;
    pid_t id_ = -1;
};

// Blocks the calling thread. After `limit` the program is killed and a Failure returned.
Result<ProcessResult> run_process(const std::vector<std::string>& arguments, const std::string& input,
                                  std::chrono::milliseconds limit);

}  // namespace postcensus
