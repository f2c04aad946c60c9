// SPDX-License-Identifier: MIT
// Real journal files, written by systemd-journal-remote(8) from its export format.
#include "maillog/journal_tail.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file.h"
#include "base/process.h"
#include "catch.h"

using namespace postcensus;
using namespace postcensus::maillog;

namespace {

using Lines = std::vector<std::string>;

constexpr const char* kWriter = "/lib/systemd/systemd-journal-remote";
constexpr std::int64_t kStart = 1'700'000'000;  // seconds since the epoch

struct Entry {
    std::string message;
    std::string unit = "postfix@-.service";
    std::string comm = "smtpd";
    std::string tag = "postfix/smtpd";
};

class Journal {
  public:
    Journal()
        : folder_(TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value()) {}

    static bool usable() {
        if (std::filesystem::exists(kWriter)) return true;
        if (const char* ci = std::getenv("CI"); ci != nullptr && std::string(ci) == "true")
            FAIL("systemd-journal-remote is not installed");
        WARN("skipped: systemd-journal-remote is not installed");
        return false;
    }

    // One a second.
    void write(const std::vector<Entry>& entries, const std::string& file = "system.journal") {
        std::string text;
        for (const Entry& entry : entries) {
            ++seconds_;
            ++monotonic_;
            text += fmt::format(
                "__REALTIME_TIMESTAMP={0}000000\n__MONOTONIC_TIMESTAMP={1}000000\n_BOOT_ID={2:032x}\n"
                "_HOSTNAME=gw\n_PID=7\n_COMM={3}\n_SYSTEMD_UNIT={4}\nSYSLOG_IDENTIFIER={5}\nMESSAGE={6}\n\n",
                kStart + seconds_, monotonic_, boot_, entry.comm, entry.unit, entry.tag, entry.message);
        }
        const auto ran = run_process({kWriter, "--output=" + (folder_.path() / file).string(), "-"}, text,
                                     std::chrono::seconds(30));
        REQUIRE(ran);
        INFO(ran->errors);
        REQUIRE(ran->status == 0);
    }
    void write_lines(const Lines& messages, const std::string& file = "system.journal") {
        std::vector<Entry> entries;
        for (const std::string& message : messages) entries.push_back({message});
        write(entries, file);
    }
    // What open() says to a user without rights on the files; root is one with them.
    std::string opened_by_nobody() const {
        std::filesystem::permissions(folder_.path(), std::filesystem::perms::all);
        std::filesystem::permissions(folder_.path() / "system.journal", std::filesystem::perms::none);
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        const pid_t child = ::fork();
        if (child == 0) {
            if (::getuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
            const auto opened = JournalTail::open(folder_.path(), {"postfix"}, {});
            const std::string said = opened ? "opened" : opened.error().message;
            ::_exit(::write(ends[1], said.data(), said.size()) < 0 ? 1 : 0);
        }
        ::close(ends[1]);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        std::string said(1000, '\0');
        said.resize(
            static_cast<std::size_t>(std::max<ssize_t>(0, ::read(ends[0], said.data(), said.size()))));
        ::close(ends[0]);
        return said;
    }
    void archive(const std::string& as) {
        std::filesystem::rename(folder_.path() / "system.journal", folder_.path() / as);
    }
    void remove(const std::string& file) { std::filesystem::remove(folder_.path() / file); }
    void reboot() {
        ++boot_;
        monotonic_ = 0;
    }
    void set_clock_back(std::int64_t seconds) { seconds_ -= seconds; }

    std::unique_ptr<JournalTail> tail(std::optional<std::string> mark = {}) const {
        auto opened = JournalTail::open(folder_.path(), {"postfix"}, std::move(mark));
        REQUIRE(opened);
        return *std::move(opened);
    }

  private:
    TempFolder folder_;
    std::int64_t seconds_ = 0, monotonic_ = 0;
    int boot_ = 1;
};

struct Taken {
    Lines lines;  // the messages alone
    std::string mark, lost;
};

Taken take(JournalTail& tail, std::size_t most = 500) {
    Taken taken;
    tail.clear();
    for (;;) {
        auto batch = tail.poll(most);
        REQUIRE(batch);
        CHECK(batch->lines.size() <= most);
        for (const std::string& line : batch->lines) taken.lines.push_back(line.substr(line.find("]: ") + 3));
        taken.lost += batch->lost;
        taken.mark = batch->mark;
        if (!batch->more) return taken;
    }
}

const char* const kFromBeginning = "head";

}  // namespace

TEST_CASE("entries of the journal become lines with a full time", "[maillog][journal]") {
    if (!Journal::usable()) return;
    Journal journal;
    journal.write_lines({"connect from unknown[192.0.2.7]"});
    const auto batch = journal.tail(kFromBeginning)->poll();
    REQUIRE(batch);
    CHECK(batch->lines ==
          Lines{"2023-11-14T22:13:21.000Z gw postfix/smtpd[7]: connect from unknown[192.0.2.7]"});
}

TEST_CASE("the journal is read from its end, then on", "[maillog][journal]") {
    if (!Journal::usable()) return;
    Journal journal;
    journal.write_lines({"old", "older"});
    const auto tail = journal.tail();
    CHECK(take(*tail).lines.empty());
    journal.write_lines({"a", "b"});
    const Taken taken = take(*tail);
    CHECK(taken.lines == Lines{"a", "b"});
    CHECK(taken.lost.empty());
    CHECK(take(*tail).lines.empty());
    CHECK(take(*tail).mark == taken.mark);

    // After a restart: nothing twice, nothing left out.
    journal.write_lines({"c", "d", "e"});
    const auto again = journal.tail(taken.mark);
    CHECK(take(*again, 2).lines == Lines{"c", "d", "e"});
}

TEST_CASE("a journal that has nothing of Postfix yet is read from its beginning", "[maillog][journal]") {
    if (!Journal::usable()) return;
    Journal journal;
    const auto tail = journal.tail();
    const Taken none = take(*tail);
    CHECK(none.lines.empty());
    journal.write({{"started", "cron.service", "cron", "cron"}});
    CHECK(take(*tail).lines.empty());
    journal.write_lines({"first"});
    CHECK(take(*tail).lines == Lines{"first"});
    CHECK(take(*journal.tail(none.mark)).lines == Lines{"first"});
}

TEST_CASE("a rotated journal loses no entry and repeats none", "[maillog][journal]") {
    if (!Journal::usable()) return;
    Journal journal;
    journal.write_lines({"old"});
    const auto tail = journal.tail();
    std::string mark = take(*tail).mark;
    journal.write_lines({"a", "last before"});
    journal.archive("system@1.journal");
    journal.write_lines({"first behind", "b"});
    const Taken taken = take(*tail);
    CHECK(taken.lines == Lines{"a", "last before", "first behind", "b"});
    CHECK(taken.lost.empty());
    CHECK(take(*journal.tail(mark)).lines == taken.lines);
    // Rotated while nobody read, twice.
    journal.archive("system@2.journal");
    journal.write_lines({"c"});
    journal.archive("system@3.journal");
    journal.write_lines({"d"});
    CHECK(take(*journal.tail(taken.mark)).lines == Lines{"c", "d"});
    CHECK(take(*tail).lines == Lines{"c", "d"});
}

TEST_CASE("entries of another boot come behind", "[maillog][journal]") {
    if (!Journal::usable()) return;
    Journal journal;
    journal.write_lines({"a"});
    const std::string mark = take(*journal.tail(kFromBeginning)).mark;
    journal.write_lines({"b"});
    journal.reboot();
    journal.write_lines({"c"});
    CHECK(take(*journal.tail(mark)).lines == Lines{"b", "c"});
}

TEST_CASE("what was vacuumed unread is said to be lost", "[maillog][journal]") {
    if (!Journal::usable()) return;
    Journal journal;
    journal.write_lines({"a", "b"});
    const std::string mark = take(*journal.tail(kFromBeginning)).mark;
    journal.write_lines({"never read"});
    journal.archive("system@1.journal");
    journal.write_lines({"c", "d"});
    journal.remove("system@1.journal");
    const Taken taken = take(*journal.tail(mark));
    CHECK(taken.lines == Lines{"c", "d"});
    CHECK(taken.lost.find("may be lost") != std::string::npos);
    // Said once: the new mark is there.
    CHECK(take(*journal.tail(taken.mark)).lost.empty());
}

TEST_CASE("a journal that was dropped whole is read on when it fills again", "[maillog][journal]") {
    if (!Journal::usable()) return;
    Journal journal;
    journal.write_lines({"a"});
    const std::string mark = take(*journal.tail(kFromBeginning)).mark;
    journal.remove("system.journal");
    const auto tail = journal.tail(mark);
    const Taken none = take(*tail);
    CHECK(none.lines.empty());
    CHECK_FALSE(none.lost.empty());
    journal.reboot();
    journal.write_lines({"b"});
    CHECK(take(*tail).lines == Lines{"b"});
}

TEST_CASE("a cursor from the future does not hold up what comes", "[maillog][journal]") {
    if (!Journal::usable()) return;
    Journal journal;
    journal.write_lines({"a", "b"});
    const std::string mark = take(*journal.tail(kFromBeginning)).mark;
    journal.remove("system.journal");
    journal.reboot();
    journal.set_clock_back(100'000);
    journal.write_lines({"c"});
    const auto tail = journal.tail(mark);
    const Taken taken = take(*tail);
    CHECK(taken.lost.find("clock") != std::string::npos);
    journal.write_lines({"d"});
    CHECK(take(*tail).lines == Lines{"d"});
}

TEST_CASE("only what journald knows to be of Postfix is read", "[maillog][journal]") {
    if (!Journal::usable()) return;
    Journal journal;
    journal.write({{"one", "postfix.service"},
                   {"two", "postfix@mx-in.service", "smtp", "postfix/relay/smtp"},
                   {"three", "postfix-out.service", "lmtp", "postfix-out/lmtp"},
                   {"logger -t postfix/smtpd", "user@1000.service"},
                   {"a session", "session-1.scope"},
                   {"a name that looks alike", "postfixed.service"},
                   {"another program", "postfix.service", "cleanup", "postfix/cleanup"},
                   {"another name", "postfix.service", "smtpd", "opensmtpd"},
                   {"a tag that forges a prefix", "postfix.service", "smtpd", "postfix/smtpd[1]: x"}});
    CHECK(take(*journal.tail(kFromBeginning)).lines == Lines{"one", "two", "three"});
}

TEST_CASE("the descriptor tells of new entries", "[maillog][journal]") {
    if (!Journal::usable()) return;
    Journal journal;
    journal.write_lines({"a"});
    const auto tail = journal.tail();
    CHECK(take(*tail).lines.empty());
    pollfd waiting{tail->watch_fd(), POLLIN, 0};
    CHECK(::poll(&waiting, 1, 0) == 0);
    journal.write_lines({"b"});
    CHECK(::poll(&waiting, 1, 10'000) == 1);
    CHECK(take(*tail).lines == Lines{"b"});
    CHECK(::poll(&waiting, 1, 0) == 0);
}

TEST_CASE("a journal that may not be read is no empty one", "[maillog][journal]") {
    if (!Journal::usable()) return;
    Journal journal;
    journal.write_lines({"a"});
    CHECK(journal.opened_by_nobody().find("systemd-journal") != std::string::npos);
}

TEST_CASE("a mark that is no cursor is a lost place", "[maillog][journal]") {
    if (!Journal::usable()) return;
    Journal journal;
    journal.write_lines({"a"});
    for (const char* mark : {"1 2 3 4", "s=x", ""}) {
        CAPTURE(mark);
        auto opened = journal.tail(mark);
        const Taken taken = take(*opened);
        if (*mark != '\0') CHECK_FALSE(taken.lost.empty());
        journal.write_lines({"b"});
        const Lines next = take(*opened).lines;
        CHECK(next.back() == "b");
    }
}
