// SPDX-License-Identifier: MIT
// With the real postmap(1).
#include "flow/publish/publisher.h"

#include "flow/town.h"
#include "postfix/lapse.h"
#include "postfix/maps.h"

using namespace postcensus;
using namespace postcensus::flow;
using namespace std::chrono_literals;
using census::Answer;
using census::CalloutClass;
using census::Reason;

namespace {

// A town whose tables are put out.
class Printer : public Town {
  public:
    Printer() : maps("lmdb"), publisher(configuration, maps.tables, *state.database().state_id(), "+") {}

    // What was put out, in its order.
    Texts publish() {
        REQUIRE(decide_all(state.database(), configuration, now));
        std::vector<Published> out;
        const auto done = publisher.publish_overlays(state.database(), now, out);
        REQUIRE(done);
        REQUIRE(note_published(state.database(), out));
        Texts tables;
        for (const Published& one : out) tables.push_back(one.table);
        return tables;
    }

    postfix::Maps maps;
    Publisher publisher;
};

}  // namespace

TEST_CASE("only what has changed is put out", "[flow][publish]") {
    Printer town;
    town.list({"a@c.example"});
    town.list({"x@c.example"}, true);
    CHECK(town.publish() == Texts{"unknown", "learned", "closed"});
    CHECK(town.publish().empty());
    town.state.miss("r@c.example", town.now);
    town.state.callout("r@c.example", CalloutClass::unknown, town.now);
    CHECK(town.publish() == Texts{"unknown"});
    CHECK(town.maps.find("unknown", "r@c.example").starts_with("550 5.1.1 "));
    // Out of unknown first.
    town.list({"r@c.example"});
    CHECK(town.publish() == Texts{"unknown", "learned"});
    town.list({"x@c.example"});
    CHECK(town.publish() == Texts{"closed"});
    CHECK(town.maps.find("closed", "x@c.example") == "-");
}

TEST_CASE("what failsafe emptied is noted with the next publication", "[flow][publish]") {
    Printer town;
    REQUIRE(town.maps.tables.ensure_spares());
    town.state.miss("r@c.example", town.now);
    town.state.callout("r@c.example", CalloutClass::unknown, town.now);
    town.publish();
    const auto traces = [&] {
        return town.state.read([](SQLite::Database& db) {
            return db.execAndGet("SELECT count(*) || ' ' || coalesce(max(words), '') FROM command")
                .getString();
        });
    };
    // A hand is none of it.
    std::filesystem::last_write_time(town.maps.path("unknown"),
                                     std::filesystem::file_time_type::clock::now());
    CHECK(town.publish() == Texts{"unknown"});
    CHECK(traces() == "0 ");
    REQUIRE(postfix::lapse_tables(town.maps.path(), town.now, postfix::Lapse::all));
    CHECK(town.publish() == Texts{"unknown"});
    CHECK(traces() == "1 emptied the table unknown");
    CHECK(town.publish().empty());
    CHECK(traces() == "1 emptied the table unknown");
}

