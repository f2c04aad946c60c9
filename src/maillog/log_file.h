// SPDX-License-Identifier: MIT
// One open log file and its identity, and the names that rotation gives to older ones. No state, no waiting.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "maillog/mark.h"

namespace postcensus::maillog {

// So many bytes before the offset tell one log from another: several lines, each with its time.
inline constexpr std::size_t kFingerprintBytes = 1024;
std::uint64_t fingerprint(std::string_view bytes);

class LogFile {
  public:
    // Nothing if there is no such file. A Failure if it cannot be opened or is no regular file.
    static Result<std::optional<LogFile>> open(const std::filesystem::path& path);

    // At most `most` bytes from `offset` on; fewer only at the end of the file.
    Result<std::string> read(std::uint64_t offset, std::size_t most) const;

    // The bytes that a fingerprint at this offset covers.
    Result<std::string> before(std::uint64_t offset) const;

    Result<struct stat> status() const;
    bool is(const struct stat& other) const { return other.st_dev == device_ && other.st_ino == inode_; }
    bool is(const Mark& mark) const { return mark.device == device_ && mark.inode == inode_; }

    // Whether this file has at the mark's offset what the mark's file had.
    bool continues(const Mark& mark) const;

    std::uint64_t device() const { return device_; }
    std::uint64_t inode() const { return inode_; }
    int fd() const { return fd_.get(); }

  private:
    LogFile(UniqueFd fd, const struct stat& status)
        : fd_(std::move(fd)), device_(status.st_dev), inode_(status.st_ino) {}
    UniqueFd fd_;
    std::uint64_t device_;
    std::uint64_t inode_;
};

// The rotated files of one naming scheme, oldest first: NAME.2 NAME.1, or NAME-20261123 NAME-20261124.
// Compressed ones are left out.
using Generations = std::vector<std::filesystem::path>;
std::vector<Generations> rotated_files(const std::filesystem::path& path);

// What is left to read: each file from where, oldest first.
struct Chapter {
    LogFile file;
    std::uint64_t offset = 0;
};

// How a rotated file is recognised: by its inode alone (of a file that is still open), by inode and content,
// or by content (copies).
enum class Match { inode, both, content };

// From the rotated file that the mark belongs to up to the youngest rotated one; empty if none fits.
std::vector<Chapter> chapters_since(const std::filesystem::path& path, const Mark& mark, Match match);

// The rotated files that were written after this one. (Not in the same moment: a copy of it would be read
// twice.)
std::vector<Chapter> chapters_younger(const std::filesystem::path& path, const struct stat& file);

}  // namespace postcensus::maillog
