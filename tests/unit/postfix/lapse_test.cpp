// SPDX-License-Identifier: MIT
#include "postfix/lapse.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <functional>

#include "base/unique_fd.h"
#include "postfix/maps.h"

using namespace postcensus;
using namespace postcensus::postfix;
using namespace std::chrono_literals;

namespace {

using Texts = std::vector<std::string>;

const std::string kKey = "a@c.example";

// Both tables with one entry each, and their spares.
void fill(const Maps& maps, std::optional<Time> until = kNoon + 1h, Time written = kNoon) {
    REQUIRE(maps.tables.ensure_spares());
    for (const char* name : {"unknown", "closed"})
        REQUIRE(maps.tables.publish(content(name, {{kKey, "REJECT"}}, until, written)));
}

// The names of the tables that were emptied.
Texts lapse(const Maps& maps, Time now = kNoon) {
    const auto lapsed = lapse_tables(maps.path(), now);
    if (!lapsed) FAIL(lapsed.error().message << " " << lapsed.error().detail);
    Texts names;
    for (const Lapsed& one : *lapsed) {
        CHECK_FALSE(one.why.empty());
        names.push_back(one.table);
    }
    return names;
}

// Text and index are of one time now.
void same_time(const Maps& maps, const std::string& name) {
    std::filesystem::last_write_time(maps.path(name), std::filesystem::last_write_time(maps.index(name)));
}

}  // namespace

TEST_CASE("with the program goes what it refused, however good", "[postfix][lapse]") {
    const Maps maps("lmdb");
    fill(maps);
    REQUIRE(maps.tables.publish(content("directory", {{kKey, "OK"}})));
    const auto lapsed = lapse_tables(maps.path(), kNoon, Lapse::all);
    REQUIRE(lapsed);
    REQUIRE(lapsed->size() == 2);
    for (const char* name : {"unknown", "closed"}) CHECK(maps.tables.keys(name)->empty());
    CHECK(maps.tables.keys("directory")->size() == 1);
    CHECK(lapse_tables(maps.path(), kNoon, Lapse::all)->empty());
}

TEST_CASE("a table that is good is left alone", "[postfix][lapse]") {
    for (const std::string& type : usable_types()) {
        CAPTURE(type);
        const Maps maps(type);
        fill(maps);
        REQUIRE(maps.tables.publish(content("directory", {{kKey, "OK"}})));
        REQUIRE(maps.tables.publish(content("learned", {{kKey, "OK"}})));
        const std::string before = maps.tables.identity("unknown") + maps.tables.identity("closed");
        CHECK(lapse(maps, kNoon) == Texts{});
        CHECK(lapse(maps, kNoon + 1h - 1ms) == Texts{});
        CHECK(lapse(maps, kNoon - 60s) == Texts{});
        CHECK(maps.tables.identity("unknown") + maps.tables.identity("closed") == before);
        // What is accepted has no end.
        CHECK(lapse(maps, kNoon + 1h) == Texts{"unknown", "closed"});
        CHECK(maps.find("directory", kKey) == "OK");
        CHECK(maps.find("learned", kKey) == "OK");
    }
}

TEST_CASE("a table that is not good any more is emptied", "[postfix][lapse]") {
    struct Case {
        const char* name;
        std::function<void(const Maps&)> damage;
        Texts emptied;
    };
    const Texts unknown{"unknown"};
    const std::vector<Case> cases{
        {"over",
         [](const Maps& maps) {
             REQUIRE(maps.tables.publish(content("unknown", {{kKey, "REJECT"}}, kNoon)));
         },
         unknown},
        {"written in the future",
         [](const Maps& maps) {
             REQUIRE(maps.tables.publish(content("unknown", {{kKey, "REJECT"}}, kNoon + 1h, kNoon + 61s)));
         },
         unknown},
        {"no end",
         [](const Maps& maps) {
             REQUIRE(maps.tables.publish(content("unknown", {{kKey, "REJECT"}})));
         },
         unknown},
        {"no head",
         [](const Maps& maps) {
             REQUIRE(write_file(maps.path("unknown"), kKey + "\tREJECT\n", 0644));
             same_time(maps, "unknown");
         },
         unknown},
        {"an index older than its text",
         [](const Maps& maps) {
             std::filesystem::last_write_time(maps.index("unknown"),
                                              std::filesystem::last_write_time(maps.path("unknown")) - 1ms);
         },
         unknown},
        {"an index older than its empty text",
         [](const Maps& maps) {
             REQUIRE(write_file(maps.path("unknown"), "", 0644));
             std::filesystem::last_write_time(maps.index("unknown"),
                                              std::filesystem::last_write_time(maps.path("unknown")) - 1ms);
         },
         unknown},
        {"no text", [](const Maps& maps) { std::filesystem::remove(maps.path("unknown")); }, unknown},
        {"closed is over",
         [](const Maps& maps) {
             REQUIRE(maps.tables.publish(content("closed", {{kKey, "REJECT"}}, kNoon)));
         },
         {"closed"}},
        {"closed without text",
         [](const Maps& maps) { std::filesystem::remove(maps.path("closed")); },
         {"closed"}},
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        const Maps maps(usable_types().at(0));
        fill(maps);
        one.damage(maps);
        CHECK(lapse(maps) == one.emptied);
        for (const std::string name : {"unknown", "closed"}) {
            CAPTURE(name);
            const bool emptied = std::find(one.emptied.begin(), one.emptied.end(), name) != one.emptied.end();
            CHECK(maps.find(name, kKey) == (emptied ? "-" : "REJECT"));
            CHECK(maps.tables.keys(name) == (emptied ? Texts{} : Texts{kKey}));
        }
        // Once is enough, and what is published next is as good as ever.
        CHECK(lapse(maps) == Texts{});
        REQUIRE(maps.tables.publish(content("unknown", {{kKey, "REJECT"}}, kNoon + 1h)));
        CHECK(maps.find("unknown", kKey) == "REJECT");
        CHECK(lapse(maps) == Texts{});
    }
}

