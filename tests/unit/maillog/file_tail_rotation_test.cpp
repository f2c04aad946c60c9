// SPDX-License-Identifier: MIT
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <random>
#include <string>

#include "catch.h"
#include "maillog/file_tail.h"
#include "maillog/rotating_log.h"

using namespace postcensus;
using namespace postcensus::maillog;

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
    // Neither do they wait for the first line behind.
    log.append("");
    Taken taken = take(tail);
    CHECK(taken.lines == Lines{"b", "c"});
    CHECK(taken.lost.empty());
    log.append("d\n");
    taken = take(tail);
    CHECK(taken.lines == Lines{"d"});
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

TEST_CASE("copytruncate: a file that grows to the very same size is another one", "[maillog][file_tail]") {
    const Log log;
    log.append("one\n");
    FileTail tail(log.path(), kFromBeginning);
    CHECK(take(tail).lines == Lines{"one"});
    log.append("two\n");
    log.copy(".1");
    log.truncate();
    log.append("six\n");
    const Taken taken = take(tail);
    CHECK(taken.lines == Lines{"two", "six"});
    CHECK(taken.lost.empty());
}

TEST_CASE("rotated until it was compressed, while nobody could read", "[maillog][file_tail]") {
    const Log log;
    log.append("one\n");
    FileTail tail(log.path(), kFromBeginning);
    CHECK(take(tail).lines == Lines{"one"});
    log.append("two\n");
    log.move("", ".1");
    log.append("three\n");
    fs::remove(log.path(".1"));  // into mail.log.2.gz
    log.move("", ".1");
    // A day later, not within a tick of the clock.
    fs::last_write_time(log.path(".1"), fs::last_write_time(log.path(".1")) + std::chrono::hours(24));
    log.append("four\n");
    const Taken taken = take(tail);
    CHECK(taken.lines == Lines{"two", "three", "four"});
    CHECK(taken.lost.empty());
}

TEST_CASE("a deleted file is not read again from its copy", "[maillog][file_tail]") {
    const Log log;
    log.append("one\n");
    FileTail tail(log.path(), kFromBeginning);
    CHECK(take(tail).lines == Lines{"one"});
    log.append("two\n");
    log.copy(".1");
    log.truncate();
    log.append("three\n");
    CHECK(take(tail).lines == Lines{"two", "three"});
    fs::remove(log.path());
    log.append("four\n");
    CHECK(take(tail).lines == Lines{"four"});
}

TEST_CASE("copytruncate, then a rename, between two polls", "[maillog][file_tail]") {
    const Log log;
    log.append("a\n");
    FileTail tail(log.path(), kFromBeginning);
    CHECK(take(tail).lines == Lines{"a"});
    log.append("b\n");
    log.copy(".1");
    log.truncate();
    log.append("c\n");
    log.move(".1", ".2");
    log.move("", ".1");
    log.append("d\n");
    const Taken taken = take(tail);
    CHECK(taken.lines == Lines{"b", "c", "d"});
    CHECK(taken.lost.empty());
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
    CHECK_FALSE(tail.present());
    // No descriptor keeps its space.
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        CHECK(fs::read_symlink(entry.path(), gone).string().find(log.path().string()) == std::string::npos);
    }
    log.append("c\n");
    CHECK(take_from(log, taken.mark).lines == Lines{"c"});
    CHECK(take(tail).lines == Lines{"c"});
    CHECK(tail.present());
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
            at = Mark::parse(batch->mark).value();
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
        mark = Mark::parse(batch->mark).value();
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
