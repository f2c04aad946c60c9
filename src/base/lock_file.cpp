// SPDX-License-Identifier: MIT
#include "base/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

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

void LockFile::rewrite(const std::string& content) {
    // What the file says is for people and for a comparison of configurations; the lock itself does not
    // depend on it.
    if (::ftruncate(fd_.get(), 0) == 0 && ::pwrite(fd_.get(), content.data(), content.size(), 0) < 0)
        ::ftruncate(fd_.get(), 0);
}

}  // namespace postcensus
