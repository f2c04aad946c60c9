// SPDX-License-Identifier: MIT
// A command started as root becomes the owner of the state's folder before it parses anything that strangers
// wrote, and so never leaves root's files in the state.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/failure.h"

namespace postcensus {

// Does nothing if this process is not root, or if root owns the folder.
Result<void> become_owner_of(const std::filesystem::path& folder);

// The same in a child, for `work` alone: who calls stays root for what comes after. What `work` leaves in
// memory is lost. In a process that is not root, or if root owns the folder, it just runs. Before any thread.
Result<ExitCode> as_owner_of(const std::filesystem::path& folder,
                             const std::function<Result<ExitCode>()>& work);

// Whether the owner of `folder` could change what root finds at `path`, by a link or a pipe in one of the
// folders on the way. Never, if there are no rights to give up.
Result<bool> owner_may_redirect(const std::filesystem::path& folder, const std::filesystem::path& path);

// Who runs this process: behind sudo(8) the one who called it. For the history; ask before becoming another.
std::string invoking_user();

// For a command that needs nothing but what it has open. Does nothing if this process is not root.
Result<void> become_nobody();

}  // namespace postcensus
