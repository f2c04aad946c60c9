// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/lock_file.h"
#include "base/printable.h"
#include "base/process.h"
#include "check/parts.h"
#include "flow/publish/decider.h"
#include "postfix/table.h"

namespace postcensus::check {
namespace {

using namespace std::chrono_literals;

constexpr const char* kServiceArea = "service";

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
        tell(Finding::warn(kServiceArea, "watch",
                           fmt::format("has another configuration than {}: {}",
                                       scene.configuration.file.string(), printable(file)),
                           fmt::format("postcensus --config {} check", printable(file))));
    else
        tell(Finding::warn(kServiceArea, "watch",
                           fmt::format("runs with what {} was before it was changed", file),
                           fmt::format("systemctl reload {}", unit_of(scene, "watch"))));
}

void check_watch(const CheckScene& scene, const Tell& tell) {
    auto holder = LockFile::holder(flow::lock_path(scene.configuration));
    if (!holder) {
        tell(Finding::warn(kServiceArea, "watch", holder.error().message,
                           fmt::format("systemctl status {}", unit_of(scene, "watch"))));
        return;
    }
    if (*holder && flow::is_watch((*holder)->pid)) {
        tell(Finding::ok(kServiceArea, "watch", fmt::format("runs (process {})", (*holder)->pid)));
        check_configuration(scene, (*holder)->content, tell);
        return;
    }
    std::error_code ignored;
    const bool published = std::filesystem::exists(scene.configuration.postfix.maps / "directory", ignored);
    const std::string words = "does not run: nobody follows the log, asks, or withdraws a rejection";
    const std::string remedy = fmt::format("systemctl enable --now {}", unit_of(scene, "watch"));
    tell(published ? Finding::fail(kServiceArea, "watch", words, remedy)
                   : Finding::warn(kServiceArea, "watch", words, "postcensus sync\n" + remedy));
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

std::string own_program() {
    std::error_code ignored;
    return std::filesystem::read_symlink("/proc/self/exe", ignored).string();
}

// A line of cron's, for a machine without systemd.
std::string cron_line(const CheckScene& scene) {
    return fmt::format("# a line of /etc/cron.d/postcensus:\n* * * * * {} {} failsafe --maps {}", own_user(),
                       own_program(), scene.configuration.postfix.maps.string());
}

// What the timer calls: a unit of ours names its folder, and knows no configuration.
void check_failsafe(const CheckScene& scene, const std::string& unit, const Tell& tell) {
    auto shown = run_process({"systemctl", "show", "--property=ExecStart,Result", unit}, {}, 5s);
    const std::string said = shown ? shown->output : "";
    const std::filesystem::path& maps = scene.configuration.postfix.maps;
    if (const std::size_t option = said.find(" --maps "); option != std::string::npos) {
        const std::size_t start = option + std::string_view(" --maps ").size();
        const std::filesystem::path tended = said.substr(start, said.find_first_of(" ;\n", start) - start);
        // With a slash at the end both, or neither.
        if ((tended / std::filesystem::path()).lexically_normal() !=
            (maps / std::filesystem::path()).lexically_normal())
            tell(Finding::fail(
                kServiceArea, unit,
                fmt::format("tends {}: should `watch` die, nobody ends the rejections in {}",
                            printable(tended.string()), maps.string()),
                fmt::format("systemctl edit {0}\n[Service]\nExecStart=\nExecStart={1} failsafe --maps {2}\n"
                            "ReadWritePaths={2}",
                            unit, own_program(), maps.string())));
    }
    if (said.find("Result=") != std::string::npos && said.find("Result=success\n") == std::string::npos)
        tell(Finding::fail(kServiceArea, unit,
                           "its last run failed: should `watch` die, nobody ends its rejections",
                           fmt::format("journalctl -u {}", unit)));
}

void check_timer(const CheckScene& scene, const Tell& tell) {
    const std::string unit = unit_of(scene, "failsafe");
    const std::string timer = unit + ".timer";
    std::error_code ignored;
    const bool systemd = std::filesystem::exists("/run/systemd/system", ignored);
    if (systemd) {
        auto ran = run_process({"systemctl", "is-active", timer}, {}, 5s);
        if (ran && ran->status == 0) {
            tell(Finding::ok(kServiceArea, timer, "is active"));
            check_failsafe(scene, unit, tell);
            return;
        }
    }
    if (cron_calls_failsafe()) {
        tell(Finding::ok(kServiceArea, "failsafe", "cron calls it"));
        return;
    }
    tell(Finding::warn(kServiceArea, systemd ? timer : "failsafe",
                       systemd
                           ? "is not active: should `watch` die, nobody ends its rejections"
                           : "no systemd runs here and no line of cron calls it: should `watch` die, nobody "
                             "ends its rejections",
                       systemd ? fmt::format("systemctl enable --now {}", timer) : cron_line(scene)));
}

// What failsafe would empty now: then it does not run.
void check_leases(const CheckScene& scene, const Tell& tell) {
    const postfix::TableFolder tables(scene.configuration.postfix, "lmdb");  // only its texts are read
    for (const char* name : {"unknown", "closed"}) {
        const auto head = tables.head(name);
        if (!head || !head->until || head->counts.empty()) continue;
        // The timer comes once a minute.
        if (*head->until + 2min > scene.now) continue;
        tell(
            Finding::fail(kServiceArea, std::string("table ") + name,
                          fmt::format("was good until {} and still has entries: neither `watch` nor failsafe "
                                      "tends it",
                                      format_time(*head->until)),
                          fmt::format("postcensus failsafe\nsystemctl enable --now {0} {1}.timer",
                                      unit_of(scene, "watch"), unit_of(scene, "failsafe"))));
    }
}

}  // namespace

std::string unit_of(const CheckScene& scene, std::string_view command) {
    const std::filesystem::path& file = scene.configuration.file;
    const std::string unit = fmt::format("postcensus-{}", command);
    const bool instance = file.parent_path() == "/etc/postcensus" && file.filename() != "postcensus.conf" &&
                          file.extension() == ".conf";
    return instance ? fmt::format("{}@{}", unit, file.stem().string()) : unit;
}

void check_service(const CheckScene& scene, const Tell& tell) {
    check_watch(scene, tell);
    check_timer(scene, tell);
    check_leases(scene, tell);
}

}  // namespace postcensus::check
