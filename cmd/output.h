// SPDX-License-Identifier: MIT
// Where a command writes its result: standard output, or a file that was opened before root's rights were
// given up. A file keeps what it had until there is something to replace it by.
#pragma once

#include <string>
#include <string_view>

#include "base/failure.h"
#include "base/unique_fd.h"

namespace postcensus::cmd {

class Output {
  public:
    Output() = default;  // standard output
    static Result<Output> open(const std::string& path);

    // A reader that has enough (`| head`) is no failure: what it does not want is dropped.
    Result<void> write(std::string_view text);
    // It has had enough.
    bool closed() const { return closed_; }

  private:
    UniqueFd file_;
    std::string path_ = "standard output";
    bool begun_ = false;
    bool closed_ = false;
};

// Whether standard output is a terminal whose user has nothing against colours (no-color.org).
bool in_colour();

}  // namespace postcensus::cmd
