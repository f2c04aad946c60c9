// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/lock_file.h"
#include "base/printable.h"
#include "base/process.h"
#include "postfix/table.h"
#include "tasks/check_parts.h"
#include "tasks/decider.h"

namespace postcensus::tasks {
namespace {

using namespace std::chrono_literals;

constexpr const char* kArea = "service";
constexpr const char* kTimer = "postcensus-failsafe.timer";
constexpr const char* kCronLine =
    "# a line of /etc/cron.d/postcensus:\n* * * * * postcensus /usr/local/sbin/postcensus failsafe";

// "PID DIGEST FILE" in the lock, as the decider wrote it.
void check_configuration(const CheckScene& scene, const std::string& content, const Tell& tell) {
    const std::size_t blank = content.find(' ');
    if (blank == std::string::npos) return;
    std::string rest = content.substr(blank + 1);
    if (!rest.empty() && rest.back() == '\n') rest.pop_back();
    const std::size_t second = rest.find(' ');
    const std::string file = second == std::string::npos ? "" : rest.substr(second + 1);
    if (rest.substr(0, second) == scene.configuration.digest) return;
    if (file != scene.configuration.file.string())
        tell(Finding::warn(kArea, "watch",
                           fmt::format("has another configuration than {}: {}",
                                       scene.configuration.file.string(), printable(file)),
                           fmt::format("postcensus --config {} check", printable(file))));
    else
        tell(Finding::warn(kArea, "watch", fmt::format("runs with what {} was before it was changed", file),
                           "systemctl reload postcensus"));
}

void check_watch(const CheckScene& scene, const Tell& tell) {
    auto holder = LockFile::holder(lock_path(scene.configuration));
    if (!holder) {
        tell(Finding::warn(kArea, "watch", holder.error().message, "systemctl status postcensus"));
        return;
    }
    if (*holder && is_watch((*holder)->pid)) {
        tell(Finding::ok(kArea, "watch", fmt::format("runs (process {})", (*holder)->pid)));
        check_configuration(scene, (*holder)->content, tell);
        return;
    }
    std::error_code ignored;
    const bool published = std::filesystem::exists(scene.configuration.postfix.maps / "directory", ignored);
    const std::string words = "does not run: nobody follows the log, asks, or withdraws a rejection";
    const std::string remedy = "systemctl enable --now postcensus";
    tell(published ? Finding::fail(kArea, "watch", words, remedy)
                   : Finding::warn(kArea, "watch", words, "postcensus sync\n" + remedy));
}

// Whether some line of cron's calls failsafe.
bool cron_calls_failsafe() {
    std::vector<std::filesystem::path> files{"/etc/crontab"};
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/etc/cron.d", error))
        files.push_back(entry.path());
    return std::any_of(files.begin(), files.end(), [](const std::filesystem::path& path) {
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);)
            if (!line.starts_with('#') && line.find("postcensus") != std::string::npos &&
                line.find("failsafe") != std::string::npos)
                return true;
        return false;
    });
}

void check_timer(const Tell& tell) {
    std::error_code ignored;
    const bool systemd = std::filesystem::exists("/run/systemd/system", ignored);
    if (systemd) {
        auto ran = run_process({"systemctl", "is-active", kTimer}, {}, 5s);
        if (ran && ran->status == 0) {
            tell(Finding::ok(kArea, kTimer, "is active"));
            return;
        }
    }
    if (cron_calls_failsafe()) {
        tell(Finding::ok(kArea, "failsafe", "cron calls it"));
        return;
    }
    tell(Finding::warn(kArea, systemd ? kTimer : "failsafe",
                       systemd
                           ? "is not active: should `watch` die, nobody ends its rejections"
                           : "no systemd runs here and no line of cron calls it: should `watch` die, nobody "
                             "ends its rejections",
                       systemd ? fmt::format("systemctl enable --now {}", kTimer) : kCronLine));
}

// What failsafe would empty now: then it does not run.
void check_leases(const CheckScene& scene, const Tell& tell) {
    const postfix::TableFolder tables(scene.configuration.postfix, "lmdb");  // only its texts are read
    for (const char* name : {"unknown", "closed"}) {
        const auto head = tables.head(name);
        if (!head || !head->until || head->counts.empty()) continue;
        // The timer comes once a minute.
        if (*head->until + 2min > scene.now) continue;
        tell(Finding::fail(
            kArea, std::string("table ") + name,
            fmt::format("was good until {} and still has entries: neither `watch` nor failsafe "
                        "tends it",
                        format_time(*head->until)),
            "postcensus failsafe\nsystemctl enable --now postcensus postcensus-failsafe.timer"));
    }
}

}  // namespace

void check_service(const CheckScene& scene, const Tell& tell) {
    check_watch(scene, tell);
    check_timer(tell);
    check_leases(scene, tell);
}

}  // namespace postcensus::tasks
