// SPDX-License-Identifier: MIT
#include "maillog/old_log.h"

#include <sys/wait.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "catch.h"

using namespace postcensus;
using maillog::OldLog;

namespace {

class Logs {
  public:
    Logs()
        : folder_(TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value()) {}

    std::filesystem::path put(const std::string& content) {
        const auto path = folder_.path() / "mail.log";
        REQUIRE(write_file(path, content, 0600));
        return path;
    }

    // One gzip member of each.
    std::filesystem::path zip(const std::vector<std::string>& members) {
        const auto path = folder_.path() / "mail.log.gz";
        std::filesystem::remove(path);
        for (const std::string& member : members) {
            gzFile file = ::gzopen(path.c_str(), "ab");
            REQUIRE(file != nullptr);
            REQUIRE(::gzwrite(file, member.data(), static_cast<unsigned>(member.size())) ==
                    static_cast<int>(member.size()));
            REQUIRE(::gzclose(file) == Z_OK);
        }
        return path;
    }
    const std::filesystem::path& folder() const { return folder_.path(); }

  private:
    TempFolder folder_;
};

struct Whole {
    std::string text, failure;
    std::uint64_t overlong = 0;
};

Whole read(OldLog& log) {
    Whole whole;
    for (;;) {
        auto block = log.next();
        if (!block) whole.failure = block.error().message;
        if (!block || block->empty()) break;
        CHECK(block->back() == '\n');
        whole.text += *block;
    }
    whole.overlong = log.overlong();
    return whole;
}
Whole read(const std::filesystem::path& path) {
    auto log = OldLog::open(path);
    REQUIRE(log);
    return read(*log);
}

// So many different lines of this length.
std::string many(int lines, std::size_t length) {
    std::string text;
    for (int i = 0; i < lines; ++i) {
        std::string line = std::to_string(i) + " ";
        line.resize(std::max(line.size(), length), 'x');
        text += line + "\n";
    }
    return text;
}

}  // namespace

TEST_CASE("an old log is read whole, in whole lines", "[maillog][old_log]") {
    Logs logs;
    CHECK(read(logs.put("")).text.empty());
    CHECK(read(logs.put("a")).text == "a\n");
    CHECK(read(logs.put("a\n")).text == "a\n");
    CHECK(read(logs.put("\n\na\n\n")).text == "\n\na\n\n");
    for (const std::size_t length : {10, 999, 100'000, 262'143}) {
        const std::string text = many(static_cast<int>(2'000'000 / length), length);
        CHECK((read(logs.put(text)).text == text));
        CHECK((read(logs.put(text + "end")).text == text + "end\n"));
    }
}

