// SPDX-License-Identifier: MIT
#include "maillog/journal_tail.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace postcensus::maillog {
namespace {

// Four times what Postfix writes at most; libsystemd cuts what is longer.
constexpr std::size_t kLongestMessage = 8192;
// The mark of one who has seen that there is nothing yet.
constexpr const char* kHead = "head";

tl::unexpected<Failure> failed(const char* what, int result) {
    return fail(ExitCode::unavailable,
                fmt::format("cannot {} the journal: {}; is this user in the group systemd-journal?", what,
                            std::strerror(-result)));  // NOLINT(concurrency-mt-unsafe): glibc's is safe
}

std::string_view field(sd_journal* journal, const char* name) {
    const void* data = nullptr;
    std::size_t size = 0;
    if (::sd_journal_get_data(journal, name, &data, &size) < 0) return {};
    const std::string_view whole(static_cast<const char*>(data), size);
    return whole.substr(std::min(whole.size(), std::strlen(name) + 1));
}

// Whether a file or folder of the journal is there that this user may not read.
bool holds_unreadable(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> places{folder};
    if (folder.empty()) places = {"/var/log/journal", "/run/log/journal"};
    for (const auto& place : places) {
        std::error_code error;
        for (auto entry = std::filesystem::recursive_directory_iterator(place, error);
             !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error))
            if (entry->path().extension() == ".journal" && ::access(entry->path().c_str(), R_OK) != 0)
                return true;
        if (error == std::errc::permission_denied) return true;
    }
    return false;
}

bool is_postfix_unit(std::string_view unit) {
    constexpr std::string_view kName = "postfix";
    return unit.starts_with(kName) && unit.ends_with(".service") &&
           std::string_view(".@-").find(unit[kName.size()]) != std::string_view::npos;
}

std::optional<std::uint64_t> realtime_of(const std::string& cursor) {
    const std::size_t at = cursor.find(";t=");
    if (at == std::string::npos) return std::nullopt;
    std::uint64_t microseconds = 0;
    const char* from = cursor.data() + at + 3;
    const auto [end, error] = std::from_chars(from, cursor.data() + cursor.size(), microseconds, 16);
    return error == std::errc{} && end != from ? std::optional(microseconds) : std::nullopt;
}

}  // namespace

void JournalTail::Close::operator()(sd_journal* journal) const {
    ::sd_journal_close(journal);
}

Result<std::unique_ptr<sd_journal, JournalTail::Close>> JournalTail::open_journal(
    const std::filesystem::path& folder) {
    sd_journal* raw = nullptr;
    const int opened = folder.empty() ? ::sd_journal_open(&raw, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM)
                                      : ::sd_journal_open_directory(&raw, folder.c_str(), 0);
    if (opened < 0) return failed("open", opened);
    std::unique_ptr<sd_journal, Close> journal(raw);
    // libsystemd passes over files that it may not read, and what is left looks like an empty journal.
    std::uint64_t bytes = 0;
    if (::sd_journal_get_usage(raw, &bytes) >= 0 && bytes == 0 && holds_unreadable(folder))
        return failed("read", -EACCES);
    ::sd_journal_set_data_threshold(raw, kLongestMessage + 64);
    // Matches of one field are alternatives. The unit has no fixed name, so it is looked at with each entry.
    for (const char* match : {"_COMM=smtpd", "_COMM=smtp", "_COMM=lmtp"})
        if (const int added = ::sd_journal_add_match(raw, match, 0); added < 0)
            return failed("search", added);
    return journal;
}

JournalTail::JournalTail(std::unique_ptr<sd_journal, Close> journal, std::vector<std::string> syslog_names,
                         std::optional<std::string> mark)
    : journal_(std::move(journal)), syslog_names_(std::move(syslog_names)), resume_(mark.has_value()) {
    if (mark && *mark != kHead) mark_ = *std::move(mark);
}

Result<std::unique_ptr<JournalTail>> JournalTail::open(const std::filesystem::path& folder,
                                                       const std::vector<std::string>& syslog_names,
                                                       std::optional<std::string> mark) {
    auto journal = open_journal(folder);
    if (!journal) return fail(journal.error());
    std::unique_ptr<JournalTail> tail(new JournalTail(*std::move(journal), syslog_names, std::move(mark)));
    // From here on the descriptor tells of what is new.
    if (const int fd = ::sd_journal_get_fd(tail->journal_.get()); fd < 0) return failed("watch", fd);
    return tail;
}

std::optional<Time> JournalTail::newest(const std::vector<std::string>& syslog_names) {
    auto journal = open_journal({});
    if (!journal) return std::nullopt;
    JournalTail tail(*std::move(journal), syslog_names, {});
    if (::sd_journal_seek_tail(tail.journal_.get()) < 0) return std::nullopt;
    for (int looks = 0; looks < 1000 && ::sd_journal_previous(tail.journal_.get()) > 0; ++looks)
        if (const auto line = tail.line(); line && *line) return tail.time();
    return std::nullopt;
}

bool JournalTail::is_written() {
    auto journal = open_journal({});
    if (!journal) return false;
    ::sd_journal_flush_matches(journal->get());
    return ::sd_journal_seek_tail(journal->get()) >= 0 && ::sd_journal_previous(journal->get()) > 0;
}

