// SPDX-License-Identifier: MIT
// Whether another user could read a file, by owners and mode bits alone: access control lists are not looked
// at.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/failure.h"

namespace postcensus::check {

struct User {
    std::string name;
    uid_t uid = 0;
    std::vector<gid_t> groups;
};

Result<User> find_user(const std::string& name);

// What keeps a user from a file: the first folder on the way that he may not search, or the file itself.
struct Obstacle {
    std::filesystem::path path;
    bool folder = false;
};
// Nothing if nothing does. What is not there is no obstacle.
std::optional<Obstacle> find_obstacle(const User& user, const std::filesystem::path& file);

}  // namespace postcensus::check
