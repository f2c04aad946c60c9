// SPDX-License-Identifier: MIT
// An account that lost the right to read addresses of single objects: they show, and their addresses don't.
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include "directory/scripted_ad.h"
#include "flow/read/directory_login.h"
#include "flow/read/reading.h"
#include "store/absences.h"
#include "store/state.h"

using namespace postcensus;
using namespace postcensus::flow;
using directory::LdapAttribute;
using directory::ScriptedAD;

namespace {

using Texts = std::vector<std::string>;

class Village {
  public:
    Village() {
        spdlog::set_default_logger(
            std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>()));
        for (const char* name : {"a", "b", "c"}) ad.put(name, {std::string("SMTP:") + name + "@c.example"});
        settings = ad.settings();
    }

    // It shows these attributes alone, and the server says that it changed.
    void show(const std::string& name, std::vector<LdapAttribute> attributes) {
        ad.put(name, {}).attributes = std::move(attributes);
    }
    DirectoryRead sync(ReadMode mode = ReadMode::automatic) {
        auto read = read_directory(state.database(), settings, mode, {});
        if (!read) FAIL(read.error().message);
        return *std::move(read);
    }
    void sweep() {
        state.write([](store::Writer& writer) { writer.db.exec("UPDATE directory SET swept_at = 0"); });
        sync();
    }
    LookedUp look_up(const std::string& address) {
        auto reader = open_for_questions(state.database(), settings, nullptr);
        REQUIRE(reader);
        auto looked = flow::look_up(state.database(), settings, *reader, {store::address(address)});
        REQUIRE(looked);
        return *std::move(looked);
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
    std::int64_t unseen() { return state.count("SELECT count(*) FROM object WHERE unseen_seq IS NOT NULL"); }
    bool doubtful(const std::string& domain) {
        return state.read([&](SQLite::Database& db) { return store::directories_doubtful(db, domain); });
    }

    store::TestState state;
    ScriptedAD ad;
    directory::Settings settings;
};

const Texts kThree{"a@c.example", "b@c.example", "c@c.example"};

}  // namespace

TEST_CASE("a mailbox that shows no addresses has not lost them", "[flow][hidden]") {
    struct Case {
        const char* name;
        std::vector<LdapAttribute> shows;
        bool stays;
    };
    const Case cases[] = {
        {"mail", {{"mail", {"b@c.example"}}}, true},
        {"a mailbox GUID", {{"msExchMailboxGuid", {std::string(16, 'g')}}}, true},
        {"a kind", {{"msExchRecipientTypeDetails", {"1"}}}, true},
        {"a remote kind", {{"msExchRecipientTypeDetails", {"2147483648"}}}, true},
        {"a database", {{"homeMDB", {"CN=DB1"}}}, true},
        {"nothing", {}, false},
        {"the kind of a user without mailbox", {{"msExchRecipientTypeDetails", {"65536"}}}, false},
        {"other addresses alone", {{"proxyAddresses", {"X500:/o=x"}}, {"mail", {"b@c.example"}}}, false},
    };
    for (const Case& one : cases)
        for (const char* how : {"full", "changes", "sweep"}) {
            INFO(one.name << ", " << how);
            Village village;
            village.ad.configure([&](ScriptedAD& ad) { ad.tombstones = how != std::string("sweep"); });
            village.sync();
            REQUIRE_FALSE(village.doubtful("c.example"));
            village.show("b", one.shows);
            if (how == std::string("full"))
                village.sync(ReadMode::full);
            else if (how == std::string("changes"))
                village.sync();
            else
                village.sweep();
            CHECK(village.listed() == (one.stays ? kThree : Texts{"a@c.example", "c@c.example"}));
            CHECK(village.unseen() == (one.stays ? 1 : 0));
            CHECK(village.doubtful("c.example") == one.stays);
            // Again, in each way: nothing changes.
            village.sync(ReadMode::full);
            village.sweep();
            CHECK(village.unseen() == (one.stays ? 1 : 0));
            // It shows them again; or it has left for good.
            village.ad.put("b", {"SMTP:b@c.example", "smtp:b2@c.example"});
            village.sync();
            CHECK(village.listed() == Texts{"a@c.example", "b2@c.example", "b@c.example", "c@c.example"});
            CHECK(village.unseen() == 0);
            CHECK_FALSE(village.doubtful("c.example"));
            village.show("b", one.shows);
            village.sync();
            village.show("b", {});
            village.sync();
            CHECK(village.listed() == Texts{"a@c.example", "c@c.example"});
            CHECK(village.unseen() == 0);
            CHECK_FALSE(village.doubtful("c.example"));
        }
}

