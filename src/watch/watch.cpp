// SPDX-License-Identifier: MIT
#include "watch/watch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <csignal>
#include <map>
#include <tuple>

#include "audit/metrics_file.h"
#include "base/file.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/signals.h"
#include "flow/ask/asker.h"
#include "flow/decide/decision.h"
#include "flow/follow/follow_log.h"
#include "flow/publish/decider.h"
#include "flow/read/relay_domains.h"
#include "store/addresses.h"
#include "store/callouts.h"
#include "store/history.h"
#include "store/questions.h"
#include "store/undecided.h"
#include "watch/condition.h"
#include "watch/directory_watch.h"
#include "watch/table_watch.h"
#include "watch/watch_domains.h"
#include "watch/watch_log_place.h"

namespace postcensus::watch {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::awaitable;
using Clock = std::chrono::steady_clock;

constexpr auto kBusyPause = 20ms;
constexpr auto kTroublePause = 5s;
constexpr auto kSayAgain = 10min;
constexpr std::size_t kMostSaid = 1000;
constexpr auto kLogCheck = 5s;  // beside inotify, which does not see behind a symbolic link
constexpr auto kLogPoll = 1s;   // where inotify is not to be had
constexpr auto kGather = 50ms;
constexpr auto kOpenPatience = 10s;
constexpr Milliseconds kStatus = 15s;
constexpr Milliseconds kSoon = 1s;
constexpr auto kHousekeeping = 24h;
constexpr auto kFirstHousekeeping = 1h;          // by then a clock that was wrong at the start is set
constexpr std::size_t kMostStrangers = 100'000;  // 70 MB
constexpr std::size_t kStrangersAtOnce = 1000;
constexpr std::size_t kMissesAtOnce = 1000;
constexpr auto kJumpTolerance = 1min;  // clocks are set a little now and then

// Empties an inotify descriptor. True if a file of this name was written, or if events were lost.
bool drain_wake(int fd, const std::string& name) {
    alignas(inotify_event) char buffer[4096];
    bool woken = false;
    for (ssize_t count = ::read(fd, buffer, sizeof buffer); count > 0;
         count = ::read(fd, buffer, sizeof buffer))
        for (const char* at = buffer; at < buffer + count;) {
            const auto* event = reinterpret_cast<const inotify_event*>(at);
            woken = woken || (event->len > 0 && name == event->name) || (event->mask & IN_Q_OVERFLOW) != 0;
            at += sizeof(inotify_event) + event->len;
        }
    return woken;
}

std::uint64_t random_key() {
    std::uint64_t key = 0;
    if (::getrandom(&key, sizeof key, 0) != sizeof key) spdlog::warn("no random key for the budget's tables");
    return key;
}

class Watch {
  public:
    Watch(const config::Configuration& configuration, store::Database& state, census::Admission& admission,
          store::Database overlay_reader, store::Database base_reader, std::unique_ptr<flow::Decider> decider,
          std::unique_ptr<flow::LogFollower> log, const std::string& helo, Followers followers,
          SignalSource signals)
        : signals_(io_, signals.fd()),
          signal_source_(std::move(signals)),
          configuration_(configuration),
          state_(state),
          decider_(std::move(decider)),
          log_(std::move(log)),
          lines_(io_.get_executor()),
          evidence_(io_.get_executor()),
          questions_(io_.get_executor()),
          asker_(io_.get_executor(), configuration_, state_, admission, helo, [this] { learned(); }),
          directories_(
              io_.get_executor(), std::move(followers), flow::Lookups(configuration_, state_, admission),
              [this] { learned(); }, [this](const Failure& failure) { return trouble(failure); }),
          publication_(
              io_.get_executor(), configuration_, state_, std::move(overlay_reader), std::move(base_reader),
              *decider_, [this](const Failure& failure) { return trouble(failure); }, [this] { io_.stop(); }),
          domains_(
              io_.get_executor(), configuration_, state_, [this] { return log_->take_strange_domains(); },
              [this] { begin_anew(); }),
          log_place_(io_.get_executor(), configuration_, log_->place(), [this] { begin_anew(); }),
          metrics_(io_.get_executor(), configuration_, state_, [this] {
              return audit::Running{asker_.active(), log_->lag(), log_->present()};
          }) {
        state_.when_outgrown([this](const Failure& failure) {
            if (!failure_) failure_ = failure;
            stop(WatchEnd::stopped);
        });
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() {
        state_.when_outgrown({});
        signals_.release();
    }

    WatchEnd run(bool once) {
        spawn("signals", &Watch::wait_for_signals);
        spawn("wake", &Watch::listen_for_wake);
        if (once) {
            spawn("once", &Watch::run_once);
        } else {
            spawn("lines", &Watch::listen_for_lines);
            spawn("log", &Watch::follow);
            spawn("questions", &Watch::ask);
            for (DirectoryWatch::Task& task : directories_.tasks())
                asio::co_spawn(io_, guard("directory", std::move(task)), asio::detached);
            spawn("answers", &Watch::decide);
            for (Publication::Task& task : publication_.tasks())
                asio::co_spawn(io_, guard("tables", std::move(task)), asio::detached);
            spawn("life", &Watch::stay_alive);
            spawn("housekeeping", &Watch::keep_house);
            asio::co_spawn(io_, guard("metrics", [this] { return metrics_.run(); }), asio::detached);
            if (configuration_.asks_postfix_for_domains())
                asio::co_spawn(io_, guard("domains", [this] { return domains_.run(); }), asio::detached);
            if (configuration_.log.source == maillog::SourceKind::automatic)
                asio::co_spawn(io_, guard("log place", [this] { return log_place_.run(); }), asio::detached);
        }
        io_.run();
        directories_.stop();
        wait_for(publication_);
        wait_for(metrics_);
        wait_for(domains_);
        wait_for(log_place_);
        wait_for(asker_);
        wait_for(directories_);
        // What is stopped is tried again by whoever comes next.
        std::ignore = state_.write([](store::Writer& writer) { store::set_breakers(writer, {}, now()); });
        return end_reason_;
    }

    std::optional<Failure> failure() const { return failure_; }

  private:
    void learned() {
        evidence_.notify();
        questions_.notify();
    }

    // The end of what its worker is at: a server, a disk.
    template <typename Part>
    static void wait_for(Part& part) {
        notify_alive();
        part.join();
    }

    // The one catch around each task: it is started again, the others go on meanwhile.
    void spawn(const char* name, awaitable<void> (Watch::*task)()) {
        asio::co_spawn(io_, guard(name, [this, task] { return (this->*task)(); }), asio::detached);
    }

    awaitable<void> guard(const char* name, std::function<awaitable<void>()> task) {
        while (!stopping_) {
            try {
                co_await task();
                co_return;
            } catch (const std::exception& error) {
                spdlog::error("{}: {}", name, error.what());
            }
            asio::steady_timer timer(io_, kTroublePause);
            co_await timer.async_wait(asio::use_awaitable);
        }
    }

    void begin_anew() {
        notify_reloading();
        stop(WatchEnd::anew);
    }

    // A table that a worker is about to put out is put out and noted first.
    void stop(WatchEnd reason) {
        // Nothing is stronger than an end.
        if (!stopping_ || reason == WatchEnd::stopped) end_reason_ = reason;
        stopping_ = true;
        directories_.stop();
        publication_.stop();
        if (!publication_.busy()) io_.stop();
    }

    // How long to wait after a Failure; it is logged once until something works again.
    Clock::duration trouble(const Failure& failure) {
        if (failure.code == ExitCode::try_again) {
            // What a worker met may be no lock, but a state that has outgrown this program: this connection
            // finds that out, too, and all ends.
            std::ignore = state_.current_seq();
            return kBusyPause;
        }
        const bool news = failure.code == ExitCode::cannot_write ? is_said_again(failure)
                                                                 : failure.message != last_trouble_;
        if (news) log_failure(failure);
        last_trouble_ = failure.message;
        return kTroublePause;
    }

    // On a full disk several take turns, every few seconds and for hours, about a new temporary file each
    // time: the kind is said now and then.
    bool is_said_again(const Failure& failure) {
        if (said_.size() > kMostSaid) said_.clear();
        const bool of_a_kind = failure.trouble != Trouble::other;
        const auto [said, fresh] = said_.try_emplace(
            of_a_kind ? fmt::format("{}", static_cast<int>(failure.trouble)) : failure.message, Clock::now());
        if (!fresh && Clock::now() < said->second + kSayAgain) return false;
        said->second = Clock::now();
        return true;
    }

    // --- the log ---
    awaitable<void> follow() {
        bool said_ready = false;
        while (!stopping_) {
            auto step = log_->step(state_, false);
            if (step && step->stored_questions) learned();
            if (step && step->doubted) directories_.poll_now();
            if (log_->met_strange_domains()) domains_.look();
            if (step && !said_ready) {
                said_ready = true;
                notify_ready("following " + log_->name());
                spdlog::info("ready");
            }
            const bool at_once = step && (step->more || step->stored_questions);
            if (!at_once && step) {
                const Clock::duration check = log_->watch_fd() >= 0 ? kLogCheck : kLogPoll;
                co_await lines_.wait_for(step->rest ? std::min<Clock::duration>(check, *step->rest) : check);
                continue;
            }
            asio::steady_timer timer(
                io_, step ? Clock::duration(0s) : trouble(step.error()));  // the others have their turn
            co_await timer.async_wait(asio::use_awaitable);
        }
    }

    awaitable<void> listen_for_lines() {
        if (log_->watch_fd() < 0) co_return;
        asio::posix::stream_descriptor watcher(io_, ::fcntl(log_->watch_fd(), F_DUPFD_CLOEXEC, 0));
        for (;;) {
            co_await watcher.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
            log_->clear();
            lines_.notify();
            // A busy log says so with every line: those of a moment are read together.
            asio::steady_timer timer(io_, kGather);
            co_await timer.async_wait(asio::use_awaitable);
        }
    }

    // --- questions ---
    awaitable<void> ask() {
        while (!stopping_) {
            auto next = asker_.start_due(true);
            directories_.look_up_soon();
            const Clock::time_point until = next ? *next : Clock::now() + trouble(next.error());
            co_await questions_.wait_until(until);
        }
    }

    // --- answers ---
    awaitable<void> decide() {
        while (!stopping_) {
            Clock::time_point until = Clock::now() + 60s;
            auto decided = co_await decide_now();
            if (!decided) {
                until = Clock::now() + trouble(decided.error());
            } else {
                auto expiry = state_.read([](SQLite::Database& db) { return store::next_expiry(db); });
                if (expiry && *expiry)
                    until =
                        std::min(until, Clock::now() + std::max<Milliseconds>(**expiry - now(), 0ms) + 1ms);
                if (expiry) last_trouble_.clear();
            }
            co_await evidence_.wait_until(until);
        }
    }

    // One pass; between two pieces the others have their turn, and what is decided goes out.
    awaitable<Result<void>> decide_now() {
        auto seq = state_.current_seq();
        if (!seq) co_return fail(seq.error());
        if (auto marked = mark_expired(now()); !marked) co_return marked;
        flow::Decision decision(state_, configuration_);
        for (;;) {
            auto done = decision.step(now());
            if (!done && done.error().code != ExitCode::try_again) co_return fail(done.error());
            if (done && *done) break;
            if (done) publication_.notify();
            asio::steady_timer timer(io_, done ? Clock::duration(0s) : Clock::duration(kBusyPause));
            co_await timer.async_wait(asio::use_awaitable);
        }
        const flow::Decided& decided = decision.decided();
        if (decided.looked_at > 0) {
            spdlog::debug("decided {}, changed {}, held {}", decided.looked_at, decided.changed,
                          decided.held);
            publication_.notify();
            questions_.notify();
        }
        publication_.set_decided(*seq);
        if (decided.doubted > 0) directories_.poll_now();
        co_return Result<void>{};
    }

    Result<void> mark_expired(Time time) {
        const Time latest = time + configuration_.longest_lease() + kJumpTolerance;
        auto any = state_.read([&](SQLite::Database& db) { return store::any_expired(db, time, latest); });
        if (!any) return fail(any.error());
        if (!*any) return {};
        auto marked = state_.write([&](store::Writer& writer) { store::mark_expired(writer, time, latest); });
        return marked ? Result<void>{} : fail(marked.error());
    }

    // --- commands that wrote evidence ---
    awaitable<void> listen_for_wake() {
        const std::filesystem::path wake = flow::wake_path(configuration_);
        const UniqueFd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
        if (!fd || ::inotify_add_watch(fd.get(), wake.parent_path().c_str(), IN_CLOSE_WRITE) < 0) {
            spdlog::warn("{}", describe_errno("cannot watch", wake.parent_path(), errno));
            co_return;
        }
        asio::posix::stream_descriptor watcher(io_, ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
        for (;;) {
            co_await watcher.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
            const bool woken = drain_wake(fd.get(), wake.filename().string());
            if (!woken) continue;
            if (auto seq = state_.current_seq()) publication_.tell_when_published(*seq);
            evidence_.notify();
            domains_.look();
        }
    }

    // --- life ---
    // To the end: that may wait for a table that is being put out.
    awaitable<void> stay_alive() {
        const Milliseconds rest = watchdog_interval()
                                      ? std::chrono::duration_cast<Milliseconds>(*watchdog_interval())
                                      : Milliseconds(kStatus);
        for (;;) {
            notify_alive();
            if (!stopping_) notify_status(status());
            asio::steady_timer timer(io_, std::min<Milliseconds>(rest, kStatus));
            co_await timer.async_wait(asio::use_awaitable);
        }
    }

    awaitable<void> keep_house() {
        Clock::time_point housekeeping = Clock::now() + kFirstHousekeeping;
        while (!stopping_) {
            const auto strangers = state_.read(
                [](SQLite::Database& db) { return store::newest_of_too_many_strangers(db, kMostStrangers); });
            // One that is busy is asked again in a moment.
            if (strangers && *strangers)
                std::ignore = state_.write([&](store::Writer& writer) {
                    store::prune_strangers(writer, **strangers, kStrangersAtOnce);
                });
            if (Clock::now() >= housekeeping) {
                auto more = state_.write(
                    [](store::Writer& writer) { return store::prune_misses(writer, now(), kMissesAtOnce); });
                if (more && *more) {
                    asio::steady_timer timer(io_, kBusyPause);
                    co_await timer.async_wait(asio::use_awaitable);
                    continue;
                }
                auto pruned = state_.write([](store::Writer& writer) { store::prune(writer, now()); });
                housekeeping = Clock::now() + (pruned ? kHousekeeping : Clock::duration(1min));
            }
            asio::steady_timer timer(io_, strangers && *strangers ? kSoon : kStatus);
            co_await timer.async_wait(asio::use_awaitable);
        }
    }

    std::string status() {
        auto open = state_.read([](SQLite::Database& db) {
            return db.execAndGet("SELECT count(*) FROM question WHERE cause <> 'refresh'").getInt();
        });
        std::string text = fmt::format("following {}; {} questions open, {} sessions", log_->name(),
                                       open ? *open : 0, asker_.active());
        if (!log_->present()) text = "waiting for the log " + log_->name();
        if (const std::size_t stopped = asker_.stopped_targets(); stopped > 0)
            text += fmt::format(", callouts to {} hosts stopped", stopped);
        if (!last_trouble_.empty()) text += "; " + last_trouble_;
        return text;
    }

    // To the end: behind a reload there may come an end. What comes later waits for whoever listens next.
    awaitable<void> wait_for_signals() {
        for (;;) {
            co_await signals_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
            const auto signal = signal_source_.take();
            if (!signal) continue;
            spdlog::info("{}", *signal == SIGHUP ? "reloading" : "ending");
            if (*signal == SIGHUP)
                notify_reloading();
            else
                notify_stopping();
            stop(*signal == SIGHUP ? WatchEnd::reload : WatchEnd::stopped);
        }
    }

    // --- once ---
    awaitable<void> run_once() {
        auto done = co_await do_once();
        if (!done) failure_ = done.error();
        stop(WatchEnd::stopped);
    }

    awaitable<Result<void>> do_once() {
        for (;;) {
            auto step = log_->step(state_, true);
            if (!step && step.error().code != ExitCode::try_again) co_return fail(step.error());
            if (step && !step->more && !step->stored_questions) break;
            asio::steady_timer timer(io_, step ? Clock::duration(0s) : Clock::duration(kBusyPause));
            co_await timer.async_wait(asio::use_awaitable);
        }
        // Questions are asked as long as any can be: one that must wait has its time in the future, one whose
        // server is at fault is paused, and what the budget does not allow now is left to the next run.
        for (;;) {
            auto decided = co_await decide_now();
            if (!decided) co_return fail(decided.error());
            auto looked = co_await directories_.look_up_due();
            if (!looked) co_return fail(looked.error());
            if (*looked < Clock::now()) continue;
            if (auto next = asker_.start_due(false); !next) co_return fail(next.error());
            if (asker_.active() == 0) break;
            while (asker_.active() > 0) co_await questions_.wait_for(1min);
            if (asker_.failure()) co_return fail(*asker_.failure());
        }
        co_return decider_->settle(state_, now());
    }

    asio::io_context io_;  // first: everything below has a timer or socket on it
    asio::posix::stream_descriptor signals_;
    SignalSource signal_source_;
    const config::Configuration& configuration_;
    store::Database& state_;
    std::unique_ptr<flow::Decider> decider_;
    std::unique_ptr<flow::LogFollower> log_;
    Condition lines_;      // the log may have grown
    Condition evidence_;   // there is something to decide
    Condition questions_;  // there is something to ask
    flow::Asker asker_;
    DirectoryWatch directories_;
    Publication publication_;
    DomainWatch domains_;
    LogPlaceWatch log_place_;
    audit::WatchMetrics metrics_;
    std::string last_trouble_;
    std::map<std::string, Clock::time_point> said_;  // what was logged of it, and when
    std::optional<Failure> failure_;
    WatchEnd end_reason_ = WatchEnd::stopped;
    bool stopping_ = false;
};

}  // namespace

Result<WatchEnd> watch(config::Configuration configuration, bool once, flow::Tenure& tenure) {
    // It may have to be brought up to date, or another process is just about it.
    auto state =
        store::Database::open(configuration.state.path, store::Database::Mode::create, kOpenPatience);
    if (!state) return fail(state.error());
    // From here on no patience: the thread that owns the state tries and goes on.
    if (!once) state->set_patience(0ms);
    if (auto learned = flow::learn_relay_domains(configuration, *state, now()); !learned)
        return fail(learned.error());
    auto decider = flow::Decider::try_become(tenure, configuration, *state, now());
    if (!decider) return fail(decider.error());
    if (!*decider)
        return fail(
            ExitCode::try_again,
            fmt::format("another process already decides for the state {}: is a `postcensus watch` running?",
                        configuration.state.path.string()));
    auto overlay_reader =
        store::Database::open(configuration.state.path, store::Database::Mode::read_only, 10s);
    auto base_reader = store::Database::open(configuration.state.path, store::Database::Mode::read_only, 10s);
    if (!overlay_reader) return fail(overlay_reader.error());
    if (!base_reader) return fail(base_reader.error());
    auto parameters =
        postfix::read_parameters(configuration.postfix.config_dir, {"myhostname", "mynetworks"});
    if (!parameters) return fail(parameters.error());
    census::Admission admission(configuration.budget, random_key());
    admission.add_relays(census::parse_mynetworks((*parameters)["mynetworks"]));
    auto log = flow::LogFollower::open(configuration, *state, admission);
    if (!log) return fail(log.error());
    auto followers = Followers::open(configuration);
    if (!followers) return fail(followers.error());
    auto signals = SignalSource::open();
    if (!signals) return fail(signals.error());
    // All is there that this configuration needs.
    tenure.keep_only({flow::lock_path(configuration), flow::tables_lock_path(configuration)});
    Watch service(configuration, *state, admission, *std::move(overlay_reader), *std::move(base_reader),
                  *std::move(decider), *std::move(log), (*parameters)["myhostname"], *std::move(followers),
                  *std::move(signals));
    const WatchEnd end = service.run(once);
    if (service.failure()) return fail(*service.failure());
    return end;
}

}  // namespace postcensus::watch
