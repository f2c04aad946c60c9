// SPDX-License-Identifier: MIT
// Servers that never come to an end: each reading does, applies nothing, and the next one is right.
#include <malloc.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>

#include "directory/scripted_ad.h"
#include "flow/read/directory_login.h"
#include "flow/read/reading.h"
#include "store/state.h"

using namespace postcensus;
using namespace postcensus::flow;
using directory::LdapReply;
using directory::LdapSearch;
using directory::ScriptedAD;

namespace {

struct Site {
    Site() {
        spdlog::set_default_logger(
            std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>()));
        for (const char* name : {"a", "b", "c"}) ad.put(name, {std::string("SMTP:") + name + "@c.example"});
        settings = ad.settings();
    }
    std::int64_t listed() { return state.count("SELECT count(*) FROM listing"); }

    store::TestState state;
    ScriptedAD ad;
    directory::Settings settings;
};

std::string guid(int number) {
    std::string text = std::to_string(number);
    return std::string(16 - text.size(), '\x02') + text;
}

void entry(LdapReply& reply, int number) {
    reply.entry("CN=" + std::to_string(number) + ",OU=Staff,DC=corp,DC=example",
                {{"objectGUID", {guid(number)}},
                 {"proxyAddresses", {"SMTP:" + std::to_string(number) + "@c.example"}}});
}

bool is_search(const LdapSearch& search) {
    return search.scope == 2 && search.filter.find("objectGUID=") == std::string::npos;
}

}  // namespace

