// SPDX-License-Identifier: MIT
// Tells when a log file, or the folder in which it is rotated, has changed (inotify). Only a hint: it never
// reads, and whoever uses it looks for himself, now and then also without it.
#pragma once

#include <filesystem>
#include <vector>

#include "base/unique_fd.h"

namespace postcensus::maillog {

class FileWatch {
  public:
    explicit FileWatch(std::filesystem::path folder);

    // Readable when something happened; -1 where inotify is not to be had.
    int fd() const { return inotify_.get(); }

    // Takes what happened out of the descriptor, and watches the folder again if it had gone.
    void clear();

    // Watches an open file, whatever its name is by now.
    void add(int file);

    // Watches no file any more, only the folder.
    void remove_files();

  private:
    void watch_folder();

    std::filesystem::path folder_;
    UniqueFd inotify_;
    int folder_watch_ = -1;
    std::vector<int> files_;
};

}  // namespace postcensus::maillog