TEST_CASE("an empty table is built where its spare is missing", "[postfix][lapse]") {
    for (const std::string& type : usable_types())
        for (const Texts& missing : {Texts{"text"}, Texts{"index"}, Texts{"text", "index"}}) {
            CAPTURE(type, missing);
            const Maps maps(type);
            fill(maps, kNoon);
            for (const std::string& one : missing)
                REQUIRE(std::filesystem::remove(one == "text" ? maps.path("unknown.empty")
                                                              : maps.index("unknown.empty")));
            CHECK(lapse(maps) == Texts{"unknown", "closed"});
            CHECK(maps.find("unknown", kKey) == "-");
            CHECK(maps.find("closed", kKey) == "-");
            CHECK(lapse(maps) == Texts{});
        }
}

TEST_CASE("a text cut anywhere in its head counts as over", "[postfix][lapse]") {
    const Maps maps(usable_types().at(0));
    fill(maps);
    const auto text = read_file(maps.path("unknown"), 100'000);
    REQUIRE(text);
    const std::size_t head = text->find(kKey);
    REQUIRE(head != std::string::npos);
    int wrong = 0;
    for (std::size_t length = 0; length + 1 < head; length += 11) {
        // The entry is still there: it is the head that is not whole.
        REQUIRE(write_file(maps.path("unknown"), text->substr(0, length) + "\n" + kKey + "\tREJECT\n", 0644));
        same_time(maps, "unknown");
        if (lapse(maps) != Texts{"unknown"} || !maps.tables.keys("unknown")->empty()) ++wrong;
    }
    CHECK(wrong == 0);
}

TEST_CASE("what is empty already is not touched", "[postfix][lapse]") {
    for (const std::string& type : usable_types()) {
        CAPTURE(type);
        const Maps maps(type);
        CHECK(lapse(maps) == Texts{});
        REQUIRE(maps.tables.ensure_spares());
        CHECK(lapse(maps) == Texts{});
        REQUIRE(maps.tables.publish(content("unknown", {}, kNoon - 24h)));
        REQUIRE(maps.tables.publish(content("closed", {}, kNoon - 24h, kNoon + 24h)));
        const std::string before = maps.tables.identity("unknown") + maps.tables.identity("closed");
        CHECK(lapse(maps) == Texts{});
        CHECK(maps.tables.identity("unknown") + maps.tables.identity("closed") == before);
    }
    CHECK(lapse_tables("/nonexistent/maps", kNoon).error().code == ExitCode::configuration);
}

TEST_CASE("Postfix sees at once that a table was emptied", "[postfix][lapse]") {
    const Maps maps(usable_types().at(0));
    fill(maps, kNoon);
    const UniqueFd open(::open(maps.index("unknown").c_str(), O_RDONLY | O_CLOEXEC));
    CHECK(lapse(maps) == Texts{"unknown", "closed"});
    struct stat facts {};
    REQUIRE(::fstat(open.get(), &facts) == 0);
    CHECK(facts.st_nlink == 0);
    for (const auto& path : {maps.path("unknown"), maps.index("unknown")}) {
        REQUIRE(::stat(path.c_str(), &facts) == 0);
        CHECK((facts.st_mode & 0777U) == 0644U);
    }
}

TEST_CASE("one table that cannot be emptied does not save the other", "[postfix][lapse]") {
    const Maps maps(usable_types().at(0));
    fill(maps, kNoon);
    std::filesystem::remove(maps.index("unknown"));
    std::filesystem::create_directories(maps.index("unknown") / "in the way");
    const auto lapsed = lapse_tables(maps.path(), kNoon);
    REQUIRE_FALSE(lapsed);
    CHECK(lapsed.error().code == ExitCode::cannot_write);
    CHECK(maps.find("closed", kKey) == "-");
}

TEST_CASE("a table is withdrawn whatever its head says", "[postfix][lapse]") {
    const Maps maps(usable_types().at(0));
    fill(maps, kNoon + 24h);
    REQUIRE(empty_table(maps.path(), "unknown"));
    CHECK(maps.find("unknown", kKey) == "-");
    CHECK(maps.find("closed", kKey) == "REJECT");
    // The spare is used up, and made again.
    CHECK_FALSE(std::filesystem::exists(maps.index("unknown.empty")));
    REQUIRE(maps.tables.ensure_spares());
    CHECK(std::filesystem::exists(maps.index("unknown.empty")));
    CHECK(maps.find("unknown.empty", kKey) == "-");
}

TEST_CASE("an index of another type that was left behind harms nothing", "[postfix][lapse]") {
    const Texts types = usable_types();
    if (types.size() < 2 || types[0] != "lmdb") return;
    // The operator changed table-type: the old index stays beside, older than the new text.
    const Maps maps("lmdb");
    fill(maps);
    const TableFolder hash({.config_dir = maps.etc(), .maps = maps.path()}, types[1]);
    REQUIRE(hash.ensure_spares());
    REQUIRE(hash.publish(content("unknown", {{"b@c.example", "REJECT"}}, kNoon + 1h)));
    std::filesystem::last_write_time(maps.index("unknown"),
                                     std::filesystem::last_write_time(maps.path("unknown")) - 1h);
    CHECK(lapse(maps) == Texts{});
    CHECK(hash.look_up("unknown", "b@c.example").value() == std::optional<std::string>("REJECT"));
}
