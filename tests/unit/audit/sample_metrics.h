// SPDX-License-Identifier: MIT
// Facts that make every family of the metrics show a series.
#pragma once

#include "census/metrics.h"

namespace postcensus::audit {

inline census::WatchFacts sample_watch_facts() {
    const Time noon = from_unix_ms(1'700'000'000'000);
    census::WatchFacts facts{.written = noon};
    facts.totals = {{{"callout-unknown", "ex1:2525"}, 7},
                    {{"sessions", "ex1:2525"}, 3},
                    {{"published", "unknown"}, 2},
                    {{"misses", ""}, 40}};
    facts.addresses[{"accept", "listed"}] = 12;
    facts.questions["came-back"] = 4;
    facts.waiting = 1;
    facts.undecided = 6;
    facts.held = 5;
    facts.unseen = 1;
    facts.breakers.push_back({"ex2:2525", "corp.example", noon, "x"});
    facts.accept_all = {"all.example"};
    facts.polled["corp"] = noon;
    facts.tables.push_back({.table = "unknown", .at = noon, .until = noon + Milliseconds(3'600'000)});
    facts.entries["unknown"] = {{"corp.example", 9}};
    facts.log_lag = Milliseconds(1500);
    facts.log_present = true;
    return facts;
}

inline census::SyncFacts sample_sync_facts() {
    const Time noon = from_unix_ms(1'700'000'000'000);
    census::SyncFacts facts;
    facts.began = noon;
    facts.ended = noon + Milliseconds(2000);
    facts.exit_code = 1;
    facts.state_read = true;
    facts.directories.push_back(
        {.name = "corp", .listed = 12, .last_good = noon, .last_full = noon, .away_since = noon});
    facts.readings = {{{"applied", "corp"}, 20}, {{"failed", "corp"}, 2}};
    return facts;
}

}  // namespace postcensus::audit
