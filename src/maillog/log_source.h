// SPDX-License-Identifier: MIT
// Where the lines of Postfix come from: a file (file_tail.h) or the systemd journal (journal_tail.h). Never
// blocks. One owner, one thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/failure.h"

namespace postcensus::maillog {

enum class SourceKind { automatic, file, journal };

struct Settings {
    SourceKind source = SourceKind::automatic;
    std::filesystem::path path;             // the log file; with a journal, the folder of its files, or empty
    std::vector<std::string> syslog_names;  // {"postfix"}
};

struct Batch {
    std::vector<std::string> lines;  // without newline; a line over the bound is left out and counted
    std::string mark;                // behind the last of these lines, opaque; always worth storing
    std::size_t overlong = 0;        // lines longer than any that Postfix writes
    std::string lost;                // not empty: lines may have been lost here, and why
    bool more = false;               // poll again at once
};

class LogSource {
  public:
    LogSource() = default;
    LogSource(const LogSource&) = delete;
    LogSource& operator=(const LogSource&) = delete;
    virtual ~LogSource() = default;

    // At most `most_lines` lines that are there now. A Failure is passing (no permission, an I/O error);
    // nothing is skipped, polling again is safe.
    virtual Result<Batch> poll(std::size_t most_lines = 500) = 0;

    // A descriptor that becomes readable when poll() may have something; call clear(), then poll(). -1 where
    // that is not to be had. Poll now and then also without it.
    virtual int watch_fd() const = 0;
    virtual void clear() = 0;

    // Whether there is anything to read from.
    virtual bool present() const = 0;
};

}  // namespace postcensus::maillog
