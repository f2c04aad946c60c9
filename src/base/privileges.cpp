// SPDX-License-Identifier: MIT
#include "base/privileges.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "base/printable.h"
#include "base/unique_fd.h"

namespace postcensus {
namespace {

namespace fs = std::filesystem;

constexpr int kMostLinks = 40;  // as the kernel has it
constexpr std::size_t kLongestMessage = 64UL * 1024;

bool has_rights_to_give_up(const fs::path& folder) {
    struct stat facts {};
    return ::geteuid() == 0 && ::stat(folder.c_str(), &facts) == 0 && facts.st_uid != 0;
}

struct Step {
    fs::path folder, entry;
};

// Every folder in which the kernel looks for the next part of the path, links followed, the last one too.
std::vector<Step> steps_of(const fs::path& path) {
    std::error_code error;
    const fs::path whole = fs::absolute(path, error);
    std::vector<Step> steps;
    std::deque<fs::path> rest(whole.begin(), whole.end());
    fs::path at;
    for (int links = 0; !rest.empty();) {
        const fs::path part = rest.front();
        rest.pop_front();
        if (part.is_absolute()) at.clear();
        const fs::path next = part == ".." ? at.parent_path() : at / part;
        if (!at.empty()) steps.push_back({at, next});
        // What hangs there (/dev/stdout) is open, not found by its name.
        if (at == "/proc") break;
        if (fs::is_symlink(fs::symlink_status(next, error)) && ++links <= kMostLinks) {
            const fs::path target = fs::read_symlink(next, error);
            rest.insert(rest.begin(), target.begin(), target.end());
        } else if (!part.empty() && part != ".") {
            at = next;
        }
    }
    return steps;
}

// Asked of the kernel: it knows access control lists too.
bool may_turn(const Step& step) {
    struct stat folder {};
    struct stat entry {};
    if (::stat(step.folder.c_str(), &folder) != 0) return false;
    if (folder.st_uid == ::geteuid()) return true;
    if (::access(step.folder.c_str(), W_OK) != 0) return false;
    // As in /tmp: what is another's stays where it is.
    const bool stays = (folder.st_mode & S_ISVTX) != 0 && ::lstat(step.entry.c_str(), &entry) == 0 &&
                       entry.st_uid != ::geteuid();
    return !stays;
}

std::string read_to_end(int fd) {
    std::string text;
    std::array<char, 1024> block{};
    for (;;) {
        const ssize_t count = ::read(fd, block.data(), block.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return text;
        if (text.size() < kLongestMessage) text.append(block.data(), static_cast<std::size_t>(count));
    }
}

// The child's part of as_owner_of().
[[noreturn]] void work_as_owner(const fs::path& folder, const std::function<Result<ExitCode>()>& work,
                                int message) {
    auto became = become_owner_of(folder);
    const Result<ExitCode> ended = became ? work() : fail(became.error());
    if (ended) ::_exit(static_cast<int>(*ended));
    (void)write_all(message, ended.error().message, {});
    ::_exit(static_cast<int>(ended.error().code));
}

}  // namespace

Result<void> become_owner_of(const std::filesystem::path& folder) {
    struct stat facts {};
    if (::stat(folder.c_str(), &facts) != 0)
        return fail(ExitCode::cannot_write, describe_errno("cannot find the folder", folder, errno) +
                                                "; create it for the user that runs Postcensus");
    if (::geteuid() != 0 || facts.st_uid == 0) return {};
    const passwd* owner = ::getpwuid(facts.st_uid);  // NOLINT(concurrency-mt-unsafe): before any thread
    // The owner's other groups too: adm, which may read the log.
    const int groups =
        owner != nullptr ? ::initgroups(owner->pw_name, owner->pw_gid) : ::setgroups(0, nullptr);
    const gid_t group = owner != nullptr ? owner->pw_gid : facts.st_gid;
    if (groups != 0 || ::setgid(group) != 0 || ::setuid(facts.st_uid) != 0)
        return fail_errno(ExitCode::cannot_write, "cannot become the owner of", folder, errno);
    return {};
}

Result<ExitCode> as_owner_of(const fs::path& folder, const std::function<Result<ExitCode>()>& work) {
    if (!has_rights_to_give_up(folder)) {
        auto became = become_owner_of(folder);
        return became ? work() : fail(became.error());
    }
    const auto failed = [&folder] {
        return fail_errno(ExitCode::try_again, "cannot work as the owner of", folder, errno);
    };
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failed();
    const UniqueFd messages(ends[0]);
    UniqueFd message(ends[1]);
    const pid_t child = ::fork();
    if (child < 0) return failed();
    if (child == 0) work_as_owner(folder, work, message.get());
    message.reset();
    std::string words = read_to_end(messages.get());
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return failed();
    const auto code = WIFEXITED(status) ? static_cast<ExitCode>(WEXITSTATUS(status)) : ExitCode::software;
    if (!words.empty()) return fail(code, std::move(words));
    if (code != ExitCode::software) return code;
    return fail(ExitCode::software,
                fmt::format("the process that worked as the owner of {} ended early{}", folder.string(),
                            WIFSIGNALED(status) ? fmt::format(", by signal {}", WTERMSIG(status)) : ""));
}

Result<bool> owner_may_redirect(const fs::path& folder, const fs::path& path) {
    if (!has_rights_to_give_up(folder)) return false;
    const std::vector<Step> steps = steps_of(path);
    auto asked = as_owner_of(folder, [&steps]() -> Result<ExitCode> {
        return std::any_of(steps.begin(), steps.end(), may_turn) ? ExitCode::finding : ExitCode::done;
    });
    if (!asked) return fail(asked.error());
    return *asked == ExitCode::finding;
}

std::string invoking_user() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment
    if (const char* sudo = std::getenv("SUDO_USER"); ::getuid() == 0 && sudo != nullptr && *sudo != '\0')
        return printable(sudo, 64);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread
    if (const passwd* user = ::getpwuid(::getuid()); user != nullptr) return user->pw_name;
    return std::to_string(::getuid());
}

Result<void> become_nobody() {
    if (::geteuid() != 0) return {};
    const passwd* nobody = ::getpwnam("nobody");  // NOLINT(concurrency-mt-unsafe): before any thread
    if (nobody == nullptr) return fail(ExitCode::cannot_write, "there is no user nobody to become");
    if (::setgroups(0, nullptr) != 0 || ::setgid(nobody->pw_gid) != 0 || ::setuid(nobody->pw_uid) != 0)
        return fail_errno(ExitCode::cannot_write, "cannot become", "nobody", errno);
    return {};
}

}  // namespace postcensus
