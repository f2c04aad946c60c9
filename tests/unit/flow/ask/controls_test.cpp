// SPDX-License-Identifier: MIT
#include "flow/ask/controls.h"

#include <set>

#include "catch.h"

using namespace postcensus;
using namespace postcensus::flow;
using namespace std::chrono_literals;

namespace {

using Addresses = std::vector<mail::Address>;
using Targets = ControlDraws::Targets;

const Targets kHere{{"ex1.corp.example", 2525}};
const Targets kElsewhere{{"ex2.corp.example", 2525}};

mail::Address numbered(int number) {
    return mail::Address::from_internal("n" + std::to_string(number) + "@c.example").value();
}

// A large directory: each draw has eight that nobody drew before. Postfix's tables are asked between two
// tries.
struct Site {
    std::optional<Addresses> take() {
        known.insert(wanted.begin(), wanted.end());
        wanted.clear();
        return draws.take(
            "c.example", kHere, now,
            [this] {
                Addresses drawn;
                while (drawn.size() < 8 && next < size) drawn.push_back(numbered(next++));
                return drawn;
            },
            [this](const mail::Address& address) -> std::optional<Targets> {
                if (silent.contains(address)) return std::nullopt;
                if (known.contains(address)) return elsewhere.contains(address) ? kElsewhere : kHere;
                wanted.insert(address);
                return std::nullopt;
            });
    }

    ControlDraws draws;
    ControlDraws::Clock::time_point now{};
    int next = 0;
    int size = 100'000;
    std::set<mail::Address> known, wanted, elsewhere, silent;
};

}  // namespace

TEST_CASE("controls of a large directory are looked up once, and together", "[flow][controls]") {
    Site site;
    CHECK_FALSE(site.take());
    CHECK(site.wanted.size() == 8);
    const auto taken = site.take();
    REQUIRE(taken);
    CHECK(taken->size() == 8);
    CHECK(site.next == 8);
    // The next session draws anew.
    CHECK_FALSE(site.take());
    CHECK(site.next == 16);
}

TEST_CASE("for a server that has few of the recipients more are drawn", "[flow][controls]") {
    Site site;
    for (int i = 0; i < 22; ++i) site.elsewhere.insert(numbered(i));
    for (int i = 0; i < 3; ++i) CHECK_FALSE(site.take());
    auto taken = site.take();
    // 22 and 23 were not enough.
    CHECK_FALSE(taken);
    taken = site.take();
    REQUIRE(taken);
    CHECK(taken->size() == 8);
    CHECK(taken->front() == numbered(22));

    Site other;
    for (int i = 0; i < 100; ++i) other.elsewhere.insert(numbered(i));
    int tries = 0;
    while (!(taken = other.take())) REQUIRE(++tries < 10);
    CHECK(taken->empty());
    CHECK(other.next == 32);
}

TEST_CASE("a directory of few is drawn whole", "[flow][controls]") {
    Site site;
    site.size = 2;
    CHECK_FALSE(site.take());
    const auto taken = site.take();
    REQUIRE(taken);
    CHECK(taken->size() == 2);
    site.size = 0;
    site.draws = {};
    CHECK(site.take() == Addresses{});
}

TEST_CASE("tables that do not answer for all hold nothing up for ever", "[flow][controls]") {
    Site site;
    site.silent = {numbered(1), numbered(2)};
    CHECK_FALSE(site.take());
    CHECK_FALSE(site.take());
    site.now += 5s;
    const auto taken = site.take();
    REQUIRE(taken);
    CHECK(taken->size() == 6);

    Site mute;
    for (int i = 0; i < 8; ++i) mute.silent.insert(numbered(i));
    CHECK_FALSE(mute.take());
    mute.now += 59s;
    CHECK_FALSE(mute.take());
    CHECK(mute.next == 8);
    mute.now += 1s;
    CHECK_FALSE(mute.take());
    CHECK(mute.take());
}
