// SPDX-License-Identifier: MIT
#include "base/lock_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "base/file.h"
#include "base/process.h"
#include "catch.h"

using namespace postcensus;

TEST_CASE("who has no right to the file cannot hold the lock", "[base][lock_file]") {
    const auto temp = TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-");
    REQUIRE(temp);
    const auto path = temp->path() / "decider";
    REQUIRE(write_file(path, "", 0644));  // of an older version
    const mode_t old = ::umask(0);
    auto lock = LockFile::try_lock(path, "x\n");
    ::umask(old);
    REQUIRE(lock);
    REQUIRE(*lock);
    CHECK(static_cast<unsigned>(std::filesystem::status(path).permissions()) == 0600U);
    // What is not there any more keeps nobody away.
    CHECK((*lock)->is_at(path));
    std::filesystem::remove(path);
    CHECK_FALSE((*lock)->is_at(path));
    const auto again = LockFile::try_lock(path, "y\n");
    REQUIRE(again);
    CHECK(*again);
    CHECK_FALSE((*lock)->is_at(path));
    // A link leads to what is another's.
    std::filesystem::remove(path);
    REQUIRE(write_file(temp->path() / "prey", "prey", 0644));
    std::filesystem::create_symlink("prey", path);
    CHECK_FALSE(LockFile::try_lock(path, "z\n"));
    CHECK(read_file(temp->path() / "prey", 10) == "prey");
}

TEST_CASE("one holds the lock at a time", "[base][lock_file]") {
    const auto temp = TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-");
    REQUIRE(temp);
    const auto path = temp->path() / "decider";
    {
        auto first = LockFile::try_lock(path, "first\n");
        REQUIRE(first);
        REQUIRE(*first);
        const auto second = LockFile::try_lock(path, "second\n");
        REQUIRE(second);
        CHECK_FALSE(*second);
        // Who did not get it leaves the holder's words alone.
        CHECK(read_file(path, 100) == "first\n");
        (*first)->rewrite("1\n");
        CHECK(read_file(path, 100) == "1\n");
        const LockFile moved = std::move(**first);
        CHECK_FALSE(*LockFile::try_lock(path, "third\n"));
    }
    CHECK(read_file(path, 100) == "1\n");
    const auto again = LockFile::try_lock(path, "again\n");
    REQUIRE(again);
    CHECK(*again);
}

TEST_CASE("a child does not inherit the lock", "[base][lock_file]") {
    const auto temp = TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-");
    REQUIRE(temp);
    const auto path = temp->path() / "decider";
    auto lock = LockFile::try_lock(path, "x");
    REQUIRE((lock && *lock));
    const auto open = run_process({"sh", "-c", "ls -l /proc/self/fd"}, "", std::chrono::seconds{20});
    REQUIRE(open);
    CHECK(open->output.find("decider") == std::string::npos);
}

TEST_CASE("a lock that cannot be opened is a failure", "[base][lock_file]") {
    const auto lock = LockFile::try_lock("/nonexistent/decider", "x");
    REQUIRE_FALSE(lock);
    CHECK(lock.error().code == ExitCode::cannot_write);
    CHECK(lock.error().message.find("/nonexistent/decider") != std::string::npos);
}

TEST_CASE("who holds a lock is seen without touching it", "[base][lock_file]") {
    const TempFolder folder = TempFolder::create(std::filesystem::temp_directory_path(), "lock").value();
    const auto path = folder.path() / "lock";
    CHECK_FALSE(*LockFile::holder(path));
    {
        auto lock = LockFile::try_lock(path, "12 abc\n");
        REQUIRE(lock);
        REQUIRE(*lock);
        const auto held = LockFile::holder(path);
        REQUIRE(held);
        REQUIRE(*held);
        CHECK((*held)->pid == ::getpid());
        CHECK((*held)->content == "12 abc\n");
    }
    CHECK_FALSE(*LockFile::holder(path));
}
