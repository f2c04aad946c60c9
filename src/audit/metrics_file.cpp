// SPDX-License-Identifier: MIT
#include "audit/metrics_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <csignal>
#include <system_error>

#include "audit/gather_report.h"
#include "audit/metrics.h"
#include "base/file.h"
#include "base/in_worker.h"
#include "base/unique_fd.h"
#include "postfix/table.h"
#include "store/history.h"
#include "store/metrics.h"

namespace postcensus::audit {
namespace {

using namespace std::chrono_literals;

constexpr auto kPeriod = 15s;
constexpr auto kMetricsPatience = 2s;

// Of the directories that are configured. A state that cannot be read (the run itself has said so) must not
// hide that the run failed.
census::SyncFacts read_sync_facts(const config::Configuration& configuration) {
    auto state =
        store::Database::open(configuration.state.path, store::Database::Mode::read_only, kMetricsPatience);
    if (!state) return {};
    auto facts = state->read([](SQLite::Database& db) { return store::load_sync_facts(db, now()); });
    if (!facts) return {};
    facts->state_read = true;
    keep_configured(facts->directories, configuration);
    return *std::move(facts);
}

}  // namespace

MetricsFile::MetricsFile(std::filesystem::path folder, std::string name)
    : folder_(std::move(folder)), name_(std::move(name)) {}

void MetricsFile::write(std::string_view text) {
    if (folder_.empty()) return;
    auto written = try_write(text);
    if (!written && !failing_)
        spdlog::warn(
            "no metrics: {}; [general] metrics-dir must be a folder that the owner of the state can "
            "write",
            written.error().message);
    if (written && failing_) spdlog::info("metrics are written again");
    failing_ = !written;
}

// Under a name that node_exporter does not read, then renamed. Each process has its own: a sync by hand may
// run beside that of the timer.
Result<void> MetricsFile::try_write(std::string_view text) {
    if (!tidy_) tidy_ = drop_leftovers();
    const std::filesystem::path aside = folder_ / fmt::format(".{}.{}", name_, ::getpid());
    ::unlink(aside.c_str());
    UniqueFd fd(::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!fd) return fail_errno(ExitCode::cannot_write, "cannot write", aside, errno);
    ::fchmod(fd.get(), 0644);  // whatever the umask: node_exporter is another user
    auto written = write_all(fd.get(), text, aside);
    if (written) written = rename_file(aside, folder_ / (name_ + ".prom"));
    if (!written) ::unlink(aside.c_str());
    return written;
}

// Of processes that were killed while they wrote. False where the folder cannot be read.
bool MetricsFile::drop_leftovers() const {
    std::error_code error;
    const std::string prefix = "." + name_ + ".";
    for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
        const std::string file = entry.path().filename().string();
        if (!file.starts_with(prefix)) continue;
        pid_t writer = 0;
        const char* const end = file.data() + file.size();
        const auto [rest, bad] = std::from_chars(file.data() + prefix.size(), end, writer);
        if (bad == std::errc{} && rest == end && ::kill(writer, 0) != 0 && errno == ESRCH)
            ::unlink(entry.path().c_str());
    }
    return !error;
}

WatchMetrics::WatchMetrics(boost::asio::any_io_executor executor, const config::Configuration& configuration,
                           store::Database& state, std::function<Running()> running)
    : executor_(std::move(executor)),
      configuration_(configuration),
      state_(state),
      running_(std::move(running)),
      file_(configuration.metrics_dir, "postcensus_watch") {}

boost::asio::awaitable<void> WatchMetrics::run() {
    std::optional<std::pair<std::chrono::hours, bool>> noted;
    for (;;) {
        const Time time = now();
        const Running running = running_();
        const std::pair notable(std::chrono::floor<std::chrono::hours>(time).time_since_epoch(),
                                running.log_present);
        if (noted != notable)
            if (state_.write([&](store::Writer& writer) {
                    store::note_size(writer, time);
                    store::note_log(writer, running.log_present, time);
                }))
                noted = notable;
        if (!configuration_.metrics_dir.empty())
            co_await in_worker(worker_, [this, &running] { return write(running); });
        boost::asio::steady_timer timer(executor_, noted ? kPeriod : 1s);
        co_await timer.async_wait(boost::asio::use_awaitable);
    }
}

// In a worker. Of many domains and questions the sums take a while; a state that is busy has its turn next
// time.
bool WatchMetrics::write(const Running& running) {
    if (!reader_) {
        auto opened = store::Database::open(configuration_.state.path, store::Database::Mode::read_only,
                                            kMetricsPatience);
        if (!opened) return false;
        reader_.emplace(*std::move(opened));
    }
    auto facts = reader_->read([](SQLite::Database& db) { return store::load_watch_facts(db, now()); });
    if (!facts) return false;
    std::erase_if(facts->polled, [&](const auto& one) {
        return std::none_of(
            configuration_.directories.begin(), configuration_.directories.end(),
            [&](const directory::Settings& directory) { return directory.name == one.first; });
    });
    std::erase_if(facts->accept_all,
                  [&](const std::string& domain) { return !configuration_.needs_proof(domain); });
    facts->sessions = running.sessions;
    facts->log_lag = running.log_lag;
    facts->log_present = running.log_present;
    // The type of the tables does not matter to their heads.
    const postfix::TableFolder tables(configuration_.postfix, "hash");
    for (const char* table : postfix::kTables)
        if (auto head = tables.head(table)) facts->entries[table] = std::move(head->counts);
    file_.write(audit::watch_metrics(*facts, POSTCENSUS_VERSION));
    return true;
}

void write_sync_metrics(const config::Configuration& configuration, Time began, ExitCode code) {
    if (configuration.metrics_dir.empty()) return;
    auto facts = read_sync_facts(configuration);
    facts.began = began;
    facts.ended = now();
    facts.exit_code = static_cast<int>(code);
    MetricsFile(configuration.metrics_dir, "postcensus_sync").write(audit::sync_metrics(facts));
}

}  // namespace postcensus::audit
