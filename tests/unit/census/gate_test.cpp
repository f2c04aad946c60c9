// SPDX-License-Identifier: MIT
#include "census/gate.h"

#include "catch.h"

using namespace postcensus::census;

TEST_CASE("the gate lets a few go and stops many", "[census][gate]") {
    struct Case {
        const char* name;
        DomainLosses losses;
        bool stopped;
    };
    // published, lost today, losing
    const std::vector<Case> cases{
        {"nothing is lost", {"a", 1000, 0, 0}, false},
        {"nothing more is lost, whatever was lost before", {"a", 1000, 900, 0}, false},
        {"nothing of nothing", {"a", 0, 0, 0}, false},
        {"one of many", {"a", 1000, 0, 1}, false},
        {"one of two", {"a", 2, 0, 1}, false},
        {"the only one", {"a", 1, 0, 1}, false},
        {"both of two", {"a", 2, 0, 2}, true},
        {"the last after another one today", {"a", 1, 1, 1}, true},
        {"the rest after many today", {"a", 3, 30, 3}, true},
        {"most of a small domain", {"a", 51, 0, 50}, false},
        {"over fifty, over a tenth", {"a", 52, 0, 51}, true},
        {"fifty", {"a", 100, 0, 50}, false},
        {"just over a tenth", {"a", 509, 0, 51}, true},
        {"a tenth", {"a", 510, 0, 51}, false},
        {"over fifty with those of today", {"a", 70, 30, 21}, true},
        {"fifty with those of today", {"a", 70, 30, 20}, false},
        {"a tenth of what there was this morning", {"a", 980, 20, 80}, false},
        {"over a tenth of what there was this morning", {"a", 980, 20, 81}, true},
        {"more than numbers of 32 bits", {"a", 100'000'000, 0, 10'000'001}, true},
        {"a tenth of such", {"a", 100'000'000, 0, 10'000'000}, false},
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        CHECK(stopped_by_gate({one.losses}, {}).empty() != one.stopped);
    }
}

TEST_CASE("all of a domain is lost, though some of it is not published yet", "[census][gate]") {
    CHECK(stopped_by_gate({{"c.example", 3, 0, 5}}, {}).size() == 1);
    CHECK(stopped_by_gate({{"d.example", 0, 0, 2}}, {}).size() == 1);
    CHECK(stopped_by_gate({{"d.example", 0, 0, 1}}, {}).empty());
}

TEST_CASE("the limits are the operator's", "[census][gate]") {
    const std::vector<DomainLosses> losses{{"a", 1000, 0, 300}};
    CHECK(stopped_by_gate(losses, {.percent = 30}).empty());
    CHECK(stopped_by_gate(losses, {.percent = 29}).size() == 1);
    CHECK(stopped_by_gate(losses, {.percent = 100}).empty());
    CHECK(stopped_by_gate(losses, {.percent = 0, .always = 300}).empty());
    CHECK(stopped_by_gate(losses, {.percent = 0, .always = 299}).size() == 1);
    // All of a domain is stopped under any limits.
    CHECK(stopped_by_gate({{"a", 1000, 0, 1000}}, {.percent = 100, .always = 5000}).size() == 1);
}

TEST_CASE("the gate names the domains that stop a batch", "[census][gate]") {
    CHECK(stopped_by_gate({}, {}).empty());
    const auto stopped =
        stopped_by_gate({{"a", 100, 0, 1}, {"b", 100, 0, 60}, {"c", 4, 0, 4}, {"d", 100, 0, 0}}, {});
    REQUIRE(stopped.size() == 2);
    CHECK(stopped[0].domain == "b");
    CHECK(stopped[0].losing == 60);
    CHECK(stopped[1].domain == "c");
}
