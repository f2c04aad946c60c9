// SPDX-License-Identifier: MIT
// A line on standard error that is drawn over itself, where somebody looks on.
#pragma once

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <string>

namespace postcensus::cmd {

class ProgressLine {
  public:
    ProgressLine() = default;
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    ~ProgressLine() {
        if (drawn_) std::cerr << "\r\x1b[K";
    }

    bool seen() const { return terminal_; }
    void draw(const std::string& text) {
        if (!terminal_) return;
        std::cerr << "\r" << text << "\x1b[K";
        drawn_ = true;
    }
    // Since it was made; never 0.
    double seconds() const {
        const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begun_;
        return std::max(passed.count(), 0.001);
    }

  private:
    bool terminal_ = ::isatty(STDERR_FILENO) == 1;
    bool drawn_ = false;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace postcensus::cmd
