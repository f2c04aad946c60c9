// SPDX-License-Identifier: MIT
#include "flow/follow/follow_log.h"

#include <spdlog/spdlog.h>
#include <system_error>

#include "base/printable.h"
#include "maillog/file_tail.h"
#include "maillog/journal_tail.h"
#include "store/history.h"

namespace postcensus::flow {
namespace {

using namespace std::chrono_literals;

// How much newer the journal's last line must be before a log file counts as one that nobody writes any more.
constexpr auto kAbandoned = 10min;

// How long what has time may wait to be stored: together with what comes behind it.
constexpr auto kStoreRest = 1s;
constexpr auto kMarkRest = 10s;  // the mark alone: lines without a word for us are soon read again
constexpr std::size_t kMostUnstored = 20'000;  // lines
constexpr auto kSameMiss = 10s;                // of one recipient by one client
constexpr auto kClockAhead = 1min;             // clocks differ a little
constexpr std::size_t kMostStrangeDomains = 100;
// Strangers' words may stand in what is not understood: so much of it is looked at, and so many forms are
// said.
constexpr std::size_t kFormBytes = 32;
constexpr std::size_t kMostForms = 8;
constexpr std::size_t kMostHarvests = 100;  // networks that are named, of what is stored together

// Of a line that is not understood: its beginning, without what differs from line to line.
std::string form_of(const std::string& line) {
    std::string form;
    for (const char byte : std::string_view(line).substr(0, kFormBytes)) {
        const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        const char kind = letter ? 'a' : byte >= '0' && byte <= '9' ? '0' : byte;
        if ((kind != 'a' && kind != '0') || form.empty() || form.back() != kind) form += kind;
    }
    return form;
}

std::optional<Time> last_write(const std::filesystem::path& path) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(path, error);
    if (error) return std::nullopt;
    return std::chrono::time_point_cast<Milliseconds>(std::chrono::file_clock::to_sys(time));
}

// "ex1.corp.example" of "ex1.corp.example[192.0.2.10]:25", written as a target is.
std::string host_name(const std::string& host) {
    const std::string name = mail::fold(host.substr(0, host.find('[')));
    return name.find(':') == std::string::npos ? name : "[" + name + "]";
}

}  // namespace

LogFollower::Unstored::Unstored() = default;

Result<LogPlace> find_log(const config::Configuration& configuration) {
    const maillog::Settings& log = configuration.log;
    if (log.source == maillog::SourceKind::file) return LogPlace{log.source, log.path};
    if (log.source == maillog::SourceKind::journal) {
        std::error_code ignored;
        const bool folder = std::filesystem::is_directory(log.path, ignored);
        return LogPlace{log.source, folder ? log.path : std::filesystem::path{}};
    }
    auto values = postfix::read_parameters(configuration.postfix.config_dir, {"maillog_file"});
    if (!values) return fail(values.error());
    if (const std::string file = (*values)["maillog_file"]; !file.empty())
        return LogPlace{maillog::SourceKind::file, file};
    const auto written = last_write(log.path);
    const auto newest = maillog::JournalTail::newest(log.syslog_names);
    // After a start nothing may have come in yet, and a volatile journal has nothing of before.
    const bool journal =
        written ? newest && *written + kAbandoned < *newest : newest || maillog::JournalTail::is_written();
    if (journal) return LogPlace{maillog::SourceKind::journal, {}};
    return LogPlace{maillog::SourceKind::file, log.path};
}

std::string name_of(const LogPlace& place) {
    if (place.kind == maillog::SourceKind::file) return place.path.string();
    return "the journal" + (place.path.empty() ? "" : " in " + place.path.string());
}

LogFollower::LogFollower(const config::Configuration& configuration, census::Admission& admission,
                         LogPlace place, std::unique_ptr<maillog::LogSource> source, std::string mark_key)
    : configuration_(configuration),
      place_(std::move(place)),
      name_(name_of(place_)),
      source_(std::move(source)),
      mark_key_(std::move(mark_key)),
      admission_(admission) {}

