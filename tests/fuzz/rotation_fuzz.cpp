// SPDX-License-Identifier: MIT
// libFuzzer target: whatever order of writes, rotations, truncations and restarts, no line that was on disk
// is lost without a word, and none is read twice. Each byte is one step.
#include <sys/stat.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "maillog/file_tail.h"

using namespace postcensus;
namespace fs = std::filesystem;

namespace {

class Scene {
  public:
    explicit Scene(const fs::path& folder) : folder_(folder), log_(folder / "mail.log") {
        open_writer();
        restart();
        poll(1);
    }

    void step(std::uint8_t what) {
        history_ += static_cast<char>('a' + what % 10);
        switch (what % 10) {
            case 0:
            case 1:
                return write(1);
            case 2:
                return write(what / 10U);
            case 3:
                return write_half();
            case 4:
                return poll(1 + what / 10U);
            case 5:
                return poll(500);
            case 6:
                return rename();
            case 7:
                return copy_and_truncate();
            case 8:
                return restart();
            default:
                return recreate();
        }
    }

    // All that is on disk must have been read by now.
    void finish() {
        finish_half();
        for (int polls = 0; polls < 1000 && poll_once(500); ++polls) {
        }
        if (!lost_ && read_ != written_) complain("a line was lost");
    }

  private:
    [[noreturn]] void complain(const char* what) {
        std::fprintf(stderr, "%s: read %d of %d after %s\n", what, read_, written_, history_.c_str());
        std::abort();
    }

    void open_writer() {
        writer_.close();
        writer_.clear();
        writer_.open(log_, std::ios::app);
    }

    void write(unsigned lines) {
        finish_half();
        for (unsigned i = 0; i < lines; ++i) {
            // Lines of different length; each is unique.
            writer_ << ++written_ << ' ' << std::string(static_cast<std::size_t>(written_ * 7 % 90), 'x')
                    << '\n';
        }
        writer_.flush();
    }

    // A line whose end comes later: never in another file.
    void write_half() {
        if (half_) return;
        writer_ << written_ + 1 << " half";
        writer_.flush();
        half_ = true;
    }
    void finish_half() {
        if (!half_) return;
        writer_ << '\n';
        writer_.flush();
        ++written_;
        half_ = false;
    }

    // logrotate: mail.log.1 becomes mail.log.2, and so on, none is dropped; the writer reopens.
    void shift() {
        for (int number = ++rotations_; number > 0; --number) {
            const fs::path from = log_.string() + "." + std::to_string(number);
            if (fs::exists(from)) fs::rename(from, log_.string() + "." + std::to_string(number + 1));
        }
    }
    void rename() {
        finish_half();
        shift();
        if (fs::exists(log_)) fs::rename(log_, log_.string() + ".1");
        open_writer();
    }
    void copy_and_truncate() {
        finish_half();
        if (!fs::exists(log_)) return;
        // Of a file that nothing was read of there is nothing to know its copy by (file_tail.h).
        const auto mark = maillog::Mark::parse(mark_.value_or(""));
        struct stat facts {};
        if (::stat(log_.c_str(), &facts) != 0) std::abort();
        if (!mark || mark->offset == 0 || mark->inode != facts.st_ino) lost_ = true;
        shift();
        fs::copy_file(log_, log_.string() + ".1");
        fs::resize_file(log_, 0);
    }

    // Somebody deletes the log, and a running reader, which inotify wakes, has seen it and the next one.
    // (What nobody has open is gone, and a file that was never looked at is known by nothing.)
    void recreate() {
        finish_half();
        catch_up();
        fs::remove(log_);
        open_writer();
        catch_up();
    }
    void catch_up() {
        while (poll_once(500)) {
        }
    }

    void restart() {
        tail_.reset();
        tail_ =
            std::make_unique<maillog::FileTail>(log_, mark_ ? maillog::Mark::parse(*mark_) : maillog::Mark{});
    }

    void poll(unsigned lines) { poll_once(lines); }

    bool poll_once(unsigned lines) {
        auto batch = tail_->poll(lines);
        if (!batch) complain("a poll failed");
        mark_ = batch->mark;
        // It says so where lines may be lost; then it may read some again.
        if (!batch->lost.empty()) lost_ = true;
        for (const std::string& line : batch->lines) {
            const int number = std::atoi(line.c_str());
            if (!lost_ && number != read_ + 1) complain("a line came twice, or out of order, or not at all");
            read_ = number;
        }
        return batch->more || !batch->lines.empty();
    }

    fs::path folder_, log_;
    std::ofstream writer_;
    std::unique_ptr<maillog::FileTail> tail_;
    std::optional<std::string> mark_;
    int written_ = 0, read_ = 0, rotations_ = 0;
    bool half_ = false, lost_ = false;
    std::string history_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto folder = TempFolder::create(fs::exists("/dev/shm") ? "/dev/shm" : "/tmp", "postcensus-fuzz-");
    if (!folder) std::abort();
    Scene scene(folder->path());
    for (std::size_t i = 0; i < size && i < 60; ++i) scene.step(data[i]);
    scene.finish();
    return 0;
}
