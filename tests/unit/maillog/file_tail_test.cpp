// SPDX-License-Identifier: MIT
#include "maillog/file_tail.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "catch.h"
#include "maillog/log_file.h"

using namespace postcensus;
using maillog::Batch;
using maillog::FileTail;
using maillog::Mark;
namespace fs = std::filesystem;

namespace {

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

Taken take(FileTail& tail, std::size_t most = 500) {
    Taken all;
    for (int polls = 0; polls < 10'000; ++polls) {
        auto batch = tail.poll(most);
        REQUIRE(batch);
        CHECK(batch->lines.size() <= most);
        for (auto& line : batch->lines) all.lines.push_back(std::move(line));
        all.lost += batch->lost;
        all.overlong += batch->overlong;
        all.mark = batch->mark;
        if (!batch->more) return all;
    }
    FAIL("polls without end");
    return all;
}

// A mark that has been through the store.
Mark stored(const Mark& mark) {
    const auto again = Mark::parse(mark.text());
    REQUIRE(again);
    return *again;
}

Taken take_from(const Log& log, const Mark& mark) {
    FileTail tail(log.path(), stored(mark));
    return take(tail);
}

const Mark kFromBeginning{};

}  // namespace

TEST_CASE("a mark survives the store", "[maillog][file_tail]") {
    const Mark mark{1, 18446744073709551615U, 3, 0xfedcba9876543210U};
    CHECK(Mark::parse(mark.text()) == mark);
    for (const char* text : {"", "1 2 3", "1 2 3 4 5", "1 2 3 x", "-1 2 3 4", "1 2 3 4 ", " 1 2 3 4",
                             "1 2 99999999999999999999 4"}) {
        INFO(text);
        CHECK_FALSE(Mark::parse(text));
    }
}

TEST_CASE("without a mark only new lines count", "[maillog][file_tail]") {
    const Log log;
    log.append("old 1\nold 2\n");
    FileTail tail(log.path(), std::nullopt);
    CHECK(take(tail).lines.empty());
    log.append("new 1\nnew 2\n");
    CHECK(take(tail).lines == Lines{"new 1", "new 2"});
    CHECK(take(tail).lines.empty());
}

TEST_CASE("a start in the middle of a line waits for the whole of it", "[maillog][file_tail]") {
    const Log log;
    log.append("old\nhal");
    FileTail tail(log.path(), std::nullopt);
    const Taken first = take(tail);
    CHECK(first.lines.empty());
    log.append("f\nnew\n");
    CHECK(take(tail).lines == Lines{"half", "new"});
    CHECK(take_from(log, first.mark).lines == Lines{"half", "new"});
}

