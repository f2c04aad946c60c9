// SPDX-License-Identifier: MIT
#include "base/notify.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <ctime>

namespace postcensus {

void notify_ready(const std::string& status) {
    sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
}

void notify_status(const std::string& status) {
    sd_notify(0, ("STATUS=" + status).c_str());
}

void notify_reloading() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    sd_notify(
        0,
        fmt::format("RELOADING=1\nMONOTONIC_USEC={}", time.tv_sec * 1'000'000 + time.tv_nsec / 1000).c_str());
}

void notify_stopping() {
    sd_notify(0, "STOPPING=1");
}

void notify_alive() {
    sd_notify(0, "WATCHDOG=1");
}

void notify_slow(std::chrono::microseconds next) {
    sd_notify(0, fmt::format("EXTEND_TIMEOUT_USEC={}", next.count()).c_str());
}

std::optional<std::chrono::microseconds> watchdog_interval() {
    std::uint64_t interval = 0;
    if (sd_watchdog_enabled(0, &interval) <= 0) return std::nullopt;
    return std::chrono::microseconds(interval / 2);
}

}  // namespace postcensus
