// SPDX-License-Identifier: MIT
#include "base/signals.h"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

namespace postcensus {
namespace {

sigset_t service_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
    return signals;
}

}  // namespace

void hold_signals() {
    const sigset_t signals = service_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

Result<SignalSource> SignalSource::open() {
    const sigset_t signals = service_signals();
    UniqueFd fd(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!fd)
        return fail(ExitCode::try_again,
                    fmt::format("cannot listen for signals: {}", std::generic_category().message(errno)));
    return SignalSource(std::move(fd));
}

std::optional<int> SignalSource::take() {
    std::optional<int> taken;
    signalfd_siginfo info{};
    while (::read(fd_.get(), &info, sizeof info) == sizeof info) {
        const int signal = static_cast<int>(info.ssi_signo);
        if (!taken || *taken == SIGHUP) taken = signal;
    }
    return taken;
}

std::optional<int> SignalSource::wait(std::chrono::milliseconds patience) {
    pollfd ready{fd_.get(), POLLIN, 0};
    ::poll(&ready, 1, static_cast<int>(patience.count()));
    return take();
}

}  // namespace postcensus
