// SPDX-License-Identifier: MIT
#include "census/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "catch.h"

using namespace postcensus;
using namespace postcensus::census;
using namespace std::chrono_literals;

namespace {

const Admission::Clock::time_point kStart{1000h};
constexpr std::uint64_t kKey = 42;
constexpr Rate kAny{1e6, 1e6};
const Budget kNetworksOnly{.total = kAny, .domain = kAny, .network = {0.5, 30}};

mail::Address address(const std::string& text) {
    return mail::Address::from_internal(text).value();
}

Network network(std::string_view text) {
    const auto parsed = Network::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

// A name that nobody asked for before.
mail::Address fresh(std::string_view domain = "corp.example") {
    static int number = 0;
    return address(fmt::format("made-up{}@{}", ++number, domain));
}

// How many of `tries` fresh names are admitted at this time.
int admitted(Admission& admission, int tries, std::string_view domain, std::string_view client,
             Admission::Clock::time_point now = kStart) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += admission.admit(fresh(domain), client, now) ? 1 : 0;
    return count;
}

int may_ask(Admission& admission, int tries, std::string_view domain,
            Admission::Clock::time_point now = kStart) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += admission.may_ask(domain, now) ? 1 : 0;
    return count;
}

Place place(Admission& admission, const std::string& name, std::string_view client,
            Admission::Clock::time_point now = kStart) {
    const auto found = admission.admit(address(name), client, now);
    REQUIRE(found);
    return *found;
}

