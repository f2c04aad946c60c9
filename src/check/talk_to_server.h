// SPDX-License-Identifier: MIT
// One callout session of `postcensus check`: the controls first, then as many recipients as there is time
// for, going by how long the server took to refuse. Blocks; ends before its deadline whatever the server
// does.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "callout/session.h"

namespace postcensus::check {

struct Talk {
    callout::SessionResult controls;  // health, tarpit, control_accepted
    std::vector<census::CalloutOutcome> outcomes;
    std::size_t not_asked = 0;
    bool over_time = false;  // it did not even get through the controls
};

// `asked.recipients` are put into the talk in their order; its other questions are asked as they are.
Talk talk_to_server(callout::Questions asked, std::chrono::steady_clock::time_point deadline);

// How many unknown recipients a second a server answers with so many sessions at once.
double answers_per_second(int sessions, int most_refused, Milliseconds tarpit);

// The address that this machine speaks to that host from; empty if nobody knows.
std::string own_address_towards(const callout::Target& target);

}  // namespace postcensus::check
