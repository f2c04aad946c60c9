// SPDX-License-Identifier: MIT
#include "check/rights.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>

namespace postcensus::check {
namespace {

constexpr int kMostGroups = 1024;

// `right`: 4 to read, 1 to search.
bool has_right(const User& user, const struct stat& facts, unsigned right) {
    if (user.uid == 0) return true;
    const bool in_group =
        std::find(user.groups.begin(), user.groups.end(), facts.st_gid) != user.groups.end();
    const unsigned shift = facts.st_uid == user.uid ? 6U : in_group ? 3U : 0U;
    return ((facts.st_mode >> shift) & right) == right;
}

}  // namespace

Result<User> find_user(const std::string& name) {
    std::vector<char> buffer(16384);
    passwd entry{};
    passwd* found = nullptr;
    ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr) return fail(ExitCode::configuration, fmt::format("there is no user {}", name));
    User user{name, found->pw_uid, std::vector<gid_t>(kMostGroups)};
    int count = kMostGroups;
    ::getgrouplist(name.c_str(), found->pw_gid, user.groups.data(), &count);
    user.groups.resize(static_cast<std::size_t>(std::clamp(count, 0, kMostGroups)));
    return user;
}

std::optional<Obstacle> find_obstacle(const User& user, const std::filesystem::path& file) {
    std::filesystem::path path;
    for (const std::filesystem::path& part : file) {
        path /= part;
        const bool folder = path != file;
        struct stat facts {};
        if (::stat(path.c_str(), &facts) != 0) return std::nullopt;
        if (!has_right(user, facts, folder ? 1U : 4U)) return Obstacle{path, folder};
    }
    return std::nullopt;
}

}  // namespace postcensus::check
