// SPDX-License-Identifier: MIT
#include "census/pacing.h"

#include <chrono>

#include "catch.h"

using namespace postcensus;
using namespace std::chrono_literals;
using census::after_session;
using census::Pace;
using census::SessionPace;

namespace {

const Time kNoon = from_unix_ms(1'700'000'000'000);

}  // namespace

TEST_CASE("a server that allows refusals is asked for more of them", "[census][pacing]") {
    Pace pace;
    for (const int expected : {8, 16, 32, 64, 100, 100}) {
        pace = after_session(pace, {.allowed = pace.most_refused, .refused = pace.most_refused}, kNoon);
        CHECK(pace.most_refused == expected);
    }
    // A session that did not use them up says nothing; neither does one that began before it was known.
    CHECK(after_session({}, {.allowed = 4, .refused = 3}, kNoon) == Pace{});
    pace.most_refused = 16;
    CHECK(after_session(pace, {.allowed = 4, .refused = 4}, kNoon).most_refused == 16);
}

TEST_CASE("a server that ends a session is asked for fewer, for a day", "[census][pacing]") {
    // Exchange: 4 pass, the fifth error ends it.
    Pace pace = after_session({}, {.allowed = 4, .refused = 4}, kNoon);
    REQUIRE(pace.most_refused == 8);
    pace = after_session(pace, {.allowed = 8, .refused = 4, .limit = 5}, kNoon);
    CHECK(pace.most_refused == 4);
    CHECK(pace.limit_at == 5);
    pace = after_session(pace, {.allowed = 4, .refused = 4}, kNoon + 1h);
    CHECK(pace.most_refused == 4);
    CHECK(after_session(pace, {.allowed = 4, .refused = 4}, kNoon - 1h).most_refused == 4);
    pace = after_session(pace, {.allowed = 4, .refused = 4}, kNoon + 24h);
    CHECK(pace.most_refused == 8);
    CHECK_FALSE(pace.limit_at);

    CHECK(after_session({}, {.allowed = 4, .refused = 1, .limit = 1}, kNoon).most_refused == 2);
    // The strictest of several sessions at once counts.
    pace = after_session(after_session({}, {.allowed = 8, .refused = 4, .limit = 5}, kNoon),
                         {.allowed = 8, .refused = 6, .limit = 7}, kNoon);
    CHECK(pace.most_refused == 4);
}

TEST_CASE("how long a refusal takes is remembered, its jitter is not", "[census][pacing]") {
    const Pace slow = after_session({}, {.allowed = 4, .refused = 1, .tarpit = 5000ms}, kNoon);
    CHECK(slow.tarpit == 5000ms);
    CHECK(slow.slow());
    CHECK(after_session(slow, {.allowed = 4, .refused = 1, .tarpit = 5031ms}, kNoon) == slow);
    CHECK_FALSE(after_session(slow, {.allowed = 4, .refused = 1, .tarpit = 2ms}, kNoon).slow());
    // Nothing was refused: nothing was measured.
    CHECK(after_session(slow, {.allowed = 4}, kNoon) == slow);
}
