// SPDX-License-Identifier: MIT
#include "maillog/file_watch.h"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

namespace postcensus::maillog {

FileWatch::FileWatch(std::filesystem::path folder)
    : folder_(std::move(folder)), inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    watch_folder();
}

void FileWatch::watch_folder() {
    // Without IN_MODIFY: every other log in the folder would wake us.
    if (inotify_ && folder_watch_ < 0)
        folder_watch_ = ::inotify_add_watch(inotify_.get(), folder_.c_str(),
                                            IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
}

void FileWatch::clear() {
    alignas(inotify_event) char events[4096];
    ssize_t size = 0;
    while (inotify_ && (size = ::read(inotify_.get(), events, sizeof events)) > 0) {
        for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(size);) {
            inotify_event event{};
            std::memcpy(&event, events + at, sizeof event);
            if (event.wd == folder_watch_ && (event.mask & IN_IGNORED) != 0) folder_watch_ = -1;
            at += sizeof event + event.len;
        }
    }
    watch_folder();
}

void FileWatch::add(int file) {
    if (!inotify_) return;
    // By descriptor, as the name may belong to another file by now.
    const int watch = ::inotify_add_watch(inotify_.get(), fmt::format("/proc/self/fd/{}", file).c_str(),
                                          IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF);
    if (watch >= 0 && std::find(files_.begin(), files_.end(), watch) == files_.end()) files_.push_back(watch);
}

void FileWatch::remove_files() {
    for (const int watch : files_) ::inotify_rm_watch(inotify_.get(), watch);
    files_.clear();
}

}  // namespace postcensus::maillog
