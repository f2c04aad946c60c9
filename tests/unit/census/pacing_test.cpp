// SPDX-License-Identifier: MIT
#include "census/pacing.h"

#include <chrono>

#include "catch.h"

using namespace postcensus;
using namespace std::chrono_literals;
using census::after_session;
using census::Refusals;

namespace {

const Time kNoon = from_unix_ms(1'700'000'000'000);

}  // namespace

TEST_CASE("a server that allows refusals is asked for more of them", "[census][pacing]") {
    Refusals refusals;
    for (const int expected : {8, 16, 32, 64, 100, 100}) {
        refusals = after_session(refusals, refusals.most, refusals.most, false, kNoon);
        CHECK(refusals.most == expected);
    }
    // A session that did not use them up says nothing; neither does one that began before it was known.
    CHECK(after_session({}, 4, 3, false, kNoon) == Refusals{});
    refusals.most = 16;
    CHECK(after_session(refusals, 4, 4, false, kNoon).most == 16);
}

TEST_CASE("a server that ends a session is asked for fewer, for a day", "[census][pacing]") {
    // Exchange: 4 pass, the fifth error ends it.
    Refusals refusals = after_session({}, 4, 4, false, kNoon);
    REQUIRE(refusals.most == 8);
    refusals = after_session(refusals, 8, 5, true, kNoon);
    CHECK(refusals.most == 4);
    CHECK(refusals.met_at == 5);
    refusals = after_session(refusals, 4, 4, false, kNoon + 1h);
    CHECK(refusals.most == 4);
    CHECK(after_session(refusals, 4, 4, false, kNoon - 1h).most == 4);
    refusals = after_session(refusals, 4, 4, false, kNoon + 24h);
    CHECK(refusals.most == 8);
    CHECK_FALSE(refusals.met_at);

    CHECK(after_session({}, 4, 1, true, kNoon).most == 2);
    // Closed before anything was refused: no limit of refusals.
    CHECK(after_session({}, 4, 0, true, kNoon) == Refusals{});
    // The strictest of several sessions at once counts.
    refusals = after_session(after_session({}, 8, 5, true, kNoon), 8, 7, true, kNoon);
    CHECK(refusals.most == 4);
}
