// SPDX-License-Identifier: MIT
// Where a command writes its result: standard output, or a file. A file keeps what it had until the result is
// whole.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/atomic_file.h"
#include "base/failure.h"
#include "base/unique_fd.h"

namespace postcensus::cmd {

class Output {
  public:
    // What a pipe, a device or a link is, that has the name of the file: the way to where the result goes, or
    // something that another has put there.
    enum class Special { written, replaced };

    Output() = default;  // standard output
    static Result<Output> open(const std::string& path, Special special);

    // A reader that has enough (`| head`) is no failure: what it does not want is dropped.
    Result<void> write(std::string_view text);
    // It has had enough.
    bool closed() const { return closed_; }

    // The result is whole: it becomes what has the name of the file.
    Result<void> commit();

  private:
    int fd() const;

    std::optional<AtomicFile> aside_;
    UniqueFd special_;
    std::string path_ = "standard output";
    bool begun_ = false;
    bool closed_ = false;
};

// Whether standard output is a terminal whose user has nothing against colours (no-color.org).
bool in_colour();

}  // namespace postcensus::cmd
