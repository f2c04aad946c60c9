// SPDX-License-Identifier: MIT
#include "check/talk_to_server.h"

#include "catch.h"

using namespace postcensus;
using namespace postcensus::check;
using namespace std::chrono_literals;

TEST_CASE("what a server can answer", "[check][check]") {
    // Exchange's defaults: docs/exchange.md says about 0.6.
    CHECK(answers_per_second(4, 4, 5s) == Approx(0.59).margin(0.02));
    CHECK(answers_per_second(4, 4, 0ms) > 30);
    CHECK(answers_per_second(8, 4, 5s) > 1.1);
    CHECK(answers_per_second(1, 1, 5s) > 0);
}

TEST_CASE("an address of our own", "[check][check]") {
    CHECK(own_address_towards({"127.0.0.1", 2525}) == "127.0.0.1");
    CHECK(own_address_towards({"no such host", 2525}).empty());
}
