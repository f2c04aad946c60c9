// SPDX-License-Identifier: MIT
// Metrics in the text format of Prometheus, for node_exporter's textfile collector. docs/metrics.md describes
// each. No series stands in both texts. Pure.
#pragma once

#include <string>

#include "census/metrics.h"

namespace postcensus::audit {

std::string watch_metrics(const census::WatchFacts& facts, const std::string& version);
std::string sync_metrics(const census::SyncFacts& facts);

}  // namespace postcensus::audit
