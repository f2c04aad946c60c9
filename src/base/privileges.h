// SPDX-License-Identifier: MIT
// A command started as root becomes the owner of the state's folder before it parses anything that strangers
// wrote, and so never leaves root's files in the state.
#pragma once

#include <filesystem>
#include <string>

#include "base/failure.h"

namespace postcensus {

// Does nothing if this process is not root, or if root owns the folder.
Result<void> become_owner_of(const std::filesystem::path& folder);

// Who runs this process: behind sudo(8) the one who called it. For the history; ask before becoming another.
std::string invoking_user();

// For a command that needs nothing but what it has open. Does nothing if this process is not root.
Result<void> become_nobody();

}  // namespace postcensus
