// SPDX-License-Identifier: MIT
#include "base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <utility>

#include "base/file.h"

namespace postcensus {
namespace {

constexpr mode_t kMode = 0640;
constexpr mode_t kPermissions = 0777;  // a report is no program: not setuid and the like

std::filesystem::path folder_of(const std::filesystem::path& path) {
    return path.has_parent_path() ? path.parent_path() : ".";
}

// Whether nobody put it there who had no right to say whose the new one is: root, this process, or the owner
// of the folder made it, or only these could have. In a folder like /tmp anybody makes a file of any name, or
// a link to somebody's, before we come; ours must not become his, nor as open as his was.
bool is_to_be_kept(const struct stat& old, const std::filesystem::path& path) {
    struct stat folder {};
    if (!S_ISREG(old.st_mode) || ::stat(folder_of(path).c_str(), &folder) != 0) return false;
    const auto ours = [](uid_t user) { return user == 0 || user == ::geteuid(); };
    const bool common = (folder.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    if (common) return ours(old.st_uid) && old.st_nlink == 1;
    return ours(folder.st_uid) || ours(old.st_uid) || old.st_uid == folder.st_uid;
}

// What can be kept of the file that it replaces: only root gives files away, another may have the group, and
// there are file systems without either. What fails leaves it closer than it should be, never wider.
void take_after(int fd, const std::filesystem::path& path) {
    struct stat old {};
    const bool replaces = ::lstat(path.c_str(), &old) == 0 && is_to_be_kept(old, path);
    if (replaces && ::fchown(fd, old.st_uid, old.st_gid) != 0) [[maybe_unused]]
        const int ignored = ::fchown(fd, static_cast<uid_t>(-1), old.st_gid);
    ::fchmod(fd, replaces ? old.st_mode & kPermissions : kMode);
}

}  // namespace

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      aside_(std::exchange(other.aside_, std::filesystem::path())),
      fd_(std::move(other.fd_)) {}

AtomicFile::~AtomicFile() {
    if (!aside_.empty()) ::unlink(aside_.c_str());
}

std::filesystem::path AtomicFile::aside_path() const {
    std::random_device random;
    return folder_of(path_) / fmt::format(".postcensus-{:08x}{:08x}", random(), random());
}

Result<AtomicFile> AtomicFile::create(const std::filesystem::path& path) {
    AtomicFile file(path);
    // Without a name it goes with this process, however that ends.
    file.fd_.reset(::open(folder_of(path).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    if (!file.fd_) {
        // NFS and others have no such files.
        const std::filesystem::path aside = file.aside_path();
        file.fd_.reset(::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!file.fd_) return fail_errno(ExitCode::cannot_write, "cannot create a file beside", path, errno);
        file.aside_ = aside;
    }
    return file;
}

Result<void> AtomicFile::commit() {
    const auto failed = [this] { return fail_errno(ExitCode::cannot_write, "cannot write", path_, errno); };
    take_after(fd(), path_);
    if (::fsync(fd()) != 0) return failed();
    if (aside_.empty()) {
        const std::filesystem::path aside = aside_path();
        if (::linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", fd()).c_str(), AT_FDCWD, aside.c_str(),
                     AT_SYMLINK_FOLLOW) != 0)
            return failed();
        aside_ = aside;
    }
    if (auto renamed = rename_file(aside_, path_); !renamed) return renamed;
    aside_.clear();
    return sync_folder(folder_of(path_));
}

}  // namespace postcensus