Result<std::unique_ptr<LogFollower>> LogFollower::open(const config::Configuration& configuration,
                                                       store::Database& state, census::Admission& admission) {
    auto place = find_log(configuration);
    if (!place) return fail(place.error());
    const bool journal = place->kind == maillog::SourceKind::journal;
    const std::string name = name_of(*place);
    const std::string key = (journal ? "journal:" : "file:") + place->path.string();
    auto mark = state.read([&](SQLite::Database& db) { return store::load_mark(db, key); });
    if (!mark) return fail(mark.error());
    std::unique_ptr<maillog::LogSource> source;
    if (journal) {
        auto opened = maillog::JournalTail::open(place->path, configuration.log.syslog_names, *mark);
        if (!opened) return fail(opened.error());
        source = *std::move(opened);
    } else {
        std::optional<maillog::Mark> place_in_file;
        if (*mark) place_in_file = maillog::Mark::parse(**mark);
        source = std::make_unique<maillog::FileTail>(place->path, place_in_file);
    }
    if (!source->present()) spdlog::warn("the log {} is not there yet; waiting for it", name);
    spdlog::info("following {}{}", name, *mark ? ", from where it was left" : "");
    std::unique_ptr<LogFollower> follower(
        new LogFollower(configuration, admission, *place, std::move(source), key));
    follower->saved_mark_ = mark->value_or("");
    // The turns go on where they were.
    auto turns = state.read([](SQLite::Database& db) { return store::first_turns(db); });
    if (!turns) return fail(turns.error());
    for (const auto& [domain, turn] : *turns) admission.note_taken(domain, turn);
    if (auto known = follower->know_queue(state); !known) return fail(known.error());
    return follower;
}

Result<void> LogFollower::know_queue(store::Database& state) {
    auto queue = state.read([](SQLite::Database& db) { return store::miss_queue(db); });
    if (!queue) return fail(queue.error());
    admission_.note_queue(queue->size, queue->fullest, queue->last);
    return {};
}

void LogFollower::take_event(const mail::LogEvent& event, Time at, Milliseconds age) {
    Unstored& unstored = *unstored_;
    const std::string_view domain = event.recipient.domain();
    const config::Route* route = configuration_.route_of(domain);
    if (event.kind == mail::EventKind::miss) {
        unstored.counts["misses"] += static_cast<std::size_t>(event.times);
        if (route == nullptr) {
            ++unstored.counts["misses-without-route"];
            if (strange_domains_.size() < kMostStrangeDomains) strange_domains_.emplace(domain);
        } else if (!event.recipient.fits_table()) {
            ++unstored.counts["lines-invalid"];
        } else if (const auto place =
                       admission_.admit(event.recipient, event.client, census::Admission::Clock::now())) {
            const store::Step first = !configuration_.directories.empty() ? store::Step::look_up
                                      : route->asks()                     ? store::Step::call_out
                                                                          : store::Step::waits;
            const bool counts = age <= route->policy.unknown_expire;
            if (!counts) ++unstored.counts["misses-old"];
            // One that is repeated at once is the same miss; it is counted, and not stored again.
            const auto [last, is_new] =
                unstored.last_missed.emplace(std::pair(event.recipient, event.client), at);
            if (!is_new && at - last->second < kSameMiss) return;
            last->second = at;
            unstored.misses.push_back({event.recipient, event.client, at, first, *place, counts, age,
                                       route->policy.unknown_expire});
        } else {
            unstored.counts["misses-suppressed"] += static_cast<std::size_t>(event.times);
            const std::string network = census::spell_network_of(event.client);
            if (unstored.harvests.size() < kMostHarvests || unstored.harvests.contains(network))
                unstored.harvests[network] += static_cast<std::size_t>(event.times);
        }
        return;
    }
    if (event.kind == mail::EventKind::bounced) return take_bounce(event, at);
    if (route == nullptr) return;
    if (event.kind == mail::EventKind::asked) {
        unstored.counts["asked"] += static_cast<std::size_t>(event.times);
        unstored.asked.insert_or_assign(event.recipient, store::StoredAsk{event.recipient, at});
    } else {
        unstored.counts["deliveries"] += static_cast<std::size_t>(event.times);
        if (route->asks())
            unstored.deliveries.insert_or_assign(std::pair(event.recipient, host_name(event.host)),
                                                 store::StoredDelivery{event.recipient, host_name(event.host),
                                                                       at, route->deliverable_refresh});
    }
}