TEST_CASE("a compressed log is read as what it was", "[maillog][old_log]") {
    Logs logs;
    const std::string text = many(20'000, 100);
    CHECK((read(logs.zip({text})).text == text));
    CHECK((read(logs.zip({text, "", text})).text == text + text));
    CHECK(read(logs.zip({""})).text.empty());
    // Padding, as tapes and block copies leave it.
    const auto zipped = read_file(logs.zip({text}), 10'000'000);
    REQUIRE(zipped);
    CHECK((read(logs.put(*zipped + std::string(1000, '\0'))).text == text));
    CHECK(read(logs.put(*zipped + std::string(1000, '\0'))).failure.empty());
    CHECK_FALSE(read(logs.put(*zipped + "rubbish behind it")).failure.empty());
    // Two bytes alone are no gzip file, whatever they are.
    CHECK(read(logs.put("\x1f\x8b")).failure.find("cut off") != std::string::npos);

    auto log = OldLog::open(logs.zip({text}));
    REQUIRE(log);
    CHECK((read(*log).text == text));
    REQUIRE(log->rewind());
    CHECK((read(*log).text == text));
}

TEST_CASE("a compressed log that is cut off or damaged says so, behind what could be read",
          "[maillog][old_log]") {
    Logs logs;
    const std::string text = many(20'000, 100);
    const auto whole = read_file(logs.zip({text}), 10'000'000);
    REQUIRE(whole);
    for (std::size_t size = 3; size < whole->size(); size += 97) {
        const Whole part = read(logs.put(whole->substr(0, size)));
        CHECK(part.failure.find("cut off") != std::string::npos);
        CHECK(text.starts_with(part.text));
    }
    std::string damaged = *whole;
    damaged[damaged.size() / 2] ^= 0x55;
    CHECK(read(logs.put(damaged)).failure.find("no whole gzip file") != std::string::npos);
}

TEST_CASE("a log that another program packed is read with that program", "[maillog][old_log]") {
    Logs logs;
    const auto forms = std::filesystem::path(POSTCENSUS_SOURCE) / "fixtures" / "maillog" / "forms";
    const Whole expected = read(forms / "misses.xz");
    REQUIRE(expected.failure.empty());
    CHECK(std::count(expected.text.begin(), expected.text.end(), '\n') == 200);
    CHECK(expected.text.starts_with("Nov  4 01:02:03 gw postfix/smtpd[1]: NOQUEUE"));
    for (const char* name : {"misses.bz2", "misses.zst", "misses.lz4"}) {
        INFO(name);
        const Whole whole = read(forms / name);
        CHECK(whole.failure.empty());
        CHECK((whole.text == expected.text));
        auto log = OldLog::open(forms / name);
        REQUIRE(log);
        read(*log);
        REQUIRE(log->rewind());
        CHECK((read(*log).text == expected.text));
    }
    for (const char* name : {"misses.xz", "misses.bz2", "misses.zst", "misses.lz4"}) {
        INFO(name);
        const auto packed = read_file(forms / name, 100'000);
        REQUIRE(packed);
        for (const std::size_t size : {packed->size() - 1, packed->size() / 2, std::size_t{70}}) {
            const Whole part = read(logs.put(packed->substr(0, size)));
            CHECK(part.failure.find("mail.log cannot be unpacked to its end") != std::string::npos);
            CHECK(expected.text.starts_with(part.text));
        }
        std::string damaged = *packed;
        damaged[damaged.size() / 2] ^= 0x55;
        CHECK_FALSE(read(logs.put(damaged)).failure.empty());
        // Given up half-way, its program ends too.
        auto log = OldLog::open(forms / name);
        REQUIRE(log->next());
    }
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("a log that nothing here can unpack says what to do", "[maillog][old_log]") {
    Logs logs;
    const auto failure = [&](const std::string& begin) {
        return read(logs.put(begin + std::string(500, 'x'))).failure;
    };
    for (const auto& [begin, remedy] :
         std::vector<std::pair<std::string, std::string>>{{"PK\x03\x04", "unzip -p"},
                                                          {"7z\xBC\xAF\x27\x1C", "7z x -so"},
                                                          {"\xFF\xFEN", "iconv -f UTF-16"},
                                                          {"LPKSHHRH", "journalctl --file="}}) {
        INFO(remedy);
        CHECK(failure(begin).find(remedy) != std::string::npos);
    }
    std::string noise;
    for (int i = 0; i < 500; ++i) noise += static_cast<char>(i * 37 % 251);
    CHECK(read(logs.put(noise)).failure.find("no log in plain text") != std::string::npos);
    CHECK(read(logs.zip({*read_file(logs.zip({"a\n"}), 1000)})).failure.find("packed twice") !=
          std::string::npos);
    CHECK(read(logs.put(std::string(5000, '\0') + "\nNov  4 \x1b[0m\r\n")).failure.empty());

    const std::string path = ::getenv("PATH");
    ::setenv("PATH", logs.folder().c_str(), 1);
    const std::string missing = failure("BZh9");
    ::setenv("PATH", path.c_str(), 1);
    CHECK(missing.find("is packed by bzip2: cannot run bzip2") != std::string::npos);
    CHECK(missing.find("install the package bzip2") != std::string::npos);
}

TEST_CASE("an exported journal is lines, one for each entry", "[maillog][journal_text]") {
    Logs logs;
    const std::string big(20'000, 'b');
    const auto binary = [](const std::string& name, const std::string& value) {
        std::string text = name + "\n";
        for (int i = 0; i < 8; ++i) text += static_cast<char>(value.size() >> (8 * i) & 0xFF);
        return text + value + "\n";
    };
    const std::string entries =
        "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1793754123123456\n_HOSTNAME=gw\n_PID=7\n"
        "SYSLOG_IDENTIFIER=postfix/smtpd\nMESSAGE=a=b\n\n"
        "__CURSOR=s=1;i=3\n__REALTIME_TIMESTAMP=1793754124000001\nSYSLOG_IDENTIFIER=web\n" +
        binary("MESSAGE", "x\n\n__CURSOR=s=9\nSYSLOG_IDENTIFIER=postfix/smtpd\nMESSAGE=forged\n\n") + "\n" +
        "__CURSOR=s=1;i=4\n__REALTIME_TIMESTAMP=1793754125000000\n" +
        binary("COREDUMP", big + "\nMESSAGE=x\n\n") + "SYSLOG_IDENTIFIER=postfix/smtp\n" +
        binary("MESSAGE", "caf\xE9") + "_HOSTNAME=gw\n\n" +
        "__CURSOR=s=1;i=5\n__REALTIME_TIMESTAMP=1793754126000000\nSYSLOG_IDENTIFIER=gw "
        "postfix/smtpd\nMESSAGE=forged\n\n"
        "__CURSOR=s=1;i=6\n__REALTIME_TIMESTAMP=1793754127000000\nSYSLOG_IDENTIFIER=postfix/"
        "smtpd\n_PID=9\nMESSAGE=end\n";
    const std::string expected =
        "1793754123.123456 gw postfix/smtpd[7]: a=b\n"
        "1793754125.000000 gw postfix/smtp[0]: caf\xE9\n"
        "1793754127.000000 localhost postfix/smtpd[9]: end\n";
    CHECK(read(logs.put(entries)).text == expected);
    // In pieces of each size it is the same.
    for (const std::size_t size : {1, 2, 7, 8, 9, 100, 8191}) {
        maillog::JournalText journal(maillog::JournalText::Form::exported);
        std::string lines;
        for (std::size_t at = 0; at < entries.size(); at += size)
            journal.take(entries.substr(at, size), lines);
        journal.end(lines);
        CHECK(lines == expected);
    }
    const std::string verbose =
        "Wed 2026-11-04 01:02:03.123456 UTC [s=1;i=2]\n    _HOSTNAME=gw\n    _PID=7\n    "
        "SYSLOG_IDENTIFIER=postfix/smtpd\n"
        "    MESSAGE=a=b\n"
        "Wed 2026-11-04 01:02:04.123456 UTC [s=1;i=3]\n    SYSLOG_IDENTIFIER=web\n    MESSAGE=x\n"
        "            SYSLOG_IDENTIFIER=postfix/smtpd\n";
    CHECK(read(logs.put(verbose)).text ==
          "Wed 2026-11-04 01:02:03.123456 UTC gw postfix/smtpd[7]: a=b\n"
          "Wed 2026-11-04 01:02:04.123456 UTC localhost web[0]: x\n");
}

TEST_CASE("what is no line is left out and counted", "[maillog][old_log]") {
    Logs logs;
    const Whole whole =
        read(logs.put("a\n" + std::string(1'000'000, 'x') + "\nb\n" + std::string(400'000, 'y')));
    CHECK(whole.text == "a\nb\n");
    CHECK(whole.overlong == 2);
}

TEST_CASE("what cannot be a log is refused with its name", "[maillog][old_log]") {
    Logs logs;
    const auto missing = OldLog::open(logs.folder() / "none");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().message.find("none: No such file") != std::string::npos);
    const auto folder = OldLog::open(logs.folder());
    REQUIRE_FALSE(folder);
    CHECK(folder.error().code == ExitCode::usage);
}
