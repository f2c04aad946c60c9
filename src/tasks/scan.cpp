// SPDX-License-Identifier: MIT
#include "tasks/scan.h"

#include <optional>

#include "tasks/event_lines.h"

namespace postcensus::tasks {
namespace {

constexpr std::uint64_t kProgressBytes = 16UL * 1024 * 1024;

// One log, read once.
class LogScan {
  public:
    LogScan(maillog::OldLog& log, const ScanOptions& options, census::Scan& scan, Time now)
        : log_(log), options_(options), scan_(scan), calendar_(log.written().value_or(now)) {}

    Result<void> read() {
        Result<void> whole;
        std::string last_line;
        std::int64_t lines = 0;
        std::int64_t bytes = 0;
        std::uint64_t next_progress = 0;
        {
            EventLineReader reader(log_);
            for (;;) {
                auto next = reader.next();
                if (!next) whole = fail(next.error());
                if (!next || *next == nullptr) break;
                const EventLines& found = **next;
                if (lines == 0) saw(found.first_line);
                for (const EventLines::Line& line : found.lines) take(found.view(line), line.number);
                last_line = found.last_line;
                lines += found.newlines;
                bytes += found.bytes;
                if (options_.on_progress && found.taken >= next_progress) {
                    options_.on_progress({log_.name(), log_.size(), found.taken});
                    next_progress = found.taken + kProgressBytes;
                }
            }
        }
        saw(last_line);
        for (std::uint64_t i = 0; i < log_.overlong(); ++i) scan_.drop(mail::Dropped::cut);
        scan_.add_file(lines, bytes);
        return whole;
    }

  private:
    void take(std::string_view line, std::int64_t number) {
        const auto result = mail::read_marked_line(line, options_.syslog_names);
        if (result.dropped) scan_.drop(*result.dropped);
        if (!result.event) return;
        scan_.take(*result.event);
        const Time at = calendar_.place(result.event->at);
        scan_.saw(at);
        if (options_.on_event && scan_.counts(result.event->recipient.domain()))
            options_.on_event(*result.event, at, log_.name(), number);
    }

    void saw(std::string_view line) {
        if (const auto time = mail::take_log_time(line)) scan_.saw(calendar_.place(*time));
    }

    maillog::OldLog& log_;
    const ScanOptions& options_;
    census::Scan& scan_;
    mail::LogCalendar calendar_;
};

}  // namespace

Scanned scan_logs(std::vector<maillog::OldLog>& logs, const ScanOptions& options, Time now) {
    ScanOptions looking = options;
    // Which domains are ours shows only at the end, so the events are for a second look; of a pipe there is
    // none.
    std::optional<census::Scan> known;
    if (options.on_event && !options.relayed) {
        bool again = true;
        for (maillog::OldLog& log : logs) again = again && log.rewind();
        if (again) {
            known.emplace();
            looking.on_event = {};
            for (maillog::OldLog& log : logs) {
                static_cast<void>(LogScan(log, looking, *known, now).read());  // fails again below
                log.rewind();
            }
            looking = options;
            looking.relayed = [&known](std::string_view domain) { return known->counts(domain); };
        }
    }
    census::Scan scan(looking.relayed);
    Scanned scanned;
    for (maillog::OldLog& log : logs)
        if (auto read = LogScan(log, looking, scan, now).read(); !read)
            scanned.failures.push_back(read.error());
    scanned.report = scan.report();
    return scanned;
}

}  // namespace postcensus::tasks
