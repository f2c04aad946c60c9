// SPDX-License-Identifier: MIT
// postcensus watch: the service.
#include "watch/watch.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <csignal>
#include <system_error>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/signals.h"
#include "cmd/command.h"
#include "flow/publish/decider.h"
#include "store/health.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;
using namespace std::chrono_literals;

using Clock = std::chrono::steady_clock;

constexpr auto kPatience = 30s;
constexpr auto kRetry = 5s;
constexpr auto kLeaseCheck = 1s;
constexpr auto kSayAgain = 10min;
constexpr std::size_t kRoom = 1024UL * 1024;  // a start writes less

void add_options(po::options_description& options) {
    options.add_options()("once", "handle all that is there and due, then end");
}

bool outgrown(const config::Configuration& configuration) {
    const auto version = store::schema_version(configuration.state.path);
    return version && version->found > version->newest;
}

std::filesystem::path state_folder(const config::Configuration& configuration) {
    return configuration.state.path.parent_path();
}

bool lacks_room(const Failure& failure, const config::Configuration& configuration) {
    if (failure.code != ExitCode::cannot_write) return false;
    if (failure.trouble == Trouble::no_room) return true;
    // Neither SQLite nor postmap always says why.
    return !has_room(state_folder(configuration), kRoom) || !has_room(configuration.postfix.maps, kRoom);
}

watch::WatchEnd end_by(int signal) {
    return signal == SIGHUP ? watch::WatchEnd::reload : watch::WatchEnd::stopped;
}

// What goes on from one configuration to the next.
class Service {
  public:
    Service(SignalSource signals, bool once) : signals_(std::move(signals)), once_(once) {}

    // Where no `watch` runs, at its start a command that decides by itself may have the decider's lock: that
    // does not take long. A full disk may.
    Result<watch::WatchEnd> watch(const config::Configuration& configuration) {
        const Clock::time_point end = Clock::now() + kPatience;
        for (;;) {
            auto ended = watch::watch(configuration, once_, tenure_);
            if (ended) return ended;
            const Failure& failure = ended.error();
            if (!once_ && lacks_room(failure, configuration)) {
                if (auto told = wait_for_room(configuration, failure)) return end_by(*told);
                continue;
            }
            if (failure.code != ExitCode::try_again || outgrown(configuration) || Clock::now() >= end ||
                flow::last_decider_is_watch(configuration))
                return ended;
            notify_alive();
            if (auto told = signals_.wait(100ms)) return end_by(*told);
        }
    }

    // What came between two configurations.
    std::optional<int> take_signal() { return signals_.take(); }

  private:
    // The state cannot be opened or written: nothing is decided, nothing published, and what is out says so
    // by its leases. Returns a signal, or nothing when it is time for another try.
    std::optional<int> wait_for_room(const config::Configuration& configuration, const Failure& failure) {
        const Clock::time_point end = Clock::now() + kRetry;
        if (Clock::now() >= say_again_) {
            log_failure(failure);
            spdlog::error(
                "the disk is full: until there is room, rejections end when their time is over, and "
                "nothing else is decided or published; df -h {} {}",
                state_folder(configuration).string(), configuration.postfix.maps.string());
            say_again_ = Clock::now() + kSayAgain;
        }
        // It has started, as far as that is possible: to end it and start it again would help nobody.
        notify_ready("the disk is full: " + failure.message);
        while (Clock::now() < end) {
            flow::end_leases(tenure_, configuration, now());
            notify_alive();
            if (auto told = signals_.wait(kLeaseCheck)) return told;
        }
        return std::nullopt;
    }

    SignalSource signals_;
    bool once_;
    flow::Tenure tenure_;
    Clock::time_point say_again_;
};

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    hold_signals();
    auto configuration = load_configuration(globals, config::Secrets::read);
    if (!configuration) return fail(configuration.error());
    auto signals = SignalSource::open();
    if (!signals) return fail(signals.error());
    Service service(*std::move(signals), arguments.contains("once"));
    auto ended = service.watch(*configuration);
    // The new configuration takes effect whole, or not at all.
    while (ended && *ended != watch::WatchEnd::stopped) {
        if (const auto told = service.take_signal()) ended = end_by(*told);
        if (*ended == watch::WatchEnd::stopped) break;
        if (*ended == watch::WatchEnd::anew) {
            ended = service.watch(*configuration);
            continue;
        }
        auto next = config::load(globals.config);
        if (next) {
            ended = service.watch(*next);
            if (ended) {
                configuration = std::move(next);
                continue;
            }
            if (outgrown(*next)) break;  // no fault of the configuration's
        }
        spdlog::error("the new configuration is not used, the old one stays: {}",
                      (next ? ended.error() : next.error()).message);
        ended = service.watch(*configuration);
    }
    if (!ended) return fail(ended.error());
    return ExitCode::done;
}

}  // namespace

const Command kWatch{"watch",     "[--once]", "follow the log, ask, decide and publish", "info", run,
                     add_options, nullptr};

}  // namespace postcensus::cmd
