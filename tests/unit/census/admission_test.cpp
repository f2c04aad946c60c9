// SPDX-License-Identifier: MIT
#include "census/admission.h"

#include <fmt/format.h>

#include <cmath>

#include "catch.h"

using namespace postcensus;
using namespace postcensus::census;
using namespace std::chrono_literals;

namespace {

const Admission::Clock::time_point kStart{1000h};
constexpr std::uint64_t kKey = 42;
constexpr Rate kAny{1e6, 1e6};

Network network(std::string_view text) {
    const auto parsed = Network::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

// How many of `tries` at this time are admitted.
int admitted(Admission& admission, int tries, std::string_view domain, std::string_view client,
             Admission::Clock::time_point now = kStart) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += admission.admit(domain, client, now) ? 1 : 0;
    return count;
}

}  // namespace

TEST_CASE("rates are read as written", "[census][admission]") {
    struct Case {
        const char* text;
        double per_second;
        double burst;
    };
    for (const Case& one : {Case{"20/s", 20, 200},
                            {"5/s", 5, 50},
                            {"30/m", 0.5, 30},
                            {"3600/h", 1, 3600},
                            {"0.5/s", 0.5, 5},
                            {"0.5/m", 0.5 / 60, 1}}) {
        CAPTURE(one.text);
        const auto rate = Rate::parse(one.text);
        REQUIRE(rate);
        CHECK(std::abs(rate->per_second - one.per_second) < 1e-9);
        CHECK(std::abs(rate->burst - one.burst) < 1e-9);
    }
    for (const char* text : {"", "20", "/s", "20/d", "20/S", "20 /s", "20/s ", "0/s", "-1/s", "inf/s",
                             "nan/s", "1e9/s", "x/s", "20s"}) {
        CAPTURE(text);
        const auto rate = Rate::parse(text);
        REQUIRE_FALSE(rate);
        CHECK(rate.error().code == ExitCode::configuration);
        CHECK(rate.error().message.find("20/s") != std::string::npos);
    }
}

TEST_CASE("networks hold their addresses", "[census][admission]") {
    struct Case {
        const char* network;
        const char* address;
        bool inside;
    };
    const std::vector<Case> cases{
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.77/24", "192.0.2.1", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::", false},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::/0", "2001:db8::1", true},
        {"::1", "::1", true},
        {"::1/128", "::2", false},
    };
    for (const Case& one : cases) {
        CAPTURE(one.network, one.address);
        CHECK(network(one.network).contains(network(one.address)) == one.inside);
    }
    for (const char* text : {"", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/", "192.0.2/24", "2001:db8::/129",
                             "mail.example", "192.0.2.0/24x", "unknown"}) {
        CAPTURE(text);
        const auto parsed = Network::parse(text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().code == ExitCode::configuration);
    }
}

TEST_CASE("each network has its share", "[census][admission]") {
    Admission admission({.total = kAny, .domain = kAny, .network = {0.5, 30}}, kKey);
    CHECK(admitted(admission, 100, "corp.example", "192.0.2.1") == 30);
    // The whole /24 is one client, whatever domain it asks for; another one has its own share.
    CHECK(admitted(admission, 100, "other.example", "192.0.2.200") == 0);
    CHECK(admitted(admission, 100, "corp.example", "192.0.3.1") == 30);
    // It fills again with time, and never beyond its burst.
    CHECK(admitted(admission, 100, "corp.example", "192.0.2.1", kStart + 10s) == 5);
    CHECK(admitted(admission, 100, "corp.example", "192.0.2.1", kStart + 10s) == 0);
    CHECK(admitted(admission, 100, "corp.example", "192.0.2.1", kStart + 240h) == 30);
}

TEST_CASE("an IPv6 /64 is one client", "[census][admission]") {
    Admission admission({.total = kAny, .domain = kAny, .network = {0.5, 30}}, kKey);
    int count = 0;
    for (int i = 0; i < 1000; ++i)
        count +=
            admission.admit("corp.example", fmt::format("2001:db8:1:2:{:x}::{:x}", i, i), kStart) ? 1 : 0;
    CHECK(count == 30);
    CHECK(admitted(admission, 100, "corp.example", "2001:db8:1:3::1") == 30);
    // The two ways to write an IPv4 address are one client.
    CHECK(admitted(admission, 100, "corp.example", "192.0.2.1") == 30);
    CHECK(admitted(admission, 100, "corp.example", "::ffff:192.0.2.2") == 0);
}

