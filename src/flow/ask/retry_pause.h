// SPDX-License-Identifier: MIT
// How long a question that was not answered waits before the next try: seconds at first, an hour at last.
#pragma once

#include <algorithm>
#include <chrono>

namespace postcensus::flow {

// After so many tries before this one.
inline std::chrono::milliseconds retry_pause(int attempts) {
    using namespace std::chrono_literals;
    return std::min<std::chrono::milliseconds>(1h, 5s * (1LL << std::min(attempts, 12)));
}

}  // namespace postcensus::flow
