// SPDX-License-Identifier: MIT
// Readings against a directory that misbehaves: whatever goes wrong, nobody is removed, and the next run is
// right.
#include "flow/read/reading.h"

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include "directory/scripted_ad.h"
#include "flow/read/directory_login.h"
#include "store/state.h"

using namespace postcensus;
using namespace postcensus::flow;
using directory::LdapReply;
using directory::LdapSearch;
using directory::ScriptedAD;

namespace {

using Texts = std::vector<std::string>;

class Town {
  public:
    Town() {
        spdlog::set_default_logger(
            std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>()));
        for (const char* name : {"a", "b", "c", "d", "e"})
            ad.put(name, {std::string("SMTP:") + name + "@c.example"});
    }

    Result<DirectoryRead> sync(ReadMode mode = ReadMode::automatic) {
        return read_directory(state.database(), ad.settings(), mode, {});
    }
    std::string summary(ReadMode mode = ReadMode::automatic) {
        const auto read = sync(mode);
        return read ? read->summary : "failed: " + read.error().message;
    }
    Texts listed() {
        return state.read([](SQLite::Database& db) {
            SQLite::Statement all(db,
                                  "SELECT DISTINCT address FROM listing JOIN address ON address.id = "
                                  "address_id ORDER BY address");
            Texts texts;
            while (all.executeStep()) texts.push_back(all.getColumn(0).getString());
            return texts;
        });
    }
    std::string position() {
        const auto facts = state.read([](SQLite::Database& db) { return store::load_directory(db, "corp"); });
        return facts.positions.empty() ? "" : facts.positions.front().text;
    }
    std::int64_t unseen() { return state.count("SELECT count(*) FROM object WHERE unseen_seq IS NOT NULL"); }

    store::TestState state;
    ScriptedAD ad;
};

bool is_reading(const LdapSearch& search) {
    return search.scope == 2 && search.filter.find("objectGUID=") == std::string::npos;
}

const Texts kAll{"a@c.example", "b@c.example", "c@c.example", "d@c.example", "e@c.example"};

}  // namespace

TEST_CASE("whatever goes wrong in a page, nothing is applied, and the next run is right", "[flow][reading]") {
    struct Case {
        const char* name;
        std::function<void(LdapReply&)> answer;
    };
    const auto result = [](int code) { return [code](LdapReply& reply) { reply.done(code, "words", ""); }; };
    const Case cases[] = {
        {"time limit", result(3)},
        {"size limit", result(4)},
        {"administrative limit", result(11)},
        {"busy", result(51)},
        {"unavailable", result(52)},
        {"operations error", result(1)},
        {"another server's", [](LdapReply& reply) { reply.referral({"ldap://other/"}); }},
        {"no answer in pages", [](LdapReply& reply) { reply.done(); }},
        {"the connection ends", [](LdapReply& reply) { reply.close(); }},
        {"the connection ends in an entry",
         [](LdapReply& reply) {
             reply.entry("CN=x,DC=corp,DC=example", {{"proxyAddresses", {"smtp:x@c.example"}}});
             reply.cut(5);
             reply.close();
         }},
        {"garbage",
         [](LdapReply& reply) {
             reply.raw("HTTP/1.1 200 OK\r\n\r\n");
             reply.close();
         }},
        {"no key",
         [](LdapReply& reply) {
             reply.entry("CN=x,DC=corp,DC=example", {{"proxyAddresses", {"smtp:x@c.example"}}});
             reply.done(0, {}, "");
         }},
        {"silence", [](LdapReply&) {}},
    };
    for (const Case& one : cases) {
        for (const int broken : {0, 1, 2}) {
            INFO(one.name << " in page " << broken);
            Town town;
            REQUIRE(town.sync());
            CHECK(town.listed() == kAll);
            const std::string before = town.position();
            town.ad.put("b", {"SMTP:new@c.example"});
            town.ad.remove("c");
            for (const char* name : {"f", "g"})
                town.ad.put(name, {std::string("smtp:") + name + "@c.example"});
            const bool changes_page = broken < 2;  // the changes fill two pages
            for (const ReadMode mode : {ReadMode::full, ReadMode::automatic}) {
                if (mode == ReadMode::automatic && !changes_page) continue;
                town.ad.set_fault([&](const LdapSearch& search, int page, LdapReply& reply) {
                    if (!is_reading(search) || page != broken) return false;
                    one.answer(reply);
                    return true;
                });
                const auto read = town.sync(mode);
                REQUIRE_FALSE(read);
                CHECK(read.error().code == ExitCode::unavailable);
                CHECK(read.error().message.find("nothing was applied") != std::string::npos);
                CHECK(town.listed() == kAll);
                CHECK(town.unseen() == 0);
                CHECK(town.position() == before);
            }
            town.ad.set_fault({});
            REQUIRE(town.sync());
            CHECK(town.listed() == Texts{"a@c.example", "d@c.example", "e@c.example", "f@c.example",
                                         "g@c.example", "new@c.example"});
            CHECK(town.position() != before);
        }
    }
}

