// SPDX-License-Identifier: MIT
#include "maillog/log_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/hash.h"

namespace postcensus::maillog {
namespace {

// "mail.log.1" -> 1, for "mail.log".
std::optional<unsigned> number_of(std::string_view rest) {
    unsigned number = 0;
    if (rest.size() < 2 || rest.size() > 7 || rest.front() != '.') return std::nullopt;
    const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), number);
    if (error != std::errc{} || end != rest.data() + rest.size()) return std::nullopt;
    return number;
}

// "mail.log-20261124", "mail.log-2026-11-24", "mail.log-20261124-1795489200": logrotate's dateext, which
// sorts by name.
bool is_dated(std::string_view rest) {
    return rest.size() > 8 && (rest.front() == '-' || rest.front() == '.') && rest[1] >= '0' &&
           rest[1] <= '9' && rest.find_first_not_of("0123456789-", 1) == std::string_view::npos;
}

}  // namespace

std::string Mark::text() const {
    return fmt::format("{} {} {} {:016x}", device, inode, offset, fingerprint);
}

std::optional<Mark> Mark::parse(const std::string& text) {
    Mark mark;
    const std::array<std::pair<std::uint64_t*, int>, 4> fields{
        {{&mark.device, 10}, {&mark.inode, 10}, {&mark.offset, 10}, {&mark.fingerprint, 16}}};
    const char* at = text.data();
    const char* end = at + text.size();
    for (const auto& [number, base] : fields) {
        if (number != &mark.device && (at == end || *at++ != ' ')) return std::nullopt;
        const auto [rest, error] = std::from_chars(at, end, *number, base);
        if (error != std::errc{}) return std::nullopt;
        at = rest;
    }
    if (at != end) return std::nullopt;
    return mark;
}

std::uint64_t fingerprint(std::string_view bytes) {
    return Fnv1a().mix(bytes).value();
}

Result<std::optional<LogFile>> LogFile::open(const std::filesystem::path& path) {
    // O_NONBLOCK: a FIFO in the log's place must not stop us here.
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd && (errno == ENOENT || errno == ENOTDIR)) return std::optional<LogFile>{};
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0)
        return fail_errno(ExitCode::unavailable, "cannot read the log", path, errno);
    if (!S_ISREG(status.st_mode))
        return fail(ExitCode::configuration,
                    fmt::format("cannot read the log {}: it is not a regular file", path.string()));
    return std::optional<LogFile>(LogFile(std::move(fd), status));
}

Result<std::string> LogFile::read(std::uint64_t offset, std::size_t most) const {
    std::string bytes(most, '\0');
    std::size_t filled = 0;
    while (filled < most) {
        const ssize_t count =
            ::pread(fd_.get(), bytes.data() + filled, most - filled, static_cast<off_t>(offset + filled));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_errno(ExitCode::unavailable, "cannot read", "the log", errno);
        if (count == 0) break;
        filled += static_cast<std::size_t>(count);
    }
    bytes.resize(filled);
    return bytes;
}

Result<std::string> LogFile::before(std::uint64_t offset) const {
    const std::uint64_t count = std::min<std::uint64_t>(offset, kFingerprintBytes);
    return read(offset - count, static_cast<std::size_t>(count));
}

Result<struct stat> LogFile::status() const {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0)
        return fail_errno(ExitCode::unavailable, "cannot read", "the log", errno);
    return status;
}

bool LogFile::continues(const Mark& mark) const {
    const auto bytes = before(mark.offset);
    return bytes && bytes->size() == std::min<std::uint64_t>(mark.offset, kFingerprintBytes) &&
           fingerprint(*bytes) == mark.fingerprint;
}

std::vector<Generations> rotated_files(const std::filesystem::path& path) {
    std::vector<std::pair<unsigned, std::filesystem::path>> numbered;
    Generations dated;
    const std::string name = path.filename().string();
    const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    std::error_code error;
    for (auto entry = std::filesystem::directory_iterator(folder, error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        const std::string other = entry->path().filename().string();
        if (!other.starts_with(name)) continue;
        const std::string_view rest = std::string_view(other).substr(name.size());
        if (const auto number = number_of(rest))
            numbered.emplace_back(*number, entry->path());
        else if (is_dated(rest))
            dated.push_back(entry->path());
    }
    std::sort(numbered.begin(), numbered.end(),
              [](const auto& a, const auto& b) { return a.first > b.first; });
    std::sort(dated.begin(), dated.end());
    std::vector<Generations> all(2);
    for (auto& file : numbered) all[0].push_back(std::move(file.second));
    all[1] = std::move(dated);
    return all;
}

std::vector<Chapter> chapters_since(const std::filesystem::path& path, const Mark& mark, Match match) {
    for (const Generations& generations : rotated_files(path)) {
        std::vector<Chapter> chapters;
        for (const auto& name : generations) {
            auto file = LogFile::open(name);
            if (!file || !*file) continue;  // not readable, or gone in this moment
            if (!chapters.empty()) {
                chapters.push_back({std::move(**file), 0});
                continue;
            }
            const bool fits = (match == Match::content || (*file)->is(mark)) &&
                              (match == Match::inode || (*file)->continues(mark));
            if (fits) chapters.push_back({std::move(**file), mark.offset});
        }
        if (!chapters.empty()) return chapters;
    }
    return {};
}

std::vector<Chapter> chapters_younger(const std::filesystem::path& path, const struct stat& file) {
    const auto written = [](const struct stat& status) {
        return std::pair(status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    };
    for (const Generations& generations : rotated_files(path)) {
        std::vector<Chapter> chapters;
        for (const auto& name : generations) {
            auto other = LogFile::open(name);
            if (!other || !*other) continue;
            const auto status = (*other)->status();
            if (status && written(*status) > written(file)) chapters.push_back({std::move(**other), 0});
        }
        if (!chapters.empty()) return chapters;
    }
    return {};
}

}  // namespace postcensus::maillog
