// SPDX-License-Identifier: MIT
#include "maillog/file_tail.h"

#include <poll.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "catch.h"
#include "maillog/rotating_log.h"

using namespace postcensus;
using namespace postcensus::maillog;

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
        mark = Mark::parse(batch->mark).value();
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

TEST_CASE("a log that appears later is read from its beginning", "[maillog][file_tail]") {
    const Log log;
    FileTail tail(log.path(), std::nullopt);
    CHECK_FALSE(tail.present());
    const Taken none = take(tail);
    CHECK(none.lines.empty());
    CHECK(none.lost.empty());
    CHECK(none.mark.no_file());
    log.append("a\n");
    CHECK(take(tail).lines == Lines{"a"});
    // The same for a process that starts in between.
    CHECK(take_from(log, none.mark).lines == Lines{"a"});
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
