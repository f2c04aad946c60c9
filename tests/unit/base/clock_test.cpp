// SPDX-License-Identifier: MIT
#include "base/clock.h"

#include "catch.h"

using namespace postcensus;

TEST_CASE("times are written as RFC 3339 in UTC", "[base][clock]") {
    CHECK(format_time(from_unix_ms(0)) == "1970-01-01T00:00:00Z");
    CHECK(format_time(from_unix_ms(1795492066000)) == "2026-11-24T03:47:46Z");
    CHECK(format_time(from_unix_ms(1795492066999)) == "2026-11-24T03:47:46Z");
    CHECK(format_time(from_unix_ms(-1)) == "1969-12-31T23:59:59Z");
}

TEST_CASE("a written time is read back", "[base][clock]") {
    CHECK(parse_time("2026-11-24T03:47:46Z") == from_unix_ms(1795492066000));
    CHECK(parse_time("2024-02-29T23:59:59Z") == from_unix_ms(1709251199000));
    for (const char* text : {"", "2026-11-24", "2026-11-24T03:47:46", "2026-11-24T03:47:46Zx",
                             "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-24T25:00:00Z",
                             "24 Nov 2026", " 2026-11-24T03:47:46Z", "2026-1-4T3:7:6Z"}) {
        INFO(text);
        CHECK_FALSE(parse_time(text));
    }
}

TEST_CASE("milliseconds since the epoch survive", "[base][clock]") {
    CHECK(to_unix_ms(from_unix_ms(1795492066123)) == 1795492066123);
    CHECK(to_unix_ms(now()) > 1700000000000);
}

TEST_CASE("what was heard ages on both clocks", "[base][clock]") {
    using namespace std::chrono_literals;
    const Moment heard{from_unix_ms(1'700'000'000'000), std::chrono::steady_clock::time_point{100s}};
    const auto later = [&](Milliseconds wall, Milliseconds steady) {
        return heard.seen_at({heard.wall + wall, heard.steady + steady}) - heard.wall;
    };
    CHECK(later(0ms, 0ms) == 0ms);
    CHECK(later(60s, 60s) == 0ms);
    CHECK(later(3600s, 60s) == 0ms);      // set forward meanwhile
    CHECK(later(-3600s, 60s) == -3660s);  // set back: still 60 s old
    CHECK(later(10s, 60s) == -50s);
}