std::optional<Time> JournalTail::time() const {
    std::uint64_t microseconds = 0;
    if (::sd_journal_get_realtime_usec(journal_.get(), &microseconds) < 0) return std::nullopt;
    return from_unix_ms(static_cast<std::int64_t>(microseconds / 1000));
}

// The entry at hand; nothing if it is none of ours. An entry with a newline in it is no line of Postfix.
Result<std::optional<std::string>> JournalTail::line() const {
    sd_journal* journal = journal_.get();
    const auto at = time();
    const std::string tag(field(journal, "SYSLOG_IDENTIFIER"));
    const bool named = std::any_of(syslog_names_.begin(), syslog_names_.end(),
                                   [&tag](const std::string& name) { return tag.starts_with(name); });
    if (!at || !named || tag.find_first_of(" \n:[") != std::string::npos ||
        !is_postfix_unit(field(journal, "_SYSTEMD_UNIT")))
        return std::optional<std::string>{};
    const std::string pid(field(journal, "_PID"));
    const std::string host(field(journal, "_HOSTNAME"));
    const std::string_view message = field(journal, "MESSAGE");
    if (message.find('\n') != std::string_view::npos) return std::optional<std::string>{};
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*at);
    return std::optional(fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z {} {}[{}]: {}", fmt::gmtime(seconds),
                                     (*at - seconds).count(), host.empty() ? "localhost" : host, tag,
                                     pid.empty() ? "0" : pid, message));
}

Result<void> JournalTail::seek_end() {
    mark_.clear();
    if (const int sought = ::sd_journal_seek_tail(journal_.get()); sought < 0) return failed("read", sought);
    const int last = ::sd_journal_previous(journal_.get());
    if (last < 0) return failed("read", last);
    if (last == 0) {
        // Nothing of Postfix yet: what comes is read from the beginning.
        const int sought = ::sd_journal_seek_head(journal_.get());
        return sought < 0 ? failed("read", sought) : Result<void>{};
    }
    char* cursor = nullptr;
    if (const int got = ::sd_journal_get_cursor(journal_.get(), &cursor); got < 0) return failed("read", got);
    mark_ = cursor;
    std::free(cursor);  // NOLINT(cppcoreguidelines-no-malloc): libsystemd's
    return {};
}

Result<void> JournalTail::resume(const std::string& cursor) {
    const int sought = ::sd_journal_seek_cursor(journal_.get(), cursor.c_str());
    const int next = sought < 0 ? sought : ::sd_journal_next(journal_.get());
    if (next < 0 && next != -EINVAL) return failed("read", next);
    if (next > 0 && ::sd_journal_test_cursor(journal_.get(), cursor.c_str()) > 0) return {};
    const std::string gone = "the journal does not have the place any more where reading stopped";
    if (next > 0) {
        lost_ = gone + ": lines in between may be lost";
        at_unread_ = true;
        return {};
    }
    // Nothing is at or behind that place. If what is there is older, the clock was set back; where nothing is
    // there, all was dropped.
    if (auto ended = seek_end(); !ended) return ended;
    const auto then = realtime_of(cursor);
    const auto last = realtime_of(mark_);
    lost_ = gone + (then && last && *last < *then
                        ? ", and its last line is older (was the clock set back?): lines may be lost"
                        : ": lines may be lost");
    return {};
}

Result<void> JournalTail::start() {
    Result<void> begun;
    if (!resume_) {
        begun = seek_end();
    } else if (mark_.empty()) {
        if (const int sought = ::sd_journal_seek_head(journal_.get()); sought < 0)
            begun = failed("read", sought);
    } else {
        begun = resume(std::string(mark_));
    }
    if (begun) started_ = true;
    return begun;
}

Result<Batch> JournalTail::poll(std::size_t most_lines) {
    if (!started_)
        if (auto started = start(); !started) return fail(started.error());
    Batch batch;
    bool moved = false;
    int result = 0;
    // Entries of others count, too: a poll never takes long, whatever the journal holds.
    for (std::size_t entries = 0;; ++entries) {
        if (entries >= 10 * most_lines || batch.lines.size() >= most_lines) {
            batch.more = true;
            break;
        }
        result = std::exchange(at_unread_, false) ? 1 : ::sd_journal_next(journal_.get());
        if (result <= 0) break;
        moved = true;
        auto read = line();
        if (!read) return fail(read.error());
        if (!*read) continue;
        if ((*read)->size() > kLongestMessage)
            ++batch.overlong;
        else
            batch.lines.push_back(**std::move(read));
    }
    if (moved) {
        // At the end of the journal the place is still that of the last entry.
        char* cursor = nullptr;
        if (::sd_journal_get_cursor(journal_.get(), &cursor) >= 0) {
            mark_ = cursor;
            std::free(cursor);  // NOLINT(cppcoreguidelines-no-malloc): libsystemd's
        }
    }
    if (result < 0 && batch.lines.empty()) return failed("read", result);
    batch.mark = mark_.empty() ? kHead : mark_;
    batch.lost = std::exchange(lost_, {});
    return batch;
}

int JournalTail::watch_fd() const {
    return ::sd_journal_get_fd(journal_.get());
}

void JournalTail::clear() {
    ::sd_journal_process(journal_.get());
}

}  // namespace postcensus::maillog
