// SPDX-License-Identifier: MIT
// Reads every object with recipients from a directory, whole or not at all.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "census/listing.h"
#include "directory/session.h"

namespace postcensus::directory {

struct ReadSummary {
    std::string server;
    std::size_t objects = 0;
    std::size_t pages = 0;
};

// Called for each object, in the server's order. What was taken counts only if read_all() succeeds.
using TakeObject = std::function<void(const census::DirectoryObject&)>;
using Progress = std::function<void(const ReadSummary&)>;

// Tries the URIs in turn until one lets us in; never changes the server in the middle. Blocks.
Result<ReadSummary> read_all(const Settings& settings, const TakeObject& take, const Progress& progress);

}  // namespace postcensus::directory
