// SPDX-License-Identifier: MIT
// A lock that one process holds at a time (flock(2)); it goes with the process, however that ends. The file
// stays, and says who held it last.
//
// Whoever can open a file, for reading too, can lock it, and so keep us from our work: the file is its
// owner's alone, and a folder or a file that others can read is never locked.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/failure.h"
#include "base/unique_fd.h"

namespace postcensus {

class LockFile {
  public:
    // Nothing if another process holds it; a Failure if the file cannot be opened at all. `content` is
    // written for whoever asks who holds it.
    static Result<std::optional<LockFile>> try_lock(const std::filesystem::path& path,
                                                    const std::string& content);

    // Who holds it, and what the file says; nothing if nobody does. Only looks (/proc/locks): to try the
    // lock, even for a moment, would turn away whoever wants it just then.
    struct Holder {
        int pid = 0;
        std::string content;
    };
    static Result<std::optional<Holder>> holder(const std::filesystem::path& path);

    // Writes new content: the holder's facts changed.
    void rewrite(const std::string& content);

    // Whether the file that was locked still has this name: one that was removed keeps nobody away.
    bool is_at(const std::filesystem::path& path) const;

  private:
    explicit LockFile(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace postcensus