std::vector<std::string> LogFollower::take_strange_domains() {
    std::vector<std::string> domains(strange_domains_.begin(), strange_domains_.end());
    strange_domains_.clear();
    return domains;
}

// What Postfix accepted may be the address before it was rewritten.
void LogFollower::take_bounce(const mail::LogEvent& event, Time at) {
    bool ours = false;
    for (const std::optional<mail::Address>& one : {std::optional(event.recipient), event.original}) {
        const config::Route* route = one ? configuration_.route_of(one->domain()) : nullptr;
        if (route == nullptr) continue;
        ours = true;
        unstored_->bounces.push_back({*one, event.host, event.reply, at, route->asks()});
    }
    if (!ours) return;
    ++unstored_->counts["bounces"];
    spdlog::info("bounced at {}: {}: {}", event.host, event.recipient.external(), event.reply);
}

// A log that cannot be read must not look like one without misses. Said once for each form, and counted.
void LogFollower::take_strange(const std::string& line) {
    ++unstored_->counts["lines-not-understood"];
    unstored_->strange_line = printable(line);
    if (strange_forms_.size() >= kMostForms || !strange_forms_.insert(form_of(line)).second) return;
    spdlog::warn(
        "{}: a line looks like one of Postfix's and is not understood, so nothing is learned from it: {} "
        "(lines of this form are only counted from here on; see operations.md, What the log says)",
        name_, unstored_->strange_line);
}

void LogFollower::take_batch(const maillog::Batch& batch, Time now) {
    if (!unstored_) {
        unstored_.emplace();
        unstored_->since = std::chrono::steady_clock::now();
    }
    Unstored& unstored = *unstored_;
    unstored.mark = batch.mark;
    unstored.lines += batch.lines.size();
    if (batch.overlong > 0) unstored.counts["lines-cut"] += batch.overlong;
    if (!batch.lost.empty()) ++unstored.counts["log-gaps"];
    mail::LogCalendar calendar(now);
    for (const std::string& line : batch.lines) {
        const mail::LineResult result = mail::read_line(line, configuration_.log.syslog_names);
        if (result.dropped == mail::Dropped::hostile) ++unstored.counts["lines-hostile"];
        if (result.dropped == mail::Dropped::cut) ++unstored.counts["lines-cut"];
        if (result.dropped == mail::Dropped::invalid) ++unstored.counts["lines-invalid"];
        if (result.dropped == mail::Dropped::strange) take_strange(line);
        if (!result.event) continue;
        const Time at = calendar.place(result.event->at);
        // Nobody knows how old a line from the future is: of another year, or of a clock that was wrong.
        const Milliseconds age =
            at > now + kClockAhead ? Milliseconds::max() : std::max<Milliseconds>(now - at, 0ms);
        take_event(*result.event, std::min(at, now), age);
    }
}

// What could not be stored for a while has aged meanwhile, whatever the clock says.
void LogFollower::forget_age() {
    const auto waited = std::chrono::steady_clock::now() - unstored_->since;
    for (store::StoredMiss& miss : unstored_->misses)
        miss.counts = miss.counts && miss.age + waited <= miss.counts_for;
    const auto old = unstored_->counts.find("misses-old");
    if (old != unstored_->counts.end() && !std::exchange(said_old_, true))
        spdlog::info(
            "{}: {} misses are older than unknown-expire: they raise questions, and allow no rejection. If "
            "new lines are taken for old ones, the log is written in another time zone than this one",
            name_, old->second);
}

