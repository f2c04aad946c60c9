// SPDX-License-Identifier: MIT
#include "cmd/output.h"

#include <fcntl.h>
#include <poll.h>
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

Result<Output> Output::open(const std::string& path) {
    Output output;
    output.path_ = path;
    output.file_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
    if (!output.file_) return fail(ExitCode::cannot_write, describe_errno("cannot write", path, errno));
    return output;
}

Result<void> Output::write(std::string_view text) {
    const int fd = file_ ? file_.get() : STDOUT_FILENO;
    // Devices and pipes have no size.
    if (file_ && !begun_ && ::ftruncate(fd, 0) != 0 && errno != EINVAL)
        return fail(ExitCode::cannot_write, describe_errno("cannot write", path_, errno));
    begun_ = true;
    if (auto written = write_all(fd, text, path_); !written) {
        closed_ = !file_ && nobody_reads(fd);
        if (closed_) return {};
        return fail(ExitCode::cannot_write, written.error().message);
    }
    return {};
}

bool in_colour() {
    const char* refused = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): before any thread
    return ::isatty(STDOUT_FILENO) == 1 && (refused == nullptr || *refused == '\0');
}

}  // namespace postcensus::cmd
