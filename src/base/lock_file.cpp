// SPDX-License-Identifier: MIT
#include "base/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <tuple>

#include "base/file.h"

namespace postcensus {
namespace {

constexpr mode_t kOwnersAlone = 0600;
constexpr int kAttempts = 10;

}  // namespace

Result<std::optional<LockFile>> LockFile::try_lock(const std::filesystem::path& path,
                                                   const std::string& content) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kOwnersAlone));
        if (!fd) return fail_errno(ExitCode::cannot_write, "cannot open the lock", path, errno);
        // An older version's, or made by hand; or not ours, and then it stays as it is.
        std::ignore = ::fchmod(fd.get(), kOwnersAlone);
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK) return std::optional<LockFile>{};
            return fail_errno(ExitCode::cannot_write, "cannot lock", path, errno);
        }
        LockFile lock(std::move(fd));
        if (!lock.is_at(path)) continue;  // removed between the two
        lock.rewrite(content);
        return std::optional<LockFile>(std::move(lock));
    }
    return fail(ExitCode::try_again, path.string() + ": the lock is removed as soon as it is made");
}

bool LockFile::is_at(const std::filesystem::path& path) const {
    struct stat held {};
    struct stat named {};
    return ::fstat(fd_.get(), &held) == 0 && ::lstat(path.c_str(), &named) == 0 &&
           held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

// "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; a "->" in front of FLOCK waits. The inode is enough: the
// device that stands there is not always the one that stat(2) gives (overlayfs, btrfs).
Result<std::optional<LockFile::Holder>> LockFile::holder(const std::filesystem::path& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) {
        if (errno == ENOENT) return std::optional<Holder>{};
        return fail_errno(ExitCode::cannot_write, "cannot look at the lock", path, errno);
    }
    std::ifstream locks("/proc/locks");
    if (!locks) return fail(ExitCode::unavailable, "cannot read /proc/locks");
    const std::string inode = ":" + std::to_string(facts.st_ino);
    for (std::string line; std::getline(locks, line);) {
        std::istringstream words(line);
        std::string number;
        std::string kind;
        std::string mode;
        std::string access;
        std::string place;
        Holder holder;
        if (!(words >> number >> kind >> mode >> access >> holder.pid >> place)) continue;
        if (kind != "FLOCK" || !place.ends_with(inode)) continue;
        holder.content = read_file(path, 4096).value_or("");
        return std::optional(std::move(holder));
    }
    return std::optional<Holder>{};
}

void LockFile::rewrite(const std::string& content) {
    // What the file says is for people and for a comparison of configurations; the lock itself does not
    // depend on it.
    if (::ftruncate(fd_.get(), 0) == 0 && ::pwrite(fd_.get(), content.data(), content.size(), 0) < 0)
        std::ignore = ::ftruncate(fd_.get(), 0);
}

}  // namespace postcensus
