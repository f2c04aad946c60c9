// SPDX-License-Identifier: MIT
// A log in a folder of its own, what rotation does to it, and what a FileTail takes from it.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "catch.h"
#include "maillog/file_tail.h"

namespace postcensus::maillog {

namespace fs = std::filesystem;

using Lines = std::vector<std::string>;

// A folder with a log in it, and what rotation does to it.
class Log {
  public:
    Log() : temp_(std::move(*TempFolder::create(fs::temp_directory_path(), "postcensus-test-"))) {}
    fs::path path(const std::string& suffix = {}) const { return temp_.path() / ("mail.log" + suffix); }
    void append(const std::string& text, const std::string& suffix = {}) const {
        std::ofstream(path(suffix), std::ios::app) << text;
    }
    // Into the same inode, as a writer with O_APPEND finds it after copytruncate.
    void truncate() const { REQUIRE(::truncate(path().c_str(), 0) == 0); }
    void move(const std::string& from, const std::string& to) const { fs::rename(path(from), path(to)); }
    void copy(const std::string& to) const { fs::copy_file(path(), path(to)); }
    void remove(const std::string& suffix = {}) const { fs::remove(path(suffix)); }

  private:
    TempFolder temp_;
};

// All that is there now, and what was said on the way.
struct Taken {
    Lines lines;
    std::string lost;
    std::size_t overlong = 0;
    Mark mark;
};

inline Taken take(FileTail& tail, std::size_t most = 500) {
    Taken all;
    for (int polls = 0; polls < 10'000; ++polls) {
        auto batch = tail.poll(most);
        REQUIRE(batch);
        CHECK(batch->lines.size() <= most);
        for (auto& line : batch->lines) all.lines.push_back(std::move(line));
        all.lost += batch->lost;
        all.overlong += batch->overlong;
        all.mark = Mark::parse(batch->mark).value();
        if (!batch->more) return all;
    }
    FAIL("polls without end");
    return all;
}

// A mark that has been through the store.
inline Mark stored(const Mark& mark) {
    const auto again = Mark::parse(mark.text());
    REQUIRE(again);
    return *again;
}

inline Taken take_from(const Log& log, const Mark& mark) {
    FileTail tail(log.path(), stored(mark));
    return take(tail);
}

inline const Mark kFromBeginning{};

}  // namespace postcensus::maillog
