// SPDX-License-Identifier: MIT
// Reads whole lines from a growing, rotating log file.
//
// A last line without its newline stays unread until it is complete. After a rename the old file is drained
// to its end, and left when the new one has its first byte: a writer that still holds the old one may write
// to it until then. A deleted file is drained and let go, so that its space is freed. After copytruncate the
// copy is drained if it lies beside. Where lines may have been lost (a truncated file without a copy, a mark
// that nothing matches), the batch says so; reading then goes on from the beginning of the current file, as
// reading a line twice is harmless.
//
// Limits: rotated files are looked for in the log's own folder, uncompressed, as NAME.1 or NAME-20261124.
// What was copied between the last read of copytruncate's cp and its truncation is lost to everyone; so is
// what stood in a file of which nothing had been read, as there is nothing to know its copy by.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>

#include "maillog/log_source.h"
#include "maillog/mark.h"

namespace postcensus::maillog {

class FileTail : public LogSource {
  public:
    // `mark`: where an earlier process stopped; without one, reading starts at the end of the file that is
    // there at the first poll (a line that is half written then counts as new), or at the beginning of one
    // that appears later.
    FileTail(std::filesystem::path path, std::optional<Mark> mark);
    ~FileTail() override;

    // A file that does not exist is an empty batch. The mark is Mark::text().
    Result<Batch> poll(std::size_t most_lines = 500) override;

    // inotify does not see what happens behind a symbolic link or on a network file system.
    int watch_fd() const override;
    void clear() override;

    bool present() const override;

  private:
    class Reader;
    std::unique_ptr<Reader> reader_;
};

}  // namespace postcensus::maillog
