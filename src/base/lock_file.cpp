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
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return std::optional<LockFile>{};
        return fail(ExitCode::cannot_write, describe_errno("cannot lock", path, errno));
    }
    LockFile lock(std::move(fd));
    lock.rewrite(content);
    return std::optional<LockFile>(std::move(lock));
}

void LockFile::rewrite(const std::string& content) {
    // What the file says is for people and for a comparison of configurations; the lock itself does not
    // depend on it.
    if (::ftruncate(fd_.get(), 0) == 0 && ::pwrite(fd_.get(), content.data(), content.size(), 0) < 0)
        ::ftruncate(fd_.get(), 0);
}

}  // namespace postcensus
