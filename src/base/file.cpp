// SPDX-License-Identifier: MIT
#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/unique_fd.h"

namespace postcensus {

std::string describe_errno(std::string_view what, const std::filesystem::path& path, int error) {
    return fmt::format("{} {}: {}", what, path.string(), std::generic_category().message(error));
}

Trouble trouble_of(int error) {
    if (error == ENOSPC || error == EDQUOT) return Trouble::no_room;
    return error == EIO || error == EROFS ? Trouble::bad_disk : Trouble::other;
}

tl::unexpected<Failure> fail_errno(ExitCode code, std::string_view what, const std::filesystem::path& path,
                                   int error) {
    return fail({.code = code, .message = describe_errno(what, path, error), .trouble = trouble_of(error)});
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t longest) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail_errno(ExitCode::configuration, "cannot read", path, errno);
    std::string content;
    char block[16384];
    for (;;) {
        const ssize_t count = ::read(fd.get(), block, sizeof block);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_errno(ExitCode::configuration, "cannot read", path, errno);
        if (count == 0) return content;
        content.append(block, static_cast<std::size_t>(count));
        if (content.size() > longest)
            return fail(ExitCode::configuration,
                        fmt::format("{} is larger than {} bytes", path.string(), longest));
    }
}

Result<void> write_all(int fd, std::string_view content, const std::filesystem::path& path) {
    while (!content.empty()) {
        const ssize_t count = ::write(fd, content.data(), content.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_errno(ExitCode::cannot_write, "cannot write", path, errno);
        content.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Result<void> write_file(const std::filesystem::path& path, std::string_view content, unsigned mode) {
    return write_file(path, content, {}, mode);
}

Result<void> write_file(const std::filesystem::path& path, std::string_view head, std::string_view rest,
                        unsigned mode) {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) return fail_errno(ExitCode::cannot_write, "cannot write", path, errno);
    if (auto written = write_all(fd.get(), head, path); !written) return written;
    if (auto written = write_all(fd.get(), rest, path); !written) return written;
    if (::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0)
        return fail_errno(ExitCode::cannot_write, "cannot write", path, errno);
    return {};
}

bool has_room(const std::filesystem::path& folder, std::size_t size) {
    const auto is_full = [](int error) { return error == ENOSPC || error == EDQUOT; };
    const UniqueFd fd(::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    if (!fd) return !is_full(errno);
    const std::string block(64UL * 1024, 'x');  // no hole, nothing to compress away at the end
    for (std::size_t written = 0; written < size; written += block.size())
        if (::write(fd.get(), block.data(), std::min(block.size(), size - written)) < 0)
            return !is_full(errno);
    return ::fsync(fd.get()) == 0 || !is_full(errno);
}

Result<void> sync_folder(const std::filesystem::path& folder) {
    const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0)
        return fail_errno(ExitCode::cannot_write, "cannot sync folder", folder, errno);
    return {};
}

Result<void> rename_file(const std::filesystem::path& from, const std::filesystem::path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0)
        return fail_errno(ExitCode::cannot_write, "cannot replace", to, errno);
    return {};
}

Result<TempFolder> TempFolder::create(const std::filesystem::path& parent, std::string_view prefix) {
    std::string name = fmt::format("{}/{}XXXXXX", parent.string(), prefix);
    if (::mkdtemp(name.data()) == nullptr)
        return fail_errno(ExitCode::cannot_write, "cannot create a folder in", parent, errno);
    return TempFolder(name);
}

TempFolder::~TempFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace postcensus