// Somebody waits for the answer to a miss; the rest has time. Each transaction is a write to the disk.
std::chrono::steady_clock::time_point LogFollower::due() const {
    const Unstored& unstored = *unstored_;
    if (!unstored.misses.empty() || !unstored.bounces.empty() || unstored.lines > kMostUnstored)
        return unstored.since;
    return unstored.since + (unstored.counts.empty() ? kMarkRest : kStoreRest);
}

std::chrono::milliseconds LogFollower::lag() const {
    if (!behind_) return 0ms;
    return std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - caught_up_at_);
}

Result<LogFollower::Step> LogFollower::step(store::Database& state, bool all) {
    auto done = take_step(state, all);
    // What has time, and waits for it, is not late.
    behind_ = !done || done->more;
    if (!behind_) caught_up_at_ = std::chrono::steady_clock::now();
    return done;
}

Result<LogFollower::Step> LogFollower::take_step(store::Database& state, bool all) {
    const Time time = now();
    Step done;
    done.more = write_failed_;  // not looked for this time
    if (!write_failed_) {
        auto batch = source_->poll();
        if (!batch) return fail(batch.error());
        done.more = batch->more;
        const std::string& known = unstored_ ? unstored_->mark : saved_mark_;
        if (!batch->lost.empty()) spdlog::warn("{}: {}", name_, batch->lost);
        if (!batch->lines.empty() || !batch->lost.empty() || batch->overlong > 0 || batch->mark != known)
            take_batch(*batch, time);
    }
    if (!unstored_) return done;
    const auto wait = due() - std::chrono::steady_clock::now();
    if (!all && wait > 0ms) {
        done.rest = std::chrono::ceil<std::chrono::milliseconds>(wait);
        return done;
    }
    forget_age();
    const Unstored& unstored = *unstored_;
    auto stored = state.write([&](store::Writer& writer) {
        store::record_misses(writer, unstored.misses, time);
        if (const std::size_t dropped = store::shorten_queue(writer, census::Admission::kMostQueued))
            store::count(writer, "misses-suppressed", time, static_cast<std::int64_t>(dropped));
        std::vector<store::StoredDelivery> deliveries;
        for (const auto& [address, delivery] : unstored.deliveries) deliveries.push_back(delivery);
        store::renew_proofs(writer, deliveries);
        std::vector<store::StoredAsk> asked;
        for (const auto& [address, one] : unstored.asked) asked.push_back(one);
        store::note_asked(writer, asked);
        for (const auto& [name, number] : unstored.counts)
            store::count(writer, name, time, static_cast<std::int64_t>(number));
        for (const auto& [network, number] : unstored.harvests)
            store::note_harvest(writer, network, time, static_cast<std::int64_t>(number));
        if (!unstored.strange_line.empty()) store::note_strange_line(writer, unstored.strange_line, time);
        if (!store::move_mark(writer, mark_key_, unstored.mark, saved_mark_))
            spdlog::warn("{}: the mark in the state was moved by somebody else; it stays there", name_);
        return store::record_bounces(writer, unstored.bounces, time);
    });
    write_failed_ = !stored;
    if (!stored) return fail(stored.error());
    done.doubted = *stored;
    done.stored_questions = !unstored.misses.empty() || done.doubted;
    for (const store::StoredMiss& miss : unstored.misses)
        spdlog::debug("missed {} (client {})", miss.recipient.external(), miss.client);
    saved_mark_ = unstored.mark;
    const bool missed = !unstored.misses.empty() || unstored.counts.contains("misses-suppressed");
    unstored_.reset();
    if (missed)
        if (auto known = know_queue(state); !known) spdlog::debug("{}", known.error().message);
    return done;
}

}  // namespace postcensus::flow
