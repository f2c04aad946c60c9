// SPDX-License-Identifier: MIT
#include "census/sightings.h"

#include <string>

#include "catch.h"

using namespace postcensus::census;
using namespace std::chrono_literals;

namespace {

const Sightings::Clock::time_point kStart{1000h};

}  // namespace

TEST_CASE("an address is known since it was first seen", "[census][sightings]") {
    Sightings sightings(7);
    CHECK_FALSE(sightings.see("a@corp.example", kStart));
    CHECK(sightings.see("a@corp.example", kStart) == 0s);
    CHECK(sightings.see("a@corp.example", kStart + 90s) == 90s);
    CHECK_FALSE(sightings.see("b@corp.example", kStart + 90s));
    // After a day it is new again.
    CHECK(sightings.see("a@corp.example", kStart + 23h) == 23h);
    CHECK_FALSE(sightings.see("a@corp.example", kStart + 24h));
    CHECK(sightings.see("a@corp.example", kStart + 25h) == 1h);
}

TEST_CASE("the names of a flood fit, and few are taken for each other", "[census][sightings]") {
    Sightings sightings(7);
    int known = 0;
    for (int i = 0; i < 600'000; ++i)
        known += sightings.see("first" + std::to_string(i), kStart + 1s) ? 1 : 0;
    CHECK(known < 100);
    // They fit.
    known = 0;
    for (int i = 590'000; i < 600'000; ++i)
        known += sightings.see("first" + std::to_string(i), kStart + 2s) ? 1 : 0;
    CHECK(known > 9'800);
}
