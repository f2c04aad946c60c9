// SPDX-License-Identifier: MIT
#include "base/file.h"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "catch.h"

using namespace postcensus;
namespace fs = std::filesystem;

namespace {

TempFolder folder() {
    auto made = TempFolder::create(fs::temp_directory_path(), "postcensus-test-");
    REQUIRE(made);
    return std::move(*made);
}

}  // namespace

TEST_CASE("a file is read as it was written", "[base][file]") {
    const TempFolder temp = folder();
    const fs::path path = temp.path() / "x";
    for (const std::string& content :
         {std::string(), std::string("abc\n"), std::string(100'000, 'x'), std::string("\0\n\0", 3)}) {
        REQUIRE(write_file(path, content, 0644));
        CHECK(read_file(path, 100'000) == content);
    }
}

TEST_CASE("a file that is too large is a failure, not a part", "[base][file]") {
    const TempFolder temp = folder();
    const fs::path path = temp.path() / "x";
    REQUIRE(write_file(path, "12345", 0644));
    CHECK(read_file(path, 5));
    CHECK_FALSE(read_file(path, 4));
    CHECK_FALSE(read_file("/dev/zero", 1000));
}

TEST_CASE("the mode is exact, whatever the umask", "[base][file]") {
    const TempFolder temp = folder();
    const fs::path path = temp.path() / "x";
    const mode_t old = ::umask(077);
    const auto written = write_file(path, "x", 0644);
    ::umask(old);
    REQUIRE(written);
    CHECK((fs::status(path).permissions() & fs::perms::all) == static_cast<fs::perms>(0644));
    REQUIRE(write_file(path, "y", 0600));
    CHECK((fs::status(path).permissions() & fs::perms::all) == static_cast<fs::perms>(0600));
}

TEST_CASE("failures name the file and the reason", "[base][file]") {
    const TempFolder temp = folder();
    const auto read = read_file(temp.path() / "absent", 10);
    REQUIRE_FALSE(read);
    CHECK(read.error().message.find("absent: No such file") != std::string::npos);
    CHECK(read.error().code == ExitCode::configuration);
    const auto written = write_file(temp.path() / "no" / "x", "x", 0644);
    REQUIRE_FALSE(written);
    CHECK(written.error().code == ExitCode::cannot_write);
    CHECK(written.error().trouble == Trouble::other);
    const auto full = write_file("/dev/full", "x", 0666);
    REQUIRE_FALSE(full);
    CHECK(full.error().trouble == Trouble::no_room);
    CHECK_FALSE(read_file(temp.path(), 10));
    CHECK_FALSE(sync_folder(temp.path() / "absent"));
    CHECK(sync_folder(temp.path()));
    CHECK(describe_errno("cannot write", "/x", ENOSPC) == "cannot write /x: No space left on device");
}

TEST_CASE("a rename replaces", "[base][file]") {
    const TempFolder temp = folder();
    REQUIRE(write_file(temp.path() / "a", "new", 0644));
    REQUIRE(write_file(temp.path() / "b", "old", 0644));
    REQUIRE(rename_file(temp.path() / "a", temp.path() / "b"));
    CHECK(read_file(temp.path() / "b", 10) == "new");
    CHECK_FALSE(rename_file(temp.path() / "a", temp.path() / "b"));
    CHECK(read_file(temp.path() / "b", 10) == "new");
}

TEST_CASE("a temporary folder goes with its owner", "[base][file]") {
    fs::path path;
    {
        TempFolder first = folder();
        path = first.path();
        CHECK((fs::status(path).permissions() & fs::perms::all) == fs::perms::owner_all);
        fs::create_directories(path / "deep" / "er");
        std::ofstream(path / "deep" / "file") << "x";
        const TempFolder second = std::move(first);
        CHECK(second.path() == path);
        CHECK(fs::exists(path));
    }
    CHECK_FALSE(fs::exists(path));
    CHECK_FALSE(TempFolder::create(path / "absent", "x"));
}
