// SPDX-License-Identifier: MIT
// Where reading of a log file goes on: kept by the store as opaque text, in the transaction that stores what
// the lines said.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace postcensus::maillog {

// Device and inode are not enough (inodes are reused after a rotation, and a copy has others), so the mark
// has a hash of the bytes before the offset. All zero: there was no file yet, and what appears is read from
// its beginning.
struct Mark {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t offset = 0;       // the start of a line, or inside one that is too long and being skipped
    std::uint64_t fingerprint = 0;  // FNV-1a of up to 1 KiB before the offset

    bool no_file() const { return device == 0 && inode == 0; }
    bool operator==(const Mark&) const = default;

    std::string text() const;
    static std::optional<Mark> parse(const std::string& text);
};

}  // namespace postcensus::maillog
