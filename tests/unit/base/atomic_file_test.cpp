// SPDX-License-Identifier: MIT
#include "base/atomic_file.h"

#include <sys/stat.h>

#include <iterator>
#include <utility>

#include "base/file.h"
#include "catch.h"

using namespace postcensus;
namespace fs = std::filesystem;

namespace {

struct Place {
    TempFolder folder = TempFolder::create(fs::temp_directory_path(), "postcensus-test-").value();
    fs::path path = folder.path() / "x";

    // What is there, whatever its name.
    std::ptrdiff_t files() const {
        return std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator());
    }
    unsigned mode() const { return static_cast<unsigned>(fs::status(path).permissions()); }
    void write(const std::string& text) const {
        auto file = AtomicFile::create(path);
        REQUIRE(file);
        REQUIRE(write_all(file->fd(), text, path));
        REQUIRE(file->commit());
    }
};

}  // namespace

TEST_CASE("a file is replaced once it is whole", "[base][file]") {
    const Place place;
    const mode_t old = ::umask(077);
    place.write("new");
    ::umask(old);
    CHECK(read_file(place.path, 10) == "new");
    CHECK(place.mode() == 0640);
    fs::permissions(place.path, static_cast<fs::perms>(04604));
    place.write("newer");
    CHECK(read_file(place.path, 10) == "newer");
    CHECK(place.mode() == 0604);
    CHECK(place.files() == 1);
}

TEST_CASE("what anybody may have put there says nothing of the new file", "[base][file]") {
    const Place place;
    struct Case {
        unsigned folder;
        bool linked;
        unsigned mode;  // of the new one
    };
    // The old one is ours, and 0606. Where others may write, a second name may be somebody's trap.
    for (const Case& one : {Case{0755, false, 0606}, Case{0755, true, 0606}, Case{0777, false, 0606},
                            Case{0777, true, 0640}, Case{01777, true, 0640}, Case{0775, true, 0640}}) {
        CAPTURE(one.folder, one.linked);
        fs::remove(place.path);
        fs::remove(place.folder.path() / "second");
        REQUIRE(write_file(place.path, "old", 0606));
        if (one.linked) fs::create_hard_link(place.path, place.folder.path() / "second");
        REQUIRE(::chmod(place.folder.path().c_str(), one.folder) == 0);
        place.write("new");
        CHECK(read_file(place.path, 10) == "new");
        CHECK(place.mode() == one.mode);
    }
}

TEST_CASE("what is not committed was never there", "[base][file]") {
    const Place place;
    {
        auto file = AtomicFile::create(place.path);
        REQUIRE(file);
        const AtomicFile moved = *std::move(file);
        REQUIRE(write_all(moved.fd(), "half", place.path));
    }
    CHECK(place.files() == 0);
    place.write("old");
    {
        auto file = AtomicFile::create(place.path);
        REQUIRE(write_all(file->fd(), "half", place.path));
    }
    CHECK(read_file(place.path, 10) == "old");
    CHECK(place.files() == 1);
}

TEST_CASE("nothing that has the name is followed", "[base][file]") {
    const Place place;
    REQUIRE(write_file(place.folder.path() / "prey", "prey", 0600));
    fs::create_symlink("prey", place.path);
    place.write("new");
    CHECK(fs::symlink_status(place.path).type() == fs::file_type::regular);
    CHECK(read_file(place.folder.path() / "prey", 10) == "prey");
    fs::remove(place.path);
    REQUIRE(::mkfifo(place.path.c_str(), 0600) == 0);
    place.write("newer");
    CHECK(read_file(place.path, 10) == "newer");
    fs::remove(place.path);
    fs::create_directory(place.path);
    auto file = AtomicFile::create(place.path);
    REQUIRE(file);
    const auto committed = file->commit();
    REQUIRE_FALSE(committed);
    CHECK(committed.error().code == ExitCode::cannot_write);
    file = fail(ExitCode::done, "gone");
    CHECK(place.files() == 2);
}

TEST_CASE("a file in no folder is a failure that names it", "[base][file]") {
    const Place place;
    const auto file = AtomicFile::create(place.folder.path() / "no" / "x");
    REQUIRE_FALSE(file);
    CHECK(file.error().message.find("/no/x: No such file") != std::string::npos);
}
