// SPDX-License-Identifier: MIT
// A file that is written aside, in the folder where it is to be, and takes the place of what has its name
// there once it is whole. Until then the old one stays as it was, and nothing is left behind if commit() does
// not run.
#pragma once

#include <filesystem>

#include "base/failure.h"
#include "base/unique_fd.h"

namespace postcensus {

class AtomicFile {
  public:
    static Result<AtomicFile> create(const std::filesystem::path& path);
    AtomicFile(AtomicFile&& other) noexcept;
    AtomicFile& operator=(AtomicFile&&) = delete;
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile();

    // To write to.
    int fd() const { return fd_.get(); }

    // Makes it durable and puts it in place: with the mode of the file that was there, else 0640, and as far
    // as this process may give files away with its owner and group; but after nothing that a stranger put
    // into a common folder. Nothing is followed: a link, a pipe or a device that has the name is replaced
    // itself.
    Result<void> commit();

  private:
    explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path aside_path() const;
    std::filesystem::path path_;
    std::filesystem::path aside_;  // its name until it is in place, if it has one
    UniqueFd fd_;
};

}  // namespace postcensus
