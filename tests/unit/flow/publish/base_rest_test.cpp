// SPDX-License-Identifier: MIT
#include "flow/publish/base_rest.h"

#include "catch.h"

using namespace postcensus;
using namespace postcensus::flow;
using namespace std::chrono_literals;

TEST_CASE("the base rests by the work of its build, and never long if it is urgent", "[flow][publish]") {
    const BaseRest::Clock::time_point ended{1h};
    struct Case {
        std::chrono::nanoseconds work, rest, urgent;
    };
    for (const Case& one : {Case{0ms, 0ms, 0ms}, Case{50ms, 500ms, 500ms}, Case{300ms, 3s, 3s},
                            Case{4s, 40s, 3s}, Case{10min, 5min, 3s}, Case{-1s, 0s, 0s}}) {
        CAPTURE(one.work.count());
        BaseRest rest;
        rest.note_build(ended, one.work);
        CHECK(rest.end(false) == ended + one.rest);
        CHECK(rest.end(true) == ended + one.urgent);
    }
    CHECK(BaseRest().end(false) <= BaseRest::Clock::now());
}
