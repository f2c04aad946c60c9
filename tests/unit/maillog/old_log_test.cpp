// SPDX-License-Identifier: MIT
#include "maillog/old_log.h"

#include <zlib.h>

#include <string>

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