TEST_CASE("clients without an address share one budget", "[census][admission]") {
    Admission admission({.total = kAny, .domain = kAny, .network = {0.5, 30}}, kKey);
    CHECK(admitted(admission, 20, "corp.example", "unknown") == 20);
    CHECK(admitted(admission, 20, "corp.example", "") == 10);
    CHECK(admitted(admission, 20, "corp.example", "made up") == 0);
}

TEST_CASE("each domain has its share", "[census][admission]") {
    Admission admission({.total = kAny, .domain = {5, 50}, .network = kAny}, kKey);
    CHECK(admitted(admission, 500, "corp.example", "192.0.2.1") == 50);
    CHECK(admitted(admission, 500, "corp.example", "203.0.113.1") == 0);
    CHECK(admitted(admission, 500, "other.example", "192.0.2.1") == 50);
    CHECK(admitted(admission, 500, "corp.example", "192.0.2.1", kStart + 2s) == 10);
}

TEST_CASE("all together have a limit", "[census][admission]") {
    Admission admission({.total = {20, 200}, .domain = kAny, .network = kAny}, kKey);
    int count = 0;
    for (int i = 0; i < 1000; ++i)
        count += admission.admit(fmt::format("d{}.example", i), fmt::format("10.{}.{}.1", i / 250, i % 250),
                                 kStart)
                     ? 1
                     : 0;
    CHECK(count == 200);
    CHECK(admitted(admission, 1000, "corp.example", "192.0.2.1", kStart + 1s) == 20);
}

TEST_CASE("relays have no budget of their own", "[census][admission]") {
    Admission admission({.total = kAny,
                         .domain = {5, 50},
                         .network = {0.5, 3},
                         .relays = {network("192.0.2.0/28"), network("2001:db8::/32")}},
                        kKey);
    CHECK(admitted(admission, 40, "corp.example", "192.0.2.1") == 40);
    // They still keep to that of the domain.
    CHECK(admitted(admission, 40, "corp.example", "2001:db8::5") == 10);
    CHECK(admitted(admission, 40, "other.example", "192.0.2.16") == 3);
    // The empty address of a client that Postfix cannot name is in no network.
    CHECK(admitted(admission, 40, "third.example", "unknown") == 3);
}

TEST_CASE("who is refused costs the others nothing", "[census][admission]") {
    Admission admission({.total = {20, 200}, .domain = {5, 50}, .network = {0.5, 30}}, kKey);
    CHECK(admitted(admission, 100'000, "corp.example", "192.0.2.1") == 30);
    CHECK(admitted(admission, 100, "corp.example", "203.0.113.1") == 20);
    CHECK(admitted(admission, 100, "other.example", "203.0.113.1") == 10);
}

TEST_CASE("a flood of made-up names keeps to the budget", "[census][admission]") {
    Admission admission({}, kKey);
    int count = 0;
    for (int i = 0; i < 200'000; ++i)
        count +=
            admission.admit(fmt::format("d{}.example", i),
                            fmt::format("{}.{}.{}.9", 1 + i % 200, i / 200 % 250, i % 251), kStart + i * 1ms)
                ? 1
                : 0;
    CHECK(count >= 200 + 20 * 199 - 10);
    CHECK(count <= 200 + 20 * 200);
}

TEST_CASE("the key chooses who shares a bucket", "[census][admission]") {
    // More networks than buckets: some share. Which ones, depends on the key.
    const auto refused = [](std::uint64_t key) {
        Admission admission({.total = kAny, .domain = kAny, .network = {0.001, 1}}, key);
        std::vector<int> out;
        for (int i = 0; i < 2000; ++i)
            if (!admission.admit("corp.example", fmt::format("10.{}.{}.1", i / 250, i % 250), kStart))
                out.push_back(i);
        return out;
    };
    const std::vector<int> one = refused(1);
    CHECK(one == refused(1));
    CHECK(one.size() < 200);
    CHECK(one != refused(0x9E3779B97F4A7C15ULL));
}
