// SPDX-License-Identifier: MIT
#include "tasks/follow_log.h"

#include <spdlog/spdlog.h>
#include <sys/random.h>

#include "mail/log_event.h"
#include "store/questions.h"

namespace postcensus::tasks {
namespace {

std::uint64_t random_key() {
    std::uint64_t key = 0;
    if (::getrandom(&key, sizeof key, 0) != sizeof key) spdlog::warn("no random key for the budget's tables");
    return key;
}

}  // namespace

LogFollower::Unstored::Unstored() = default;

Result<std::filesystem::path> find_log(const config::Configuration& configuration) {
    if (!configuration.log_from_main_cf) return configuration.log.path;
    auto values = postfix::read_parameters(configuration.postfix.config_dir, {"maillog_file"});
    if (!values) return fail(values.error());
    const std::string file = (*values)["maillog_file"];
    return file.empty() ? configuration.log.path : std::filesystem::path(file);
}

LogFollower::LogFollower(const config::Configuration& configuration, std::filesystem::path path,
                         std::unique_ptr<maillog::FileTail> tail, std::string source)
    : configuration_(configuration),
      path_(std::move(path)),
      tail_(std::move(tail)),
      source_(std::move(source)),
      admission_(configuration.budget, random_key()) {}

Result<std::unique_ptr<LogFollower>> LogFollower::open(const config::Configuration& configuration,
                                                       store::Database& state) {
    auto path = find_log(configuration);
    if (!path) return fail(path.error());
    const std::string source = "file:" + path->string();
    auto stored = state.read([&](SQLite::Database& db) { return store::load_mark(db, source); });
    if (!stored) return fail(stored.error());
    std::optional<maillog::Mark> mark;
    if (*stored) mark = maillog::Mark::parse(**stored);
    auto tail = std::make_unique<maillog::FileTail>(*path, mark);
    if (!tail->file_present()) spdlog::warn("the log {} is not there yet; waiting for it", path->string());
    spdlog::info("following {}{}", path->string(), mark ? ", from where it was left" : "");
    return std::unique_ptr<LogFollower>(new LogFollower(configuration, *path, std::move(tail), source));
}

void LogFollower::take_lines(const maillog::Batch& batch, Time now) {
    Unstored& unstored = unstored_.emplace();
    unstored.batch.mark = batch.mark;
    unstored.batch.lost = batch.lost;
    unstored.cut = batch.overlong;
    for (const std::string& line : batch.lines) {
        const mail::LineResult result = mail::read_line(line, configuration_.log.syslog_names);
        if (result.dropped == mail::Dropped::hostile) ++unstored.hostile;
        if (result.dropped == mail::Dropped::cut) ++unstored.cut;
        if (result.dropped == mail::Dropped::invalid) ++unstored.invalid;
        if (!result.miss) continue;
        const mail::Miss& miss = *result.miss;
        ++unstored.misses;
        if (configuration_.route_of(miss.recipient.domain()) == nullptr) {
            ++unstored.unrouted;
        } else if (!miss.recipient.fits_table()) {
            ++unstored.invalid;
        } else if (!admission_.admit(miss.recipient.domain(), miss.client, census::Admission::Clock::now())) {
            ++unstored.suppressed;
        } else {
            unstored.asked.emplace_back(miss.recipient, miss.client);
            unstored.at.push_back(std::min(miss.at.value_or(now), now));
        }
    }
}

Result<LogFollower::Step> LogFollower::step(store::Database& state) {
    const Time time = now();
    bool more = false;
    if (!unstored_) {
        auto batch = tail_->poll();
        if (!batch) return fail(batch.error());
        more = batch->more;
        if (batch->lines.empty() && batch->lost.empty() && batch->overlong == 0 &&
            batch->mark.text() == saved_mark_)
            return Step{false, more};
        if (!batch->lost.empty()) spdlog::warn("{}: {}", path_.string(), batch->lost);
        take_lines(*batch, time);
    }
    const Unstored& unstored = *unstored_;
    auto stored = state.write([&](store::Writer& writer) {
        std::vector<store::StoredMiss> misses;
        for (std::size_t i = 0; i < unstored.asked.size(); ++i) {
            const config::Route* route = configuration_.route_of(unstored.asked[i].first.domain());
            const bool can_ask = route != nullptr && (route->asks() || !configuration_.directories.empty());
            misses.push_back({unstored.asked[i].first, unstored.asked[i].second, unstored.at[i], can_ask});
        }
        store::record_misses(writer, misses, time);
        const auto count = [&](const char* name, std::size_t number) {
            if (number > 0) store::count(writer, name, time, static_cast<std::int64_t>(number));
        };
        count("misses", unstored.misses);
        count("misses-suppressed", unstored.suppressed);
        count("misses-without-route", unstored.unrouted);
        count("lines-hostile", unstored.hostile);
        count("lines-cut", unstored.cut);
        count("lines-invalid", unstored.invalid);
        count("log-gaps", unstored.batch.lost.empty() ? 0 : 1);
        store::save_mark(writer, source_, unstored.batch.mark.text());
    });
    if (!stored) return fail(stored.error());
    const bool any = !unstored.asked.empty();
    for (const auto& [recipient, client] : unstored.asked)
        spdlog::debug("missed {} (client {})", recipient.external(), client);
    saved_mark_ = unstored.batch.mark.text();
    unstored_.reset();
    return Step{any, more};
}

}  // namespace postcensus::tasks
