// SPDX-License-Identifier: MIT
// Tells systemd how the service is (sd_notify(3)). Does nothing where NOTIFY_SOCKET is not set.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace postcensus {

void notify_ready(const std::string& status);
// One line that `systemctl status` shows, after the end of the process too.
void notify_status(const std::string& status);
void notify_reloading();
void notify_stopping();
void notify_alive();
// A start, reload or stop takes longer: the next message comes within this time.
void notify_slow(std::chrono::microseconds next);

// Half of the time within which systemd wants a sign of life; nothing if it wants none.
std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace postcensus