TEST_CASE("a start inside of a line without beginning in reach skips it", "[maillog][file_tail]") {
    const Log log;
    log.append(std::string(20'000, 'x'));
    FileTail tail(log.path(), std::nullopt);
    const Taken first = take(tail);
    log.append("tail\nnew\n");
    CHECK(take(tail).lines == Lines{"new"});
    // A mark inside of a line does not make a line of its rest.
    CHECK(take_from(log, first.mark).lines == Lines{"new"});
}

TEST_CASE("a line counts when its newline is there", "[maillog][file_tail]") {
    const Log log;
    FileTail tail(log.path(), kFromBeginning);
    log.append("one\ntw");
    CHECK(take(tail).lines == Lines{"one"});
    CHECK(take(tail).lines.empty());
    log.append("o");
    CHECK(take(tail).lines.empty());
    log.append("\n\nthree\n");
    CHECK(take(tail).lines == Lines{"two", "", "three"});
}

TEST_CASE("a file cut at any length gives its whole lines, and the rest later", "[maillog][file_tail]") {
    const std::string text = "one\ntwo\n\nfour is longer\n";
    for (std::size_t size = 0; size <= text.size(); ++size) {
        const Log log;
        log.append(text.substr(0, size));
        FileTail tail(log.path(), kFromBeginning);
        Taken first = take(tail);
        log.append(text.substr(size));
        // By the same process, and by the next one.
        const Taken rest = take_from(log, first.mark);
        CHECK(take(tail).lines == rest.lines);
        CHECK(rest.lost.empty());
        first.lines.insert(first.lines.end(), rest.lines.begin(), rest.lines.end());
        CHECK(first.lines == Lines{"one", "two", "", "four is longer"});
    }
}

TEST_CASE("batches are bounded, and each mark is behind its last line", "[maillog][file_tail]") {
    const Log log;
    Lines all;
    std::string text;
    for (int i = 0; i < 2'000; ++i) all.push_back("line " + std::to_string(i) + std::string(100, 'x'));
    for (const auto& line : all) text += line + "\n";
    log.append(text);
    FileTail tail(log.path(), kFromBeginning);
    Lines read;
    Mark mark;
    for (;;) {
        auto batch = tail.poll(7);
        REQUIRE(batch);
        CHECK(batch->lines.size() <= 7);
        read.insert(read.end(), batch->lines.begin(), batch->lines.end());
        mark = batch->mark;
        if (read.size() % 350 == 0) {
            const Taken rest = take_from(log, mark);
            CHECK(rest.lines == Lines(all.begin() + static_cast<std::ptrdiff_t>(read.size()), all.end()));
            CHECK(rest.lost.empty());
        }
        if (!batch->more) break;
    }
    CHECK(read == all);
    CHECK(mark.offset == text.size());
}

TEST_CASE("a line over the bound is skipped and counted", "[maillog][file_tail]") {
    const Log log;
    const std::string longest(8192, 'y');
    log.append("a\n" + std::string(8193, 'x') + "\n" + longest + "\n" + std::string(3'000'000, 'z'));
    FileTail tail(log.path(), kFromBeginning);
    const Taken taken = take(tail);
    CHECK(taken.lines == Lines{"a", longest});
    CHECK(taken.overlong == 2);
    log.append("still the same line\nb\n");
    const Taken rest = take(tail);
    CHECK(rest.lines == Lines{"b"});
    CHECK(rest.overlong == 0);
    CHECK(take_from(log, taken.mark).lines == Lines{"b"});
}

TEST_CASE("rename: the old file is drained before the new one is begun", "[maillog][file_tail]") {
    const Log log;
    log.append("old 1\n");
    FileTail tail(log.path(), kFromBeginning);
    CHECK(take(tail).lines == Lines{"old 1"});
    log.append("old 2\n");
    log.move("", ".1");
    log.append("old 3\n", ".1");
    log.append("new 1\n");
    const Taken taken = take(tail);
    CHECK(taken.lines == Lines{"old 2", "old 3", "new 1"});
    CHECK(taken.lost.empty());
    log.append("new 2\n");
    CHECK(take(tail).lines == Lines{"new 2"});
}

TEST_CASE("rename: a writer that still holds the old file is heard until the new one has a line",
          "[maillog][file_tail]") {
    const Log log;
    log.append("old 1\n");
    FileTail tail(log.path(), kFromBeginning);
    CHECK(take(tail).lines == Lines{"old 1"});
    log.move("", ".1");
    CHECK(take(tail).lines.empty());
    log.append("");  // logrotate's create
    REQUIRE(fs::exists(log.path()));
    CHECK(take(tail).lines.empty());
    log.append("old 2\n", ".1");
    CHECK(take(tail).lines == Lines{"old 2"});
    log.append("new 1\n");
    CHECK(take(tail).lines == Lines{"new 1"});
    log.append("new 2\n");
    CHECK(take(tail).lines == Lines{"new 2"});
}

TEST_CASE("rename twice between two polls loses nothing", "[maillog][file_tail]") {
    const bool dated = GENERATE(false, true);
    const Log log;
    log.append("a\n");
    FileTail tail(log.path(), kFromBeginning);
    CHECK(take(tail).lines == Lines{"a"});
    log.append("b\n");
    log.move("", dated ? "-20261123" : ".1");
    log.append("c\n");
    if (!dated) log.move(".1", ".2");
    log.move("", dated ? "-20261124" : ".1");
    log.append("d\n");
    const Taken taken = take(tail);
    CHECK(taken.lines == Lines{"b", "c", "d"});
    CHECK(taken.lost.empty());
}

TEST_CASE("an unfinished last line of a rotated file is no line", "[maillog][file_tail]") {
    const Log log;
    log.append("a\nhal");
    FileTail tail(log.path(), kFromBeginning);
    CHECK(take(tail).lines == Lines{"a"});
    log.move("", ".1");
    log.append("b\n");
    const Taken taken = take(tail);
    CHECK(taken.lines == Lines{"b"});
    CHECK_FALSE(taken.lost.empty());
}

TEST_CASE("copytruncate: the copy is drained, then the file from its beginning", "[maillog][file_tail]") {
    const Log log;
    log.append("a\n");
    FileTail tail(log.path(), kFromBeginning);
    const Mark mark = take(tail).mark;
    log.append("b\n");
    log.copy(".1");
    log.truncate();
    SECTION("seen while it is empty") {
        CHECK(take(tail).lines == Lines{"b"});
        log.append("c\n");
        CHECK(take(tail).lines == Lines{"c"});
    }
    SECTION("seen when it is longer than before") {
        log.append("c is a longer line than those before\n");
        const Taken taken = take(tail);
        CHECK(taken.lines == Lines{"b", "c is a longer line than those before"});
        CHECK(taken.lost.empty());
    }
    SECTION("while no process was there") {
        log.append("c is a longer line than those before\n");
        const Taken taken = take_from(log, mark);
        CHECK(taken.lines == Lines{"b", "c is a longer line than those before"});
        CHECK(taken.lost.empty());
    }
}

TEST_CASE("truncation without a copy starts anew and says so", "[maillog][file_tail]") {
    const Log log;
    log.append("a\nb\n");
    FileTail tail(log.path(), kFromBeginning);
    const Mark mark = take(tail).mark;
    log.truncate();
    SECTION("shorter than before") {
        log.append("c\n");
        const Taken taken = take(tail);
        CHECK(taken.lines == Lines{"c"});
        CHECK(taken.lost.find("truncated") != std::string::npos);
        CHECK(take(tail).lost.empty());
    }
    SECTION("grown past the offset: not visible by size") {
        log.append("c is longer than both of them\nd\n");
        const Taken taken = take(tail);
        CHECK(taken.lines == Lines{"c is longer than both of them", "d"});
        CHECK_FALSE(taken.lost.empty());
    }
    SECTION("grown past the offset while no process was there") {
        log.append("c is longer than both of them\nd\n");
        const Taken taken = take_from(log, mark);
        CHECK(taken.lines == Lines{"c is longer than both of them", "d"});
        CHECK_FALSE(taken.lost.empty());
    }
    SECTION("truncated again and again") {
        for (const char* text : {"1\n", "22\n", "3\n"}) {
            log.truncate();
            CHECK(take(tail).lines.empty());
            log.append(text);
            CHECK(take(tail).lines.size() == 1);
        }
    }
}

TEST_CASE("a deleted file is drained and let go", "[maillog][file_tail]") {
    const Log log;
    log.append("a\n");
    FileTail tail(log.path(), kFromBeginning);
    CHECK(take(tail).lines == Lines{"a"});
    log.append("b\n");
    log.remove();
    const Taken taken = take(tail);
    CHECK(taken.lines == Lines{"b"});
    CHECK(taken.lost.empty());
    CHECK(taken.mark.no_file());
    CHECK_FALSE(tail.file_present());
    // No descriptor keeps its space.
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        CHECK(fs::read_symlink(entry.path(), gone).string().find(log.path().string()) == std::string::npos);
    }
    log.append("c\n");
    CHECK(take_from(log, taken.mark).lines == Lines{"c"});
    CHECK(take(tail).lines == Lines{"c"});
    CHECK(tail.file_present());
}

TEST_CASE("deleted and made again between two polls", "[maillog][file_tail]") {
    const Log log;
    log.append("a\n");
    FileTail tail(log.path(), kFromBeginning);
    CHECK(take(tail).lines == Lines{"a"});
    log.append("b\n");
    log.remove();
    log.append("c\n");
    CHECK(take(tail).lines == Lines{"b", "c"});
    log.remove();
    log.append("");  // and one that has nothing yet
    CHECK(take(tail).lines.empty());
    log.append("d\n");
    CHECK(take(tail).lines == Lines{"d"});
}

TEST_CASE("a log that appears later is read from its beginning", "[maillog][file_tail]") {
    const Log log;
    FileTail tail(log.path(), std::nullopt);
    CHECK_FALSE(tail.file_present());
    const Taken none = take(tail);
    CHECK(none.lines.empty());
    CHECK(none.lost.empty());
    CHECK(none.mark.no_file());
    log.append("a\n");
    CHECK(take(tail).lines == Lines{"a"});
    // The same for a process that starts in between.
    CHECK(take_from(log, none.mark).lines == Lines{"a"});
}

TEST_CASE("a restart goes on at the mark", "[maillog][file_tail]") {
    const Log log;
    log.append("a\nb\n");
    FileTail tail(log.path(), kFromBeginning);
    const Mark mark = take(tail).mark;
    SECTION("nothing new") {
        const Taken taken = take_from(log, mark);
        CHECK(taken.lines.empty());
        CHECK(taken.mark == mark);
        CHECK(taken.lost.empty());
    }
    SECTION("grown") {
        log.append("c\n");
        CHECK(take_from(log, mark).lines == Lines{"c"});
    }
    SECTION("rotated while down") {
        log.append("c\n");
        log.move("", ".1");
        log.append("d\n");
        const Taken taken = take_from(log, mark);
        CHECK(taken.lines == Lines{"c", "d"});
        CHECK(taken.lost.empty());
    }
    SECTION("rotated while down, and no new file yet") {
        log.append("c\n");
        log.move("", ".1");
        FileTail again(log.path(), mark);
        CHECK(take(again).lines == Lines{"c"});
        log.append("d\n");
        CHECK(take(again).lines == Lines{"d"});
    }
    SECTION("rotated three times while down, with numbers up to ten") {
        log.append("c\n");
        log.move("", ".10");
        log.append("d\n", ".9");
        log.append("e\n", ".2");
        log.append("never\n", ".11");
        log.append("never\n", ".1.gz");
        log.append("never\n", ".1.bak");
        log.append("never\n", "ger.1");
        log.append("f\n");
        CHECK(take_from(log, mark).lines == Lines{"c", "d", "e", "f"});
    }
    SECTION("rotated by date while down") {
        log.append("c\n");
        log.move("", "-20261123");
        log.append("d\n", "-20261124");
        log.append("never\n", "-20261122");
        log.append("never\n", "-20261124.gz");
        log.append("e\n");
        CHECK(take_from(log, mark).lines == Lines{"c", "d", "e"});
    }
    SECTION("stopped again in the middle of the rotated files") {
        log.append("c\n");
        log.move("", ".2");
        log.append("d\nd2\n", ".1");
        log.append("e\n");
        Lines lines;
        Mark at = mark;
        for (int i = 0; i < 10; ++i) {  // one line for each process
            FileTail one(log.path(), stored(at));
            const auto batch = one.poll(1);
            REQUIRE(batch);
            CHECK(batch->lost.empty());
            lines.insert(lines.end(), batch->lines.begin(), batch->lines.end());
            at = batch->mark;
        }
        CHECK(lines == Lines{"c", "d", "d2", "e"});
    }
}

TEST_CASE("a reused inode is another file", "[maillog][file_tail]") {
    const Log log;
    log.append("a\nb\n");
    FileTail tail(log.path(), kFromBeginning);
    Mark mark = take(tail).mark;
    log.move("", ".1");
    log.append("b is here\nc\n");
    SECTION("the true file lies beside") {
        struct stat status {};
        REQUIRE(::stat(log.path().c_str(), &status) == 0);
        mark.inode = status.st_ino;  // as if the new file had the old one's inode
        log.append("late\n", ".1");
        const Taken taken = take_from(log, mark);
        CHECK(taken.lines == Lines{"late", "b is here", "c"});
        CHECK(taken.lost.empty());
    }
    SECTION("the true file is gone") {
        struct stat status {};
        REQUIRE(::stat(log.path().c_str(), &status) == 0);
        mark.inode = status.st_ino;
        log.remove(".1");
        const Taken taken = take_from(log, mark);
        CHECK(taken.lines == Lines{"b is here", "c"});
        CHECK_FALSE(taken.lost.empty());
    }
}

TEST_CASE("a mark that nothing matches starts at the beginning and says so", "[maillog][file_tail]") {
    const Log log;
    log.append("a\n");
    FileTail tail(log.path(), kFromBeginning);
    const Mark mark = take(tail).mark;
    log.remove();
    CHECK_FALSE(take_from(log, mark).lost.empty());
    log.append("unrelated 1\nunrelated 2\n");
    const Taken taken = take_from(log, mark);
    CHECK(taken.lines == Lines{"unrelated 1", "unrelated 2"});
    CHECK(taken.lost.find(log.path().string()) != std::string::npos);
}

TEST_CASE("a device that got another number is the same file", "[maillog][file_tail]") {
    const Log log;
    log.append("a\n");
    FileTail tail(log.path(), kFromBeginning);
    Mark mark = take(tail).mark;
    ++mark.device;
    log.append("b\n");
    const Taken taken = take_from(log, mark);
    CHECK(taken.lines == Lines{"b"});
    CHECK(taken.lost.empty());
}

TEST_CASE("lines twice alike before the offset do not confuse the mark", "[maillog][file_tail]") {
    const Log log;
    const std::string same = std::string(100, 's') + "\n";
    for (int i = 0; i < 50; ++i) log.append(same);
    FileTail tail(log.path(), kFromBeginning);
    const Taken taken = take(tail, 3);
    CHECK(taken.lines.size() == 50);
    log.append("end\n");
    CHECK(take(tail).lines == Lines{"end"});
    CHECK(take_from(log, taken.mark).lines == Lines{"end"});
}

TEST_CASE("whatever happens in whatever order, each line comes once", "[maillog][file_tail]") {
    const bool by_rename = GENERATE(true, false);
    const unsigned seed = GENERATE(range(1U, 21U));
    INFO((by_rename ? "rename, seed " : "copytruncate, seed ") << seed);
    std::mt19937 random(seed);
    const auto dice = [&random](unsigned sides) { return static_cast<unsigned>(random()) % sides; };
    const Log log;
    Lines written;
    Lines read;
    Mark mark;
    unsigned rotated = 0;  // since the last poll
    log.append("");
    auto tail = std::make_unique<FileTail>(log.path(), mark);
    const auto poll = [&](std::size_t most) {
        auto batch = tail->poll(most);
        REQUIRE(batch);
        CHECK(batch->lost.empty());
        read.insert(read.end(), batch->lines.begin(), batch->lines.end());
        mark = batch->mark;
        return batch->more;
    };
    // A copy is known by what was read of it. Before the first line there is nothing to know it by.
    const auto known = [&] { return by_rename || mark.offset > 0; };
    poll(1);
    for (int step = 0; step < 200; ++step) {
        switch (dice(4)) {
            case 0:
                for (unsigned i = dice(30); i > 0; --i) {
                    written.push_back("line " + std::to_string(written.size()) + std::string(dice(80), 'x'));
                    const std::string line = written.back() + "\n";
                    const std::size_t half = dice(static_cast<unsigned>(line.size()));
                    log.append(line.substr(0, half));
                    if (dice(10) == 0) poll(dice(5) + 1);
                    log.append(line.substr(half));
                }
                break;
            case 1:
                if (!fs::exists(log.path()) || rotated == (by_rename ? 3U : 1U) || !known()) break;
                for (int n = 5; n > 0; --n)
                    if (fs::exists(log.path("." + std::to_string(n))))
                        log.move("." + std::to_string(n), "." + std::to_string(n + 1));
                if (by_rename) {
                    log.move("", ".1");
                } else {
                    log.copy(".1");
                    log.truncate();
                }
                ++rotated;
                break;
            case 2:
                tail.reset();
                tail = std::make_unique<FileTail>(log.path(), stored(mark));
                break;
            default:
                while (poll(dice(20) + 1)) {
                }
                rotated = 0;
                break;
        }
    }
    while (poll(500)) {
    }
    CHECK(read.size() == written.size());
    CHECK(std::mismatch(read.begin(), read.end(), written.begin(), written.end()).first == read.end());
}

TEST_CASE("a log that cannot be read is a passing failure", "[maillog][file_tail]") {
    const Log log;
    fs::create_directory(log.path());
    FileTail tail(log.path(), std::nullopt);
    const auto batch = tail.poll();
    REQUIRE_FALSE(batch);
    CHECK(batch.error().message.find("mail.log") != std::string::npos);
    fs::remove(log.path());
    CHECK(take(tail).lines.empty());
    log.append("a\n");
    CHECK(take(tail).lines == Lines{"a"});
    // In the middle of the work too: nothing is skipped.
    log.append("b\n");
    log.move("", ".1");
    fs::create_directory(log.path());
    CHECK(tail.poll()->lines == Lines{"b"});
    CHECK_FALSE(tail.poll());
    fs::remove(log.path());
    log.append("c\n");
    CHECK(take(tail).lines == Lines{"c"});
}

TEST_CASE("a FIFO in the log's place does not stop us", "[maillog][file_tail]") {
    const Log log;
    REQUIRE(::mkfifo(log.path().c_str(), 0600) == 0);
    FileTail tail(log.path(), std::nullopt);
    CHECK_FALSE(tail.poll());
}

TEST_CASE("inotify wakes for all that poll() would find", "[maillog][file_tail]") {
    const Log log;
    FileTail tail(log.path(), kFromBeginning);
    if (tail.watch_fd() < 0) {
        WARN("no inotify here");
        return;
    }
    const auto woken = [&tail] {
        pollfd descriptor{tail.watch_fd(), POLLIN, 0};
        return ::poll(&descriptor, 1, 0) == 1;
    };
    const auto after = [&] {
        CHECK(woken());
        tail.clear();
        const Lines lines = take(tail).lines;
        tail.clear();
        CHECK_FALSE(woken());
        return lines;
    };
    CHECK(take(tail).lines.empty());
    tail.clear();
    log.append("a\n");
    CHECK(after() == Lines{"a"});
    log.append("b\n");
    CHECK(after() == Lines{"b"});
    log.move("", ".1");
    CHECK(after().empty());
    log.append("c\n", ".1");
    CHECK(after() == Lines{"c"});
    log.append("");
    CHECK(after().empty());
    log.append("d\n");
    CHECK(after() == Lines{"d"});
    log.append("e\n");
    CHECK(after() == Lines{"e"});
    log.truncate();
    CHECK(after().empty());
    log.append("f\n");
    CHECK(after() == Lines{"f"});
    log.remove();
    CHECK(after().empty());
    log.append("g\n");
    CHECK(after() == Lines{"g"});
}
