// SPDX-License-Identifier: MIT
#include "base/duration.h"

#include <string>

#include "catch.h"

using namespace postcensus;
using namespace std::chrono_literals;

TEST_CASE("durations have a unit", "[base][duration]") {
    CHECK(parse_duration("200ms") == 200ms);
    CHECK(parse_duration("30s") == 30s);
    CHECK(parse_duration("5m") == 5min);
    CHECK(parse_duration("3h") == 3h);
    CHECK(parse_duration("7d") == 168h);
    CHECK(parse_duration("0") == 0ms);
    CHECK(parse_duration("0s") == 0ms);
    CHECK(parse_duration("36500d") == 876000h);
}

TEST_CASE("what is no duration is refused with a remedy", "[base][duration]") {
    for (const char* text : {"", "5", "s", "5 s", "-5s", "+5s", "5S", "5sec", "1.5h", "36501d",
                             "9223372036854775807d", "99999999999999999999s", "0x1s"}) {
        INFO(text);
        const auto duration = parse_duration(text);
        REQUIRE_FALSE(duration);
        CHECK(duration.error().code == ExitCode::configuration);
        CHECK(duration.error().message.find("7d") != std::string::npos);
    }
}

TEST_CASE("a duration is written in the largest whole unit, and read back", "[base][duration]") {
    CHECK(format_duration(90s) == "90s");
    CHECK(format_duration(3600s) == "1h");
    CHECK(format_duration(24h) == "1d");
    CHECK(format_duration(1500ms) == "1500ms");
    CHECK(format_duration(0ms) == "0s");
    for (const auto duration : {1ms, 999ms, 1000ms, 60'000ms, 5'400'000ms, 604'800'000ms, 0ms})
        CHECK(parse_duration(format_duration(duration)) == duration);
}

TEST_CASE("people get two units at most", "[base][duration]") {
    CHECK(spell_duration(-5s) == "0 s");
    CHECK(spell_duration(999ms) == "0 s");
    CHECK(spell_duration(5s) == "5 s");
    CHECK(spell_duration(12min + 59s) == "12 min");
    CHECK(spell_duration(3h + 5min) == "3 h 5 min");
    CHECK(spell_duration(76h) == "3 d 4 h");
}