TEST_CASE("a mailbox that never showed addresses is a doubt, and nothing is lost with it", "[flow][hidden]") {
    Village village;
    village.sync();
    village.show("d", {{"mail", {"d@c.example"}}});
    CHECK(village.sync().hidden == 0);
    CHECK(village.doubtful("c.example"));
    CHECK_FALSE(village.doubtful("other.example"));
    CHECK(village.unseen() == 0);
    village.show("d", {{"msExchMailboxGuid", {std::string(16, 'g')}}});
    CHECK(village.sync().hidden == 1);
    CHECK(village.doubtful("other.example"));
    CHECK(village.unseen() == 1);
    CHECK(village.listed() == kThree);
    // The operator says that `mail` is all there is to it.
    village.show("f", {{"mail", {"f@c.example"}}});
    village.sync();
    village.settings.use_mail = true;
    village.sync();
    CHECK(village.listed() == Texts{"a@c.example", "b@c.example", "c@c.example", "f@c.example"});
    village.settings.use_mail = false;
    village.ad.remove("f");
    village.sync();
    village.ad.remove("d");
    village.sync();
    CHECK_FALSE(village.doubtful("c.example"));
    // Without tombstones: not found any more, and it never listed anything.
    village.ad.configure([](ScriptedAD& ad) { ad.tombstones = false; });
    village.show("e", {{"mail", {"e@c.example"}}});
    village.sync();
    REQUIRE(village.doubtful("c.example"));
    village.ad.change("e", [](ScriptedAD::Object& object) { object.hidden = true; });
    village.sync(ReadMode::full);
    CHECK_FALSE(village.doubtful("c.example"));
    CHECK(village.unseen() == 0);
    // A mailbox of Exchange may be where we cannot look any more.
    village.show("g", {{"msExchMailboxGuid", {std::string(16, 'g')}}});
    village.sync();
    village.ad.change("g", [](ScriptedAD::Object& object) { object.hidden = true; });
    village.sync(ReadMode::full);
    CHECK(village.doubtful("c.example"));
}

TEST_CASE("with use-mail, a mail that is left over is no whole listing", "[flow][hidden]") {
    for (const char* how : {"full", "changes", "sweep"}) {
        INFO(how);
        Village village;
        village.settings.use_mail = true;
        village.ad.configure([&](ScriptedAD& ad) { ad.tombstones = how != std::string("sweep"); });
        village.ad.put("b", {"SMTP:b@c.example", "smtp:b2@c.example"});
        village.show("d", {{"mail", {"d@c.example"}}});
        village.sync();
        const Texts all{"a@c.example", "b2@c.example", "b@c.example", "c@c.example", "d@c.example"};
        CHECK(village.listed() == all);
        CHECK_FALSE(village.doubtful("c.example"));
        village.show("b", {{"mail", {"b@c.example"}}});
        if (how == std::string("sweep"))
            village.sweep();
        else
            village.sync(how == std::string("full") ? ReadMode::full : ReadMode::automatic);
        CHECK(village.listed() == all);
        CHECK(village.unseen() == 1);
        CHECK(village.doubtful("c.example"));
        // Who never had others just has a new one.
        village.show("d", {{"mail", {"dd@c.example"}}});
        village.sync();
        CHECK(village.listed() ==
              Texts{"a@c.example", "b2@c.example", "b@c.example", "c@c.example", "dd@c.example"});
        CHECK(village.unseen() == 1);
        village.ad.put("b", {"SMTP:b@c.example"});
        village.sync();
        CHECK(village.unseen() == 0);
        CHECK_FALSE(village.doubtful("c.example"));
    }
}

TEST_CASE("a lookup that meets hidden addresses knows nothing", "[flow][hidden]") {
    Village village;
    village.sync();
    CHECK(village.look_up("b@c.example").found.size() == 1);
    CHECK(village.look_up("x@c.example").doubtful.empty());
    // A known one, hidden since the last reading; and one that nobody has read yet.
    for (const char* name : {"b", "n"}) {
        village.show(name, {{"mail", {std::string(name) + "@c.example"}}});
        const LookedUp looked = village.look_up(std::string(name) + "@c.example");
        CHECK(looked.found.empty());
        CHECK(looked.doubtful.size() == 1);
        CHECK(village.doubtful("c.example"));
        CHECK(village.listed() == kThree);
    }
    CHECK(village.unseen() == 1);
    const auto seq = *village.state.database().current_seq();
    village.look_up("b@c.example");
    CHECK(*village.state.database().current_seq() == seq);  // it is known
    // Another configuration than that of the last reading would see less of each object, or more.
    village.settings.use_mail = true;
    auto reader = open_for_questions(village.state.database(), village.settings, nullptr);
    REQUIRE(reader);
    CHECK_FALSE(
        flow::look_up(village.state.database(), village.settings, *reader, {store::address("a@c.example")}));
    village.settings.use_mail = false;
    // mail beside addresses that show is no doubt.
    village.ad.put("b", {"SMTP:b@c.example"}).attributes.push_back({"mail", {"old@c.example"}});
    CHECK(village.look_up("old@c.example").doubtful.empty());
    CHECK(village.look_up("old@c.example").found.empty());
}