TEST_CASE("search references are passed over", "[flow][reading]") {
    Town town;
    town.ad.set_fault([](const LdapSearch& search, int, LdapReply& reply) {
        if (search.scope == 2) reply.reference({"ldap://ForestDnsZones.corp.example/DC=ForestDnsZones"});
        return false;
    });
    REQUIRE(town.sync());
    CHECK(town.listed() == kAll);
    CHECK(town.ad.peer().connections() == 1);
}

TEST_CASE("a range is completed, or the reading is void", "[flow][reading]") {
    Town town;
    bool broken = true;
    town.ad.change("a", [](ScriptedAD::Object& object) {
        object.attributes = {{"proxyAddresses;range=0-1", {"SMTP:a@c.example", "smtp:a2@c.example"}},
                             {"proxyAddresses", {}}};
    });
    town.ad.set_fault([&](const LdapSearch& search, int, LdapReply& reply) {
        if (search.scope != 0 || !search.base.starts_with("CN=a,")) return false;
        const std::string& asked = search.attributes.front();
        if (asked == "proxyAddresses;range=2-*" && !broken)
            reply.entry(search.base,
                        {{"proxyAddresses;range=2-3", {"smtp:a3@c.example", "smtp:a4@c.example"}}});
        else if (asked == "proxyAddresses;range=4-*")
            reply.entry(search.base, {{"proxyAddresses;range=4-*", {"smtp:a5@c.example"}}});
        else
            reply.entry(search.base, {{"proxyAddresses;range=0-1", {"SMTP:a@c.example"}}});
        reply.done();
        return true;
    });
    const auto read = town.sync();
    REQUIRE_FALSE(read);
    CHECK(read.error().message.find("only a part") != std::string::npos);
    CHECK(town.listed().empty());
    broken = false;
    REQUIRE(town.sync());
    CHECK(town.listed().size() == 9);
}

TEST_CASE("a good reading that finds nobody is not applied", "[flow][reading]") {
    Town town;
    REQUIRE(town.sync());
    for (const char* name : {"a", "b", "c", "d", "e"})
        town.ad.change(name, [](ScriptedAD::Object& object) { object.hidden = true; });
    const auto read = town.sync(ReadMode::full);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == ExitCode::finding);
    CHECK(town.listed() == kAll);
    CHECK(town.unseen() == 0);
    CHECK(town.state.count("SELECT full_good FROM directory") == 0);
}

TEST_CASE("changes are read from the position of this very server", "[flow][reading]") {
    Town town;
    CHECK(town.summary() == "corp: full read at 127.0.0.1: 5 added, 0 removed; 5 listed");
    CHECK(town.summary() == "corp: incremental from USN 105 at 127.0.0.1: 0 added, 0 removed; 5 listed");
    town.ad.put("a", {});  // it lost its addresses, and matches no filter by address any more
    town.ad.remove("b");
    town.ad.put("f", {"smtp:f@c.example"});
    CHECK(town.summary() == "corp: incremental from USN 105 at 127.0.0.1: 1 added, 2 removed; 4 listed");
    CHECK(town.listed() == Texts{"c@c.example", "d@c.example", "e@c.example", "f@c.example"});

    // Another database behind the same name, and one that was thrown back.
    town.ad.configure([](ScriptedAD& ad) { ad.invocation = std::string(16, 'j'); });
    CHECK(town.summary().starts_with("corp: full read"));
    CHECK(town.summary().starts_with("corp: incremental"));
    town.ad.set_usn(50);
    CHECK(town.summary().starts_with("corp: full read"));
    CHECK(town.summary().starts_with("corp: incremental from USN 50 "));
    // Another base.
    auto settings = town.ad.settings();
    settings.use_mail = true;
    const auto read = read_directory(town.state.database(), settings, ReadMode::automatic, {});
    REQUIRE(read);
    CHECK(read->summary.starts_with("corp: full read"));
}

TEST_CASE("what is missing is looked for, and not found proves nothing", "[flow][reading]") {
    Town town;
    town.ad.configure([](ScriptedAD& ad) { ad.tombstones = false; });
    REQUIRE(town.sync());
    const auto moved = [](ScriptedAD::Object& object) { object.dn = "CN=a,OU=Leavers,DC=corp,DC=example"; };
    town.ad.change("a", moved);                                                     // out of the base
    town.ad.remove("b");                                                            // no tombstone is shown
    town.ad.change("c", [](ScriptedAD::Object& object) { object.hidden = true; });  // a lost permission
    for (const bool full : {true, false}) {
        INFO(full);
        const auto read = full ? town.sync(ReadMode::full) : [&] {
            town.state.write(
                [](store::Writer& writer) { writer.db.exec("UPDATE directory SET swept_at = 0"); });
            return town.sync();
        }();
        REQUIRE(read);
        CHECK(town.listed() == Texts{"b@c.example", "c@c.example", "d@c.example", "e@c.example"});
        CHECK(town.unseen() == 2);
    }
    CHECK(town.state.pending("c@c.example").evidence.unseen_listings == 1);
    // It is shown again: by a sweep, which sees its key alone.
    town.ad.change("c", [](ScriptedAD::Object& object) { object.hidden = false; });
    town.state.write([](store::Writer& writer) { writer.db.exec("UPDATE directory SET swept_at = 0"); });
    REQUIRE(town.sync());
    CHECK(town.unseen() == 1);
    // The right to see tombstones tells deleted from hidden.
    town.ad.configure([](ScriptedAD& ad) { ad.tombstones = true; });
    REQUIRE(town.sync(ReadMode::full));
    CHECK(town.unseen() == 0);
    CHECK(town.listed() == Texts{"c@c.example", "d@c.example", "e@c.example"});
}