TEST_CASE("what the decider empties itself is its own work, and written again", "[flow][publish]") {
    Printer town;
    town.configuration.postfix.maps = town.maps.path();
    town.state.miss("r@c.example", town.now);
    town.state.callout("r@c.example", CalloutClass::unknown, town.now);
    town.publish();
    REQUIRE(town.maps.find("unknown", "r@c.example").starts_with("550"));
    // main.cf is gone: postmap fails, and so does the withdrawal by a publication. The spares stand.
    std::filesystem::rename(town.maps.etc() / "main.cf", town.maps.etc() / "aside");
    town.list({"r@c.example"});
    REQUIRE(decide_all(town.state.database(), town.configuration, town.now));
    std::vector<Published> out;
    for (int attempt = 0; attempt < 3; ++attempt) {
        out.clear();
        CHECK_FALSE(town.publisher.publish_overlays(town.state.database(), town.now, out));
        REQUIRE(note_published(town.state.database(), out));
        CHECK(out.size() == (attempt == 0 ? 1U : 0U));
    }
    std::filesystem::rename(town.maps.etc() / "aside", town.maps.etc() / "main.cf");
    CHECK(town.maps.find("unknown", "r@c.example") == "-");
    const auto done = [&] {
        return town.state.read([](SQLite::Database& db) {
            return db
                .execAndGet("SELECT group_concat(name || ' ' || substr(words, 1, 44), '; ') FROM command")
                .getString();
        });
    };
    CHECK(done() == "decider emptied the table unknown: it could not be w");
    CHECK(town.publish() == Texts{"unknown", "learned"});
    CHECK(town.maps.tables.head("unknown"));
    CHECK(done() == "decider emptied the table unknown: it could not be w");
    CHECK(town.publish().empty());
}

TEST_CASE("an extension is named beside who is refused without it", "[flow][publish]") {
    Printer town;
    town.list({"x@c.example", "x+in@c.example"}, true);
    town.publish();
    CHECK(town.maps.find("closed", "x+in@c.example").starts_with("550 5.7.1 "));
    CHECK(town.maps.find("closed", "x+out@c.example") == "-");  // postmap -q asks for nothing else
    town.list({"x+out@c.example"});
    town.publish();
    CHECK(town.maps.find("closed", "x+out@c.example") == "DUNNO");
    town.unlist({"x+out@c.example"});
    town.publish();
    CHECK(town.maps.find("closed", "x+out@c.example") == "-");
}

TEST_CASE("a closed recipient is refused as long as something confirms it", "[flow][publish]") {
    Printer town;
    town.list({"x@c.example"}, true);
    town.publish();
    const auto closed = [&](const char* text) { return town.maps.find("closed", text).starts_with("550"); };
    const auto out_at = [&](Time time) {
        town.now = time;
        town.publish();
        return std::pair(closed("x@c.example"), closed("y@c.example"));
    };
    using Both = std::pair<bool, bool>;
    CHECK(out_at(kNoon + 13h) == Both{true, false});
    town.state.callout("y@c.example", CalloutClass::policy, kNoon + 20h);
    CHECK(out_at(kNoon + 20h) == Both{true, true});
    CHECK(town.maps.tables.head("closed")->until == kNoon + 24h);
    CHECK(out_at(kNoon + 24h) == Both{false, true});
    // The directory is read again, and nothing in it has changed.
    town.state.apply("corp", {}, town.now);
    CHECK(out_at(kNoon + 24h + 2min) == Both{true, true});
    CHECK(out_at(kNoon + 60h) == Both{false, false});
    town.state.apply("corp", {}, town.now);
    CHECK(out_at(kNoon + 60h + 2min) == Both{true, false});
    // The clock is set back a day and a half: nothing that was confirmed by then says anything any more, even
    // when the clock comes there again.
    CHECK(out_at(kNoon + 24h) == Both{false, false});
    CHECK(out_at(kNoon + 61h) == Both{false, false});
    town.state.apply("corp", {}, town.now);
    CHECK(out_at(kNoon + 61h + 2min) == Both{true, false});
}

TEST_CASE("no clock makes a rejection longer", "[flow][publish]") {
    Printer town;
    town.configuration.routes[0].policy.unknown_expire = 1h;
    town.state.miss("r@c.example", town.now);
    town.state.callout("r@c.example", CalloutClass::unknown, town.now);
    town.publish();
    CHECK(town.maps.tables.head("unknown")->until == kNoon + 1h + 1min);
    town.now -= 48h;
    CHECK(town.publish() == Texts{"unknown"});
    CHECK(town.maps.find("unknown", "r@c.example") == "-");
    town.now += 48h + 1h;
    town.publish();
    CHECK(town.maps.find("unknown", "r@c.example") == "-");
}
