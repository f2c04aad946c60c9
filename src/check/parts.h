// SPDX-License-Identifier: MIT
// The parts of `postcensus check`. Each blocks, in a thread of its own, and hands over its findings as it
// goes, so that what it found before it hung is not lost.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "check/finding.h"
#include "check/master_cf.h"
#include "check/restrictions.h"
#include "config/configuration.h"

namespace postcensus::check {

// What all parts look at. Shared with threads that may outlive the check.
struct CheckScene {
    config::Configuration configuration;
    Time now;
    std::chrono::steady_clock::time_point deadline;  // parts that can end by themselves do so before it
    std::shared_future<Result<Snapshot>> postfix;
};
using Scene = std::shared_ptr<const CheckScene>;

using Tell = std::function<void(Finding)>;

inline void tell_all(const Tell& tell, Findings findings) {
    for (Finding& finding : findings) tell(std::move(finding));
}

// main.cf and master.cf.
void check_postfix(const CheckScene& scene, const Tell& tell);
// relay_domains against the routes, and the transports that carry them.
void check_domains(const CheckScene& scene, const Tell& tell);
// The hosts that DNS names for the domains.
void check_mail_exchangers(const CheckScene& scene, const Tell& tell);
void check_tables(const CheckScene& scene, const Tell& tell);
void check_log(const CheckScene& scene, const Tell& tell);
void check_state(const CheckScene& scene, const Tell& tell);
void check_service(const CheckScene& scene, const Tell& tell);
void check_directory(const CheckScene& scene, const directory::Settings& settings, const Tell& tell);
// `target`: one of the route's; none: those that Postfix's tables name.
void check_callout(const CheckScene& scene, const config::Route& route, const callout::Target* target,
                   const Tell& tell);

// Our tables as main.cf has to name them. A Failure: their type cannot be told.
Result<OurTables> our_tables(const CheckScene& scene);

// The name of the user that this process is.
std::string own_user();

// The name of the systemd unit that runs a command with this configuration: an instance NAME has the
// configuration /etc/postcensus/NAME.conf.
std::string unit_of(const CheckScene& scene, std::string_view command);

}  // namespace postcensus::check
