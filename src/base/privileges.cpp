// SPDX-License-Identifier: MIT
#include "base/privileges.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/file.h"
#include "base/printable.h"

namespace postcensus {

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
        return fail(ExitCode::cannot_write, describe_errno("cannot become the owner of", folder, errno));
    return {};
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
        return fail(ExitCode::cannot_write, describe_errno("cannot become", "nobody", errno));
    return {};
}

}  // namespace postcensus
