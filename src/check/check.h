// SPDX-License-Identifier: MIT
// postcensus check: tests configuration, directories, servers, tables and Postfix, and says what to mend.
// Changes nothing but one thing: a login that a directory refused is remembered in the state, as always, so
// that it is not tried again.
//
// What is independent runs in threads of its own, all against one deadline. A part that does not end in time
// becomes a finding, and its thread is left behind: then the process has to end by std::_Exit().
#pragma once

#include "base/clock.h"
#include "check/finding.h"
#include "config/configuration.h"

namespace postcensus::check {

struct Checked {
    Findings findings;
    bool unfinished = false;  // threads still run
};

Checked check(config::Configuration configuration, Time now);

}  // namespace postcensus::check
