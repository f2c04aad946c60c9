// SPDX-License-Identifier: MIT
#include "cmd/output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/file.h"

namespace postcensus::cmd {
namespace {

bool nobody_reads(int fd) {
    pollfd pipe{fd, POLLOUT, 0};
    return ::poll(&pipe, 1, 0) > 0 && (pipe.revents & POLLERR) != 0;
}

}  // namespace

Result<Output> Output::open(const std::string& path, Special special) {
    Output output;
    output.path_ = path;
    struct stat facts {};
    if (special == Special::written && ::lstat(path.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) {
        output.special_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC, 0640));
        if (!output.special_) return fail_errno(ExitCode::cannot_write, "cannot write", path, errno);
        return output;
    }
    auto aside = AtomicFile::create(path);
    if (!aside) return fail(aside.error());
    output.aside_.emplace(*std::move(aside));
    return output;
}

int Output::fd() const {
    if (aside_) return aside_->fd();
    return special_ ? special_.get() : STDOUT_FILENO;
}

Result<void> Output::write(std::string_view text) {
    // Behind a link there may be a file; devices and pipes have no size.
    if (special_ && !begun_ && ::ftruncate(fd(), 0) != 0 && errno != EINVAL)
        return fail_errno(ExitCode::cannot_write, "cannot write", path_, errno);
    begun_ = true;
    if (auto written = write_all(fd(), text, path_); !written) {
        closed_ = fd() == STDOUT_FILENO && nobody_reads(fd());
        if (closed_) return {};
        return fail(ExitCode::cannot_write, written.error().message);
    }
    return {};
}

Result<void> Output::commit() {
    return aside_ ? aside_->commit() : Result<void>{};
}

bool in_colour() {
    const char* refused = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): before any thread
    return ::isatty(STDOUT_FILENO) == 1 && (refused == nullptr || *refused == '\0');
}

}  // namespace postcensus::cmd
