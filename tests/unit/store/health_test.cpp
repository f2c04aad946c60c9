// SPDX-License-Identifier: MIT
#include "store/health.h"

#include "store/domains.h"
#include "store/state.h"

using namespace postcensus;
using namespace postcensus::store;
using namespace std::chrono_literals;

TEST_CASE("how the state is", "[store][health]") {
    TestState state;
    auto health = state.read([](SQLite::Database& db) { return load_state_health(db, kNoon); });
    CHECK(health.undecided == 0);
    CHECK(health.waiting == 0);
    CHECK_FALSE(health.oldest_in_line);
    CHECK(health.directories.empty());

    state.miss("a@corp.example", kNoon);
    state.miss("a@corp.example", kNoon + 1s);
    state.miss("b@corp.example", kNoon + 2s);
    state.miss("c@other.example", kNoon + 2s);
    state.miss("b@corp.example", kNoon + 2h);
    state.write([](Writer& writer) {
        count(writer, "misses-without-route", kNoon, 3);
        count(writer, "misses-without-route", kNoon - 24h, 4);
        count(writer, "misses-without-route", kNoon - 48h, 5);
        line_up(writer, kNoon + 3h, false);
        replace_domains(writer, {{"corp.example", "x", {}}, {"other.example", "x", {}}});
        set_accept_all(writer, "other.example", true);
    });
    health = state.read([](SQLite::Database& db) { return load_state_health(db, kNoon); });
    CHECK(health.misses_without_route == 7);
    CHECK(health.misses_suppressed == 0);
    CHECK(health.waiting == 3);
    CHECK(health.accept_all == std::vector<std::string>{"other.example"});
    CHECK(health.oldest_in_line);
    const auto busiest = [&](Time since) {
        return state.read([&](SQLite::Database& db) { return busiest_hour(db, "corp.example", since); });
    };
    CHECK(busiest(kNoon - 24h) == 2);
    CHECK(busiest(kNoon + 1h) == 1);
    CHECK(busiest(kNoon + 3h) == 0);
}

TEST_CASE("when a directory was read", "[store][health]") {
    TestState state;
    state.write([](Writer& writer) {
        note_failed(
            writer,
            {.directory = "corp", .began = kNoon, .ended = kNoon, .outcome = "broke off", .good = false});
    });
    const auto corp = [&] {
        return state.read(
            [](SQLite::Database& db) { return load_state_health(db, kNoon).directories.at(0); });
    };
    CHECK(corp().full_failure == "broke off");
    CHECK_FALSE(corp().last_good);
    CHECK(corp().outcome == "broke off");
    // What a lookup says afterwards is another matter.
    state.apply({.directory = "corp",
                 .kind = ReadingKind::lookup,
                 .began = kNoon + 1h,
                 .ended = kNoon + 1h,
                 .began_seq = 1},
                {});
    CHECK(corp().full_failure == "broke off");
    CHECK(corp().outcome == "applied");
    CHECK(corp().last_good == kNoon + 1h);
    state.apply("corp", {}, kNoon + 2h);
    CHECK_FALSE(corp().full_failure);
}

TEST_CASE("a lookup before the first reading in full is no failure of it", "[store][health]") {
    TestState state;
    state.apply(
        {.directory = "corp", .kind = ReadingKind::lookup, .began = kNoon, .ended = kNoon, .began_seq = 1},
        {});
    const auto corp =
        state.read([](SQLite::Database& db) { return load_state_health(db, kNoon).directories.at(0); });
    CHECK_FALSE(corp.full_failure);
    CHECK_FALSE(corp.last_full);
    CHECK(corp.last_good == kNoon);
}

TEST_CASE("the version of a state", "[store][health]") {
    const TempFolder folder = TempFolder::create(std::filesystem::temp_directory_path(), "health").value();
    const auto path = folder.path() / "state.db";
    CHECK_FALSE(schema_version(path));
    { REQUIRE(Database::open(path, Database::Mode::create, 1s)); }
    const auto version = schema_version(path);
    REQUIRE(version);
    CHECK(version->found == version->newest);
    CHECK(version->newest > 0);
}
