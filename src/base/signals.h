// SPDX-License-Identifier: MIT
// The signals by which the service is told to end (SIGTERM, SIGINT) or to load its configuration anew
// (SIGHUP).
//
// They stay blocked from hold_signals() to the end of the process, and wait in the kernel until somebody
// takes them: none is lost at the start, between two who listen, or behind another one. Programs that are run
// get none of this (run_process).
#pragma once

#include <chrono>
#include <optional>

#include "base/failure.h"
#include "base/unique_fd.h"

namespace postcensus {

// Before any thread, and before anything that takes time.
void hold_signals();

class SignalSource {
  public:
    static Result<SignalSource> open();

    // Readable when there is one.
    int fd() const { return fd_.get(); }
    // One that came; the end before a reload, whatever came first. Nothing if none did. Never blocks.
    std::optional<int> take();
    // Waits for one, at most so long. Blocks.
    std::optional<int> wait(std::chrono::milliseconds patience);

  private:
    explicit SignalSource(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace postcensus