TEST_CASE("a reading without an end ends, and applies nothing", "[flow][endless]") {
    struct Case {
        const char* name;
        std::function<void(const LdapSearch&, int number, LdapReply&)> answer;  // `number`: of the search
        const char* words;
    };
    const Case cases[] = {
        {"empty pages", [](const auto&, int, LdapReply& reply) { reply.done(0, {}, "1"); }, "empty pages"},
        {"pages of references",
         [](const auto&, int, LdapReply& reply) {
             reply.reference({"ldap://other/"});
             reply.done(0, {}, "1");
         },
         "empty pages"},
        {"the same entry",
         [](const auto&, int, LdapReply& reply) {
             entry(reply, 1);
             reply.done(0, {}, "1");
         },
         "same pages"},
        {"a circle of pages",
         [](const auto&, int number, LdapReply& reply) {
             entry(reply, number % 5);
             reply.done(0, {}, "1");
         },
         "same pages"},
        {"a page of entries without end",
         [](const auto&, int, LdapReply& reply) {
             for (int i = 0; i < 10'001; ++i) entry(reply, i);
         },
         "more entries"},
        {"references without end",
         [](const auto&, int, LdapReply& reply) {
             for (int i = 0; i < 10'001; ++i) reply.reference({"ldap://other/"});
         },
         "references"},
        {"ever new entries",
         [](const auto&, int number, LdapReply& reply) {
             entry(reply, number);
             reply.done(0, {}, "1");
         },
         "in all"},
        {"an entry that claims to be huge",
         [](const auto&, int, LdapReply& reply) {
             // SEQUENCE of 1 GiB
             reply.raw(std::string("\x30\x84\x40\x00\x00\x00\x02\x01\x03\x64", 10) +
                       std::string(100'000, 'x'));
         },
         ""},
    };
    for (const Case& one : cases)
        for (const ReadMode mode : {ReadMode::full, ReadMode::automatic}) {
            INFO(one.name);
            Site site;
            REQUIRE(read_directory(site.state.database(), site.settings, ReadMode::full, {}));
            site.ad.put("a", {"SMTP:new@c.example"});
            std::atomic<int> number = 0;
            site.ad.set_fault([&](const LdapSearch& search, int, LdapReply& reply) {
                if (!is_search(search)) return false;
                one.answer(search, ++number, reply);
                return true;
            });
            site.settings.whole_timeout = std::chrono::seconds{2};
            site.settings.answer_timeout = std::chrono::seconds{4};
            const auto read = read_directory(site.state.database(), site.settings, mode, {});
            REQUIRE_FALSE(read);
            CHECK(read.error().code == ExitCode::unavailable);
            INFO(read.error().message);
            CHECK(read.error().message.find(one.words) != std::string::npos);
            CHECK(site.listed() == 3);
            CHECK(::mallinfo2().uordblks < 200UL * 1024 * 1024);
            site.ad.set_fault({});
            site.settings = site.ad.settings();
            REQUIRE(read_directory(site.state.database(), site.settings, mode, {}));
            CHECK(site.listed() == 3);
        }
}

TEST_CASE("one empty page is no fault, nor a page that begins as an earlier one", "[flow][endless]") {
    Site site;
    site.ad.set_fault([](const LdapSearch& search, int page, LdapReply& reply) {
        if (!is_search(search) || page > 3) return false;
        if (page != 1) entry(reply, page == 3 ? 0 : page);
        reply.done(0, {}, page == 3 ? "" : std::to_string(page + 1));
        return true;
    });
    const auto read = read_directory(site.state.database(), site.settings, ReadMode::full, {});
    REQUIRE(read);
    CHECK(site.listed() == 2);
}

TEST_CASE("a poll and a lookup end in time", "[flow][endless]") {
    Site site;
    REQUIRE(read_directory(site.state.database(), site.settings, ReadMode::full, {}));
    site.settings.whole_timeout = std::chrono::seconds{1};
    site.ad.set_usn(1000);
    std::atomic<int> number = 0;
    site.ad.set_fault([&](const LdapSearch& search, int, LdapReply& reply) {
        if (!is_search(search)) return false;
        entry(reply, ++number);
        reply.done(0, {}, "1");
        return true;
    });
    auto reader = open_for_questions(site.state.database(), site.settings, nullptr);
    REQUIRE(reader);
    CHECK_FALSE(read_changes(site.state.database(), site.settings, *reader));
    reader = open_for_questions(site.state.database(), site.settings, nullptr);
    REQUIRE(reader);
    CHECK_FALSE(look_up(site.state.database(), site.settings, *reader, {store::address("x@c.example")}));
    CHECK(site.listed() == 3);
}

TEST_CASE("a range that does not add up voids the reading", "[flow][endless]") {
    struct Case {
        const char* first;                 // the name that comes with the object, with two values
        std::vector<const char*> further;  // that come for each further question, with two values too
        bool good;
    };
    const Case cases[] = {
        {"proxyAddresses", {}, true},
        {"proxyAddresses;range=0-*", {}, true},
        {"proxyAddresses;Range=0-1", {"proxyAddresses;range=2-*"}, true},
        {"proxyAddresses;range=0-1", {"proxyAddresses;range=2-3", "proxyAddresses;range=4-*"}, true},
        {"proxyAddresses;range=0-2147483647", {}, false},
        {"proxyAddresses;range=0-99999999999999999999", {}, false},
        {"proxyAddresses;range=0-", {}, false},
        {"proxyAddresses;range=", {}, false},
        {"proxyAddresses;range=0", {}, false},
        {"proxyAddresses;range=x-1", {}, false},
        {"proxyAddresses;range=-1-1", {}, false},
        {"proxyAddresses;range=0-1x", {}, false},
        {"proxyAddresses;range=1-0", {}, false},
        {"proxyAddresses;range=2-3", {}, false},
        {"proxyAddresses;range=0-0", {}, false},   // two came
        {"proxyAddresses;range=0-99", {}, false},  // more were promised
        {"proxyAddresses;range=0-1", {"proxyAddresses;range=0-1"}, false},
        {"proxyAddresses;range=0-1", {"proxyAddresses;range=0-*"}, false},
        {"proxyAddresses;range=0-1", {"proxyAddresses;range=3-4"}, false},
        {"proxyAddresses;range=0-1", {"proxyAddresses;range=2-1"}, false},
        {"proxyAddresses;range=0-1", {"proxyAddresses;range=2-2147483647"}, false},
        {"proxyAddresses;range=0-1", {"proxyAddresses;range=2-"}, false},
        {"proxyAddresses;range=0-1", {"proxyAddresses"}, false},
    };
    for (const Case& one : cases) {
        CAPTURE(one.first, one.further);
        Site site;
        site.ad.change("a", [&](ScriptedAD::Object& object) {
            object.attributes = {{one.first, {"SMTP:a@c.example", "smtp:a2@c.example"}}};
        });
        std::size_t asked = 0;
        site.ad.set_fault([&](const LdapSearch& search, int, LdapReply& reply) {
            if (search.scope != 0 || !search.base.starts_with("CN=a,")) return false;
            const std::string name = one.further.at(std::min(asked++, one.further.size() - 1));
            reply.entry(search.base, {{name,
                                       {"smtp:x" + std::to_string(asked) + "@c.example",
                                        "smtp:y" + std::to_string(asked) + "@c.example"}}});
            reply.done();
            return true;
        });
        CHECK(bool(read_directory(site.state.database(), site.settings, ReadMode::full, {})) == one.good);
        CHECK(asked <= 3);
        CHECK(site.listed() == (one.good ? 4 + 2 * static_cast<std::int64_t>(one.further.size()) : 0));
    }
}
