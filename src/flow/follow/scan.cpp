// SPDX-License-Identifier: MIT
#include "flow/follow/scan.h"

#include <cstdint>
#include <optional>

#include "flow/follow/event_lines.h"
#include "mail/log_beginning.h"

namespace postcensus::flow {
namespace {

constexpr std::uint64_t kProgressBytes = 16UL * 1024 * 1024;

// One log, read once.
class LogScan {
  public:
    // `whole`: the years of the log, if it was read before.
    LogScan(maillog::OldLog& log, const ScanOptions& options, census::Scan& scan, Time now,
            const mail::LogYears& whole = {})
        : log_(log),
          options_(options),
          scan_(scan),
          newest_(log.written().value_or(now)),
          calendar_(newest_, whole) {}

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
                if (lines == 0) saw_line(found.first_line);
                for (const EventLines::Line& line : found.lines)
                    line.number == 0 ? saw_line(found.view(line)) : take(found.view(line), line.number);
                last_line = found.last_line;
                lines += found.newlines;
                bytes += found.bytes;
                if (options_.on_progress && found.taken >= next_progress) {
                    options_.on_progress({log_.name(), log_.size(), found.taken});
                    next_progress = found.taken + kProgressBytes;
                }
            }
        }
        saw_line(last_line);
        // Only now it is known of which year the first line was.
        mail::LogCalendar known(newest_, years_);
        for (const std::optional<Yearless>& one : {earliest_, latest_})
            if (one) scan_.saw(known.place(one->time, one->year));
        for (std::uint64_t i = 0; i < log_.overlong(); ++i) scan_.drop(mail::Dropped::cut);
        scan_.add_file(lines, bytes);
        return whole;
    }

    const mail::LogYears& years() const { return years_; }

  private:
    struct Yearless {
        mail::LogTime time;
        int year = 0;  // as LogYears counts it
        // Seconds, of months with 31 days: for a comparison.
        std::int64_t place = 0;
    };

    void take(std::string_view line, std::int64_t number) {
        const auto result = mail::read_marked_line(line, options_.syslog_names);
        if (result.dropped) scan_.drop(*result.dropped, line);
        if (!result.event) return;
        scan_.take(*result.event);
        saw(result.event->at);
        if (!options_.on_event) return;
        const Time at = calendar_.place(result.event->at);
        if (scan_.counts(result.event->recipient.domain()))
            options_.on_event(*result.event, at, log_.name(), number);
    }

    void saw_line(std::string_view line) {
        const auto time = mail::time_of_line(line);
        if (!time) return;
        saw(*time);
        if (!time->exact && !time->year && options_.on_event) calendar_.place(*time);
    }

    void saw(const mail::LogTime& time) {
        if (time.exact || time.year) return scan_.saw(calendar_.place(time));
        const int year = years_.place(time);
        const std::int64_t place = (year * 400LL + time.month * 31 + time.day) * 86'400 + time.clock.count();
        if (!earliest_ || place < earliest_->place) earliest_ = Yearless{time, year, place};
        if (!latest_ || place > latest_->place) latest_ = Yearless{time, year, place};
    }

    maillog::OldLog& log_;
    const ScanOptions& options_;
    census::Scan& scan_;
    Time newest_;
    mail::LogCalendar calendar_;
    mail::LogYears years_;
    std::optional<Yearless> earliest_, latest_;
};

}  // namespace

Scanned scan_logs(std::vector<maillog::OldLog>& logs, const ScanOptions& options, Time now) {
    ScanOptions looking = options;
    // Which domains are ours, and of which year the first line is, shows only at the end, so the events are
    // for a second look; of a pipe there is none.
    std::optional<census::Scan> known;
    std::vector<mail::LogYears> years(logs.size());
    bool again = static_cast<bool>(options.on_event);
    for (maillog::OldLog& log : logs) again = again && log.rewind();
    if (again) {
        known.emplace(options.relayed);
        looking.on_event = {};
        for (std::size_t i = 0; i < logs.size(); ++i) {
            LogScan scan(logs[i], looking, *known, now);
            static_cast<void>(scan.read());  // fails again below
            years[i] = scan.years();
            logs[i].rewind();
        }
        looking = options;
        if (!options.relayed)
            looking.relayed = [&known](std::string_view domain) { return known->counts(domain); };
    }
    census::Scan scan(looking.relayed);
    Scanned scanned;
    for (std::size_t i = 0; i < logs.size(); ++i)
        if (auto read = LogScan(logs[i], looking, scan, now, years[i]).read(); !read)
            scanned.failures.push_back(read.error());
    scanned.report = scan.report();
    scanned.report.unread = static_cast<std::int64_t>(scanned.failures.size());
    return scanned;
}

}  // namespace postcensus::flow