std::string client_of(int network) {
    return fmt::format("10.{}.{}.1", network / 250, network % 250);
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

TEST_CASE("each network has its share", "[census][admission]") {
    Admission admission(kNetworksOnly, kKey);
    CHECK(admitted(admission, 100, "corp.example", "192.0.2.1") == 30);
    // The whole /24 is one client, whatever domain it asks for; another one has its own share.
    CHECK(admitted(admission, 100, "other.example", "192.0.2.200") == 0);
    CHECK(admitted(admission, 100, "corp.example", "192.0.3.1") == 30);
    // It fills again with time, and never beyond its burst.
    CHECK(admitted(admission, 100, "corp.example", "192.0.2.1", kStart + 10s) == 5);
    CHECK(admitted(admission, 100, "corp.example", "192.0.2.1", kStart + 10s) == 0);
    CHECK(admitted(admission, 100, "corp.example", "192.0.2.1", kStart + 240h) == 30);
}

TEST_CASE("who has many IPv6 networks has no budget for each", "[census][admission]") {
    const auto count = [](const char* format, int tries) {
        Admission admission(kNetworksOnly, kKey);
        int number = 0;
        for (int i = 0; i < tries; ++i)
            number += admission.admit(fresh(), fmt::format(fmt::runtime(format), i), kStart) ? 1 : 0;
        return number;
    };
    CHECK(count("2001:db8:1:2:{:x}::1", 1000) == 30);
    CHECK(count("2001:db8:1:{:x}::1", 1000) == 4 * 30);
    CHECK(count("2001:db8:{:x}::1", 5000) == 16 * 30);
    CHECK(count("2001:{:x}::1", 500) == 500);
}

TEST_CASE("clients without an address share one budget", "[census][admission]") {
    Admission admission(kNetworksOnly, kKey);
    CHECK(admitted(admission, 20, "corp.example", "unknown") == 20);
    CHECK(admitted(admission, 20, "corp.example", "") == 10);
    CHECK(admitted(admission, 20, "corp.example", "made up") == 0);
}

TEST_CASE("relays have no budget of their own, and no turn to wait for", "[census][admission]") {
    Budget budget = kNetworksOnly;
    budget.relays = {network("192.0.2.0/28")};
    Admission admission(budget, kKey);
    admission.add_relays({network("2001:db8::/32")});
    CHECK(admitted(admission, 400, "corp.example", "192.0.2.1") == 400);
    CHECK(place(admission, "one@corp.example", "2001:db8::5").turn == 0);
    CHECK(admitted(admission, 400, "corp.example", "192.0.2.16") == 30);
    for (int i = 0; i < 100; ++i) admission.note_answer("192.0.2.1", true);
    CHECK(place(admission, "two@corp.example", "192.0.2.1").turn == 0);
}

TEST_CASE("what is asked has the domain's budget, and the total one", "[census][admission]") {
    Admission admission({.total = {20, 200}, .domain = {5, 50}, .network = kAny}, kKey);
    CHECK(may_ask(admission, 500, "corp.example") == 50);
    CHECK(may_ask(admission, 500, "other.example") == 50);
    CHECK(may_ask(admission, 500, "third.example") == 50);
    CHECK(may_ask(admission, 500, "fourth.example") == 50);
    CHECK(may_ask(admission, 500, "fifth.example") == 0);
    CHECK(admission.next_ask("fifth.example", kStart) == kStart + 50ms);
    CHECK(may_ask(admission, 500, "corp.example", kStart + 2s) == 10);
    CHECK(admission.next_ask("corp.example", kStart + 2s) == kStart + 2200ms);
    CHECK(admission.next_ask("sixth.example", kStart + 2s) == kStart + 2s);
    CHECK(may_ask(admission, 500, "sixth.example", kStart + 2s) == 30);
    admission.give_back("sixth.example");
    CHECK(may_ask(admission, 500, "sixth.example", kStart + 2s) == 1);
}

TEST_CASE("networks take turns", "[census][admission]") {
    Admission admission({}, kKey);
    std::vector<double> turns;
    for (int i = 0; i < 10; ++i)
        turns.push_back(place(admission, fmt::format("flood{}@corp.example", i), "192.0.2.1").turn);
    CHECK(std::is_sorted(turns.begin(), turns.end()));
    CHECK(turns.back() >= 9);
    // Who comes for the first time is not behind them.
    CHECK(place(admission, "real@corp.example", "203.0.113.1").turn <= turns[1]);
    // But not before what was taken already.
    admission.note_taken("corp.example", turns[4]);
    CHECK(place(admission, "later@corp.example", "198.51.100.1").turn == turns[4]);
    // Each domain has its own turns.
    CHECK(place(admission, "real@other.example", "192.0.2.1").turn == 0);
}

TEST_CASE("a network of unknowns has fewer turns, and never none", "[census][admission]") {
    Admission admission({}, kKey);
    for (int i = 0; i < 1000; ++i) {
        admission.note_answer("192.0.2.1", true);
        admission.note_answer("203.0.113.1", false);
    }
    double bad = 0;
    double good = 0;
    for (int i = 0; i < 20; ++i) {
        bad = place(admission, fmt::format("bad{}@corp.example", i), "192.0.2.9").turn;
        good = place(admission, fmt::format("good{}@corp.example", i), "203.0.113.9").turn;
    }
    CHECK(bad / good > 6);
    CHECK(bad / good < 9);
    // What it has in the queue falls back behind those of others, by as much.
    CHECK(admission.place_now({false, 1}, "192.0.2.9").turn > 7);
    CHECK(admission.place_now({false, 1}, "203.0.113.1").turn == 1);
    CHECK(admission.place_now({true, 1}, "192.0.2.9").before({false, 1}));
    // It is forgiven with time.
    for (int i = 0; i < 1000; ++i) admission.note_answer("192.0.2.1", false);
    admission.note_taken("corp.example", bad + 10);
    CHECK(place(admission, "again@corp.example", "192.0.2.9").turn < bad + 10.5);
}

TEST_CASE("who comes back goes first", "[census][admission]") {
    Admission admission({}, kKey);
    CHECK_FALSE(place(admission, "new@corp.example", "192.0.2.1").returning);
    CHECK_FALSE(place(admission, "new@corp.example", "192.0.2.1", kStart + 59s).returning);
    const Place back = place(admission, "new@corp.example", "192.0.2.1", kStart + 60s);
    CHECK(back.returning);
    // Wherever it comes from: mail servers retry from the next address of a pool.
    CHECK(place(admission, "new@corp.example", "198.51.100.1", kStart + 61s).returning);
    CHECK(back.before({false, 0}));
    CHECK_FALSE(Place{false, 0}.before(back));
    CHECK(Place{true, 1}.before({true, 2}));
    CHECK_FALSE(place(admission, "new@corp.example", "192.0.2.1", kStart + 25h).returning);
}

TEST_CASE("a flood of new names leaves those of its network that come back their budget",
          "[census][admission]") {
    Admission admission(kNetworksOnly, kKey);
    CHECK_FALSE(place(admission, "real@corp.example", "192.0.2.1").returning);
    CHECK(admitted(admission, 1000, "corp.example", "192.0.2.1", kStart + 59s) < 60);
    CHECK_FALSE(admission.admit(fresh(), "192.0.2.1", kStart + 60s));
    CHECK(place(admission, "real@corp.example", "192.0.2.1", kStart + 60s).returning);
    // And one that was suppressed is known when it comes again.
    const mail::Address suppressed = fresh();
    CHECK_FALSE(admission.admit(suppressed, "192.0.2.1", kStart + 60s));
    const auto again = admission.admit(suppressed, "192.0.2.1", kStart + 120s);
    REQUIRE(again);
    CHECK(again->returning);
}

TEST_CASE("a full queue takes who stands before its last", "[census][admission]") {
    Admission admission({}, kKey);
    admission.note_queue(Admission::kMostQueued, "corp.example", Place{false, 3});
    CHECK(admission.admit(address("other@other.example"), "192.0.2.1", kStart));
    CHECK(admission.admit(address("first@corp.example"), "192.0.2.1", kStart));
    admission.note_taken("corp.example", 5);
    CHECK_FALSE(admission.admit(address("late@corp.example"), "203.0.113.1", kStart));
    // It had cost its network nothing, and is known when it comes again.
    CHECK(admission.admit(address("late@corp.example"), "203.0.113.1", kStart + 60s));
    admission.note_queue(Admission::kMostQueued - 1, "corp.example", Place{false, 3});
    CHECK(admission.admit(fresh(), "203.0.113.1", kStart));
    CHECK_FALSE(admission.admit(fresh(), "203.0.113.1", kStart));
}

TEST_CASE("a flood from everywhere does not take the memory of who was there before it",
          "[census][admission]") {
    Admission admission({}, kKey);
    for (int i = 0; i < 20; ++i)
        admission.admit(address(fmt::format("real{}@corp.example", i)), client_of(60'000 + i), kStart);
    for (int i = 0; i < 500'000; ++i) admission.admit(fresh(), client_of(i % 60'000), kStart + i * 100us);
    int returning = 0;
    for (int i = 0; i < 20; ++i) {
        const auto back = admission.admit(address(fmt::format("real{}@corp.example", i)),
                                          client_of(60'000 + i), kStart + 300s);
        returning += back && back->returning ? 1 : 0;
    }
    CHECK(returning == 20);
}

TEST_CASE("the key chooses who shares a slot", "[census][admission]") {
    // More networks than slots: some share. Which ones, depends on the key.
    const auto refused = [](std::uint64_t key) {
        Admission admission({.total = kAny, .domain = kAny, .network = {0.001, 1}}, key);
        std::vector<int> out;
        for (int i = 0; i < 2000; ++i)
            if (!admission.admit(fresh(), client_of(i), kStart)) out.push_back(i);
        return out;
    };
    const std::vector<int> one = refused(1);
    CHECK(one == refused(1));
    CHECK(one.size() < 200);
    CHECK(one != refused(0x9E3779B97F4A7C15ULL));
}

TEST_CASE("a miss that is repeated costs its network nothing", "[census][admission]") {
    Admission admission(kNetworksOnly, kKey);
    for (int i = 0; i < 500; ++i) CHECK(admission.admit(address("anna@corp.example"), "192.0.2.7", kStart));
    // 29 others are left of 30.
    CHECK(admitted(admission, 100, "corp.example", "192.0.2.8") == 29);
    // Nor does the repetition of one that was not admitted get in.
    const mail::Address late = fresh();
    for (int i = 0; i < 3; ++i) CHECK_FALSE(admission.admit(late, "192.0.2.8", kStart));
}
