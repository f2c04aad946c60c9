// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/duration.h"
#include "base/printable.h"
#include "maillog/journal_tail.h"
#include "postfix/check_main_cf.h"
#include "tasks/check_parts.h"
#include "tasks/follow_log.h"

namespace postcensus::tasks {
namespace {

using namespace std::chrono_literals;

constexpr const char* kLogArea = "log";
constexpr auto kStaleLog = 24h;

std::string age_of(Time at, Time now) {
    return spell_duration(std::max(now - at, Milliseconds(0)));
}

void check_file(const std::filesystem::path& path, const CheckScene& scene, const Tell& tell) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
        tell(Finding::fail(kLogArea, path.string(), "is not there: nothing can be followed",
                           "postconf maillog_file\n# then [log] path, or source = journal"));
        return;
    }
    if (::access(path.c_str(), R_OK) != 0) {
        tell(Finding::fail(
            kLogArea, path.string(),
            fmt::format("the user {} cannot read it: {}", own_user(), std::generic_category().message(errno)),
            fmt::format("adduser {} adm\n# or the group of the file; then restart the service", own_user())));
        return;
    }
    const auto written = std::filesystem::last_write_time(path, error);
    const Time at = std::chrono::time_point_cast<Milliseconds>(std::chrono::file_clock::to_sys(written));
    if (!error && scene.now - at > kStaleLog)
        tell(Finding::warn(
            kLogArea, path.string(),
            fmt::format("its last line came {} ago: does Postfix still write there?", age_of(at, scene.now)),
            "postconf maillog_file\nsystemctl status rsyslog\n# or [log] source = journal"));
    else
        tell(Finding::ok(kLogArea, path.string(),
                         fmt::format("can be read; last written {} ago", age_of(at, scene.now))));
}

// Whether journald.conf(5), or a file beside it, sets the limit that drops messages.
bool sets_rate_limit() {
    std::vector<std::filesystem::path> files{"/etc/systemd/journald.conf"};
    std::error_code error;
    for (const char* folder : {"/etc/systemd/journald.conf.d", "/usr/lib/systemd/journald.conf.d"})
        for (const auto& entry : std::filesystem::directory_iterator(folder, error))
            files.push_back(entry.path());
    for (const std::filesystem::path& path : files) {
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);)
            if (line.starts_with("RateLimitBurst=") || line.starts_with("RateLimitIntervalSec=")) return true;
    }
    return false;
}

void check_journal(const std::filesystem::path& folder, const CheckScene& scene, const Tell& tell) {
    const auto& names = scene.configuration.log.syslog_names;
    auto journal = maillog::JournalTail::open(folder, names, {});
    if (!journal) {
        tell(
            Finding::fail(kLogArea, "journal", journal.error().message,
                          fmt::format("adduser {} systemd-journal\n# then restart the service", own_user())));
        return;
    }
    if (folder.empty()) {
        const auto newest = maillog::JournalTail::newest(names);
        if (!newest || scene.now - *newest > kStaleLog)
            tell(Finding::warn(
                kLogArea, "journal",
                newest ? fmt::format("its last line of Postfix came {} ago", age_of(*newest, scene.now))
                       : std::string("has no line of Postfix"),
                "journalctl -n 5 -t postfix/smtpd\n# or [log] source = file, if Postfix writes one"));
        else
            tell(Finding::ok(
                kLogArea, "journal",
                fmt::format("can be read; last line of Postfix {} ago", age_of(*newest, scene.now))));
    } else {
        tell(Finding::ok(kLogArea, "journal", "can be read in " + folder.string()));
    }
    if (!sets_rate_limit())
        tell(Finding::ok(kLogArea, "RateLimitBurst",
                         "journald drops what a service writes beyond 10000 messages in 30 s; on a busy "
                         "gateway set RateLimitBurst=0 in /etc/systemd/journald.conf"));
}

}  // namespace

void check_log(const CheckScene& scene, const Tell& tell) {
    const auto& snapshot = scene.postfix.get();
    auto place = find_log(scene.configuration);
    if (!place) {
        tell(Finding::fail(kLogArea, "source", place.error().message, "[log]\nsource = file"));
        return;
    }
    const bool journal = place->kind == maillog::SourceKind::journal;
    if (journal)
        check_journal(place->path, scene, tell);
    else
        check_file(place->path, scene, tell);
    if (!snapshot) return;
    if (const std::string file = snapshot->value("maillog_file");
        !file.empty() && (journal || place->path != file))
        tell(Finding::warn(kLogArea, "maillog_file",
                           fmt::format("Postfix writes its log to {}, and [log] follows {}",
                                       postfix::shown(file), journal ? "the journal" : place->path.string()),
                           fmt::format("[log]\nsource = file\npath = {}", postfix::shown(file))));
    tell_all(tell, postfix::check_syslog_names(*snapshot, scene.configuration.log.syslog_names));
}

}  // namespace postcensus::tasks
