// SPDX-License-Identifier: MIT
#include "tasks/scan.h"

#include <optional>

#include "mail/block_search.h"

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
        std::uint64_t next_progress = 0;
        for (;;) {
            auto block = log_.next();
            if (!block) whole = fail(block.error());
            if (!block || block->empty()) break;
            take(*block);
            if (options_.on_progress && log_.taken() >= next_progress) {
                options_.on_progress(log_);
                next_progress = log_.taken() + kProgressBytes;
            }
        }
        saw(last_line_);
        for (std::uint64_t i = 0; i < log_.overlong(); ++i) scan_.drop(mail::Dropped::cut);
        scan_.add_file(lines_, bytes_);
        return whole;
    }

  private:
    void take(std::string_view block) {
        if (lines_ == 0) saw(block.substr(0, block.find('\n')));
        const char* counted = block.data();
        mail::find_event_lines(block, [&](std::string_view line) {
            const auto result = mail::read_line(line, options_.syslog_names);
            if (result.dropped) scan_.drop(*result.dropped);
            if (!result.event) return;
            lines_ += static_cast<std::int64_t>(
                mail::count_newlines({counted, static_cast<std::size_t>(line.data() - counted)}));
            counted = line.data();
            take(*result.event);
        });
        lines_ += static_cast<std::int64_t>(
            mail::count_newlines({counted, static_cast<std::size_t>(block.data() + block.size() - counted)}));
        bytes_ += static_cast<std::int64_t>(block.size());
        const std::size_t before = block.rfind('\n', block.size() - 2);
        last_line_ = block.substr(before == std::string_view::npos ? 0 : before + 1);
    }

    void take(const mail::LogEvent& event) {
        scan_.take(event);
        const Time at = calendar_.place(event.at);
        scan_.saw(at);
        if (options_.on_event && scan_.counts(event.recipient.domain()))
            options_.on_event(event, at, lines_ + 1);
    }

    void saw(std::string_view line) {
        if (const auto time = mail::take_log_time(line)) scan_.saw(calendar_.place(*time));
    }

    maillog::OldLog& log_;
    const ScanOptions& options_;
    census::Scan& scan_;
    mail::LogCalendar calendar_;
    std::int64_t lines_ = 0, bytes_ = 0;  // before the line at hand
    std::string last_line_;
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
