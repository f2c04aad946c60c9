// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/duration.h"
#include "base/printable.h"
#include "check/main_cf.h"
#include "check/parts.h"
#include "flow/follow/follow_log.h"
#include "mail/block_search.h"
#include "mail/log_event.h"
#include "maillog/journal_tail.h"
#include "store/history.h"

namespace postcensus::check {
namespace {

using namespace std::chrono_literals;

constexpr const char* kLogArea = "log";
constexpr auto kStaleLog = 24h;
constexpr auto kStrangePatience = 2000ms;  // of a state that is busy

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

constexpr std::size_t kLookedAtBytes = 1024UL * 1024;  // at the end of the log
constexpr std::size_t kLookedAtLines =
    200;  // the last ones that may be events: what was mended counts no more

// The last lines that Postfix may have written, and that are not understood: how many, and one of them.
struct Strange {
    std::size_t lines = 0;
    std::string example;
};

Strange strange_lines(const std::filesystem::path& path, const std::vector<std::string>& names) {
    Strange strange;
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    const auto size = static_cast<std::streamoff>(file.tellg());
    if (!file || size <= 0) return strange;
    const auto from = std::max<std::streamoff>(0, size - static_cast<std::streamoff>(kLookedAtBytes));
    std::string text(static_cast<std::size_t>(size - from), '\0');
    file.seekg(from);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    // Half a line at the beginning is none, nor is one that is being written.
    text.resize(text.rfind('\n') + 1);
    if (from > 0) text.erase(0, text.find('\n') + 1);
    std::deque<std::string_view> last;
    mail::find_event_lines(text, [&last](std::string_view line) {
        last.push_back(line);
        if (last.size() > kLookedAtLines) last.pop_front();
    });
    for (const std::string_view line : last)
        if (mail::read_marked_line(line, names).dropped == mail::Dropped::strange) {
            ++strange.lines;
            strange.example = printable(line);
        }
    return strange;
}

// What `watch` met in the last day, where the end of the log cannot be looked at.
Strange strange_in_state(const CheckScene& scene) {
    auto state = store::Database::open(scene.configuration.state.path, store::Database::Mode::read_only,
                                       kStrangePatience);
    if (!state) return {};  // check_state says so
    const auto line = state->read([](SQLite::Database& db) { return store::load_strange_line(db); });
    if (!line || !*line || scene.now - (*line)->at > kStaleLog) return {};
    return {1, (*line)->line};
}

void check_understood(const flow::LogPlace& place, const CheckScene& scene, const Tell& tell) {
    const bool journal = place.kind == maillog::SourceKind::journal;
    const Strange strange =
        journal ? strange_in_state(scene) : strange_lines(place.path, scene.configuration.log.syslog_names);
    if (strange.lines == 0) return;
    tell(Finding::fail(
        kLogArea, flow::name_of(place),
        fmt::format("{} not understood, so nothing is learned from {}: {}",
                    journal ? "a line of Postfix was"
                    : strange.lines == 1
                        ? "of its last lines one looks like Postfix's and is"
                        : fmt::format("of its last lines {} look like Postfix's and are", strange.lines),
                    strange.lines == 1 ? "it" : "them", strange.example),
        "postconf maillog_file\n# let Postfix or syslog write one of the usual formats (operations.md, What "
        "the log "
        "says),\n# or [log] source = journal"));
}

}  // namespace

void check_log(const CheckScene& scene, const Tell& tell) {
    const auto& snapshot = scene.postfix.get();
    auto place = flow::find_log(scene.configuration);
    if (!place) {
        tell(Finding::fail(kLogArea, "source", place.error().message, "[log]\nsource = file"));
        return;
    }
    const bool journal = place->kind == maillog::SourceKind::journal;
    if (journal)
        check_journal(place->path, scene, tell);
    else
        check_file(place->path, scene, tell);
    check_understood(*place, scene, tell);
    if (!snapshot) return;
    if (const std::string file = snapshot->value("maillog_file");
        !file.empty() && (journal || place->path != file))
        tell(Finding::warn(kLogArea, "maillog_file",
                           fmt::format("Postfix writes its log to {}, and [log] follows {}", shown(file),
                                       journal ? "the journal" : place->path.string()),
                           fmt::format("[log]\nsource = file\npath = {}", shown(file))));
    tell_all(tell, check_syslog_names(*snapshot, scene.configuration.log.syslog_names));
}

}  // namespace postcensus::check
