// SPDX-License-Identifier: MIT
// Reads an old log in a thread of its own, and gives the lines of it that can be events: finding them takes
// as long as understanding them. Of a log whose times have no year it also gives the times of some lines in
// between, so that no turn of a year is missed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "maillog/old_log.h"

namespace postcensus::flow {

// What one block of the log had.
struct EventLines {
    struct Line {
        std::uint32_t start, size;  // in `text`
        std::int64_t number;        // of the line in the log, from 1 on; 0: only its time counts
    };
    std::string text;
    std::vector<Line> lines;
    std::string first_line, last_line;  // of all lines
    std::uint64_t taken = 0;            // bytes of the file so far
    std::int64_t bytes = 0, newlines = 0;

    std::string_view view(const Line& line) const {
        return std::string_view(text).substr(line.start, line.size);
    }
};

class EventLineReader {
  public:
    // `log` is this object's own until it ends.
    explicit EventLineReader(maillog::OldLog& log);
    ~EventLineReader();
    EventLineReader(const EventLineReader&) = delete;
    EventLineReader& operator=(const EventLineReader&) = delete;

    // The next block's lines, good until the next call; nothing at the end. A Failure after the last lines
    // that could be read.
    Result<const EventLines*> next();

  private:
    void read();
    void fill(EventLines& lines, std::string_view block);
    void add_times(EventLines& lines, std::string_view block, const char* end);

    maillog::OldLog& log_;
    std::int64_t newlines_ = 0;
    std::uint64_t overlong_ = 0;
    bool yearless_ = false;            // the log's first line has no year
    const char* next_time_ = nullptr;  // in the block at hand

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::unique_ptr<EventLines>> filled_, free_;
    std::optional<Failure> failure_;
    bool ended_ = false, stopped_ = false;
    std::unique_ptr<EventLines> given_;
    std::thread thread_;  // last: it uses the others
};

}  // namespace postcensus::flow
