// SPDX-License-Identifier: MIT
#include "check/rights.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "catch.h"

using namespace postcensus;
using namespace postcensus::check;

TEST_CASE("what keeps a user from a file", "[check][rights]") {
    const TempFolder folder = TempFolder::create(std::filesystem::temp_directory_path(), "rights").value();
    const std::filesystem::path inner = folder.path() / "inner";
    const std::filesystem::path file = inner / "file";
    std::filesystem::create_directory(inner);
    REQUIRE(write_file(file, "x", 0644));
    const User owner{"owner", ::geteuid() == 0 ? 4711U : ::geteuid(), {}};
    const User other{"other", 4712, {::getegid()}};
    const User stranger{"stranger", 4713, {4713}};
    if (::geteuid() == 0)
        for (const auto& path : {folder.path(), inner, file})
            REQUIRE(::chown(path.c_str(), 4711, ::getegid()) == 0);
    const auto obstacle = [&](const User& user, unsigned folders, unsigned files) {
        ::chmod(folder.path().c_str(), 0755);
        ::chmod(inner.c_str(), folders);
        ::chmod(file.c_str(), files);
        const auto found = find_obstacle(user, file);
        // Root may look in all the same; the owner of the test needs his rights back.
        ::chmod(inner.c_str(), 0755);
        return found ? found->path : std::filesystem::path{};
    };
    CHECK(obstacle(stranger, 0755, 0644).empty());
    CHECK(obstacle(stranger, 0711, 0644).empty());
    CHECK(obstacle(stranger, 0750, 0644) == inner);
    CHECK(obstacle(stranger, 0755, 0640) == file);
    CHECK(obstacle(other, 0750, 0640).empty());
    CHECK(obstacle(other, 0705, 0644) == inner);
    CHECK(obstacle(owner, 0700, 0600).empty());
    CHECK(obstacle(owner, 0700, 0066) == file);
    CHECK_FALSE(find_obstacle(stranger, folder.path() / "nothing"));
    CHECK_FALSE(find_user("nobody-has-this-name"));
    CHECK(find_user("root")->uid == 0);
}
