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

Result<std::optional<LockFile>> LockFile::try_lock(const std::filesystem::path& path,
                                                   const std::string& content) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (!fd) return fail(ExitCode::cannot_write, describe_errno("cannot open the lock", path, errno));
    auto lock = hold(std::move(fd), path);
    if (lock && *lock) (*lock)->rewrite(content);
    return lock;
}

Result<std::optional<LockFile>> LockFile::try_lock_folder(const std::filesystem::path& folder) {
    UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return fail(ExitCode::cannot_write, describe_errno("cannot open the folder", folder, errno));
    return hold(std::move(fd), folder);
}

Result<std::optional<LockFile>> LockFile::hold(UniqueFd fd, const std::filesystem::path& path) {
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return std::optional<LockFile>(LockFile(std::move(fd)));
    if (errno == EWOULDBLOCK) return std::optional<LockFile>{};
    return fail(ExitCode::cannot_write, describe_errno("cannot lock", path, errno));
}

// "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; a "->" in front of FLOCK waits. The inode is enough: the
// device that stands there is not always the one that stat(2) gives (overlayfs, btrfs).
Result<std::optional<LockFile::Holder>> LockFile::holder(const std::filesystem::path& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) {
        if (errno == ENOENT) return std::optional<Holder>{};
        return fail(ExitCode::cannot_write, describe_errno("cannot look at the lock", path, errno));
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