TEST_CASE("a dry run prints the exact difference, sorted, and changes nothing", "[flow][reading]") {
    Town town;
    REQUIRE(town.sync());
    town.ad.put("e", {"SMTP:z@c.example", "smtp:f@c.example"});
    town.ad.remove("a");
    const auto seq = town.state.database().current_seq();
    const auto read = town.sync(ReadMode::dry_run);
    REQUIRE(read);
    CHECK(read->added == Texts{"f@c.example", "z@c.example"});
    CHECK(read->removed == Texts{"a@c.example", "e@c.example"});
    CHECK(town.listed() == kAll);
    CHECK(*town.state.database().current_seq() == *seq);
}

TEST_CASE("polls follow the changes, and write nothing where there are none", "[flow][reading]") {
    Town town;
    auto reader = open_directory(town.state.database(), town.ad.settings(), Other::never, nullptr);
    REQUIRE(reader);
    const auto poll = [&] { return read_changes(town.state.database(), town.ad.settings(), *reader); };
    CHECK_FALSE(poll()->possible);  // a full reading comes first
    REQUIRE(town.sync());
    const auto seq = *town.state.database().current_seq();
    CHECK(poll()->possible);
    CHECK_FALSE(poll()->changed);
    town.ad.put("a", {"SMTP:a@c.example"});  // as after a password change
    CHECK_FALSE(poll()->changed);
    CHECK(*town.state.database().current_seq() == seq);
    town.ad.put("f", {"SMTP:f@c.example"});
    CHECK(poll()->summary == "corp: changes from USN 105 at 127.0.0.1: 1 added, 0 removed; 6 listed");
    town.ad.remove("f");
    CHECK(poll()->changed);
    CHECK(town.listed() == kAll);
}

TEST_CASE("a server that is away is waited for, before another one is read", "[flow][reading]") {
    Town town;
    ScriptedAD other;  // has not heard of anybody but a
    other.put("a", {"SMTP:a@c.example"});
    other.configure([](ScriptedAD& ad) { ad.invocation = std::string(16, 'k'); });
    auto settings = town.ad.settings();
    settings.uris = {"ldap://127.0.0.1:1", town.ad.peer().uri(), other.peer().uri()};
    const auto sync = [&](ReadMode mode) {
        return read_directory(town.state.database(), settings, mode, {});
    };
    REQUIRE(sync(ReadMode::automatic));  // the first one that answers
    CHECK(town.listed() == kAll);
    settings.uris = {other.peer().uri(), town.ad.peer().uri()};
    REQUIRE(sync(ReadMode::automatic));  // the one that is followed comes first
    CHECK(other.peer().connections() == 0);

    town.state.write(
        [](store::Writer& writer) { writer.db.exec("UPDATE position SET uri = 'ldap://127.0.0.1:1'"); });
    settings.uris = {other.peer().uri(), "ldap://127.0.0.1:1"};
    const auto waits = sync(ReadMode::automatic);
    REQUIRE_FALSE(waits);
    CHECK(waits.error().message.find("another server is read from") != std::string::npos);
    CHECK(town.listed() == kAll);
    CHECK(town.state.count("SELECT count(*) FROM directory WHERE away_since IS NOT NULL") == 1);
    // Questions need no position.
    CHECK(open_for_questions(town.state.database(), settings, nullptr));
    town.state.write([](store::Writer& writer) {
        writer.db.exec("UPDATE directory SET away_since = away_since - 41 * 60 * 1000");
    });
    REQUIRE(sync(ReadMode::automatic));
    CHECK(town.unseen() == 4);  // who has not come there yet is not gone
    CHECK(town.listed() == kAll);
}

TEST_CASE("a refused login is not tried again, by anyone", "[flow][reading]") {
    Town town;
    int binds = 0;
    directory::LdapPeer refusing(
        [](const LdapSearch&, LdapReply& reply) { reply.done(1); },
        [&](const directory::LdapBind&, LdapReply& reply) {
            ++binds;
            reply.done(
                49,
                "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v4563");
        });
    auto settings = town.ad.settings();
    settings.uris = {refusing.uri(), town.ad.peer().uri()};
    auto read = read_directory(town.state.database(), settings, ReadMode::automatic, {});
    REQUIRE_FALSE(read);
    CHECK(read.error().message.find("wrong password") != std::string::npos);
    CHECK(town.ad.peer().connections() == 0);
    CHECK_FALSE(read_directory(town.state.database(), settings, ReadMode::full, {}));
    CHECK_FALSE(open_for_questions(town.state.database(), settings, nullptr));
    CHECK(binds == 1);
}
