// SPDX-License-Identifier: MIT
#include "directory/servers.h"

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include "catch.h"

using namespace postcensus;
using namespace postcensus::directory;

TEST_CASE("DNS cannot send a password out of the domain", "[directory][servers]") {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>()));
    using Texts = std::vector<std::string>;
    struct Case {
        const char* domain;
        Texts hosts;
        Texts uris;  // none: refused
    };
    const Case cases[] = {
        {"corp.example", {"dc1.corp.example:389"}, {"ldaps://dc1.corp.example"}},
        {"Corp.Example.", {"DC1.CORP.example.:389"}, {"ldaps://dc1.corp.example"}},
        {"corp.example", {"corp.example:389"}, {"ldaps://corp.example"}},
        {"corp.example", {"dc1.hq.corp.example:389"}, {"ldaps://dc1.hq.corp.example"}},
        {"corp.example", {"dc1.evil.example:389", "dc1.corp.example:389"}, {"ldaps://dc1.corp.example"}},
        {"corp.example", {"dc1.evil.example:389"}, {}},
        {"corp.example", {"evilcorp.example:389"}, {}},
        {"corp.example", {"corp.example.evil.example:389"}, {}},
        {"corp.example", {"example:389"}, {}},
        {"corp.example", {".corp.example.:389"}, {"ldaps://.corp.example"}},
        {"corp.example", {"192.0.2.1:389"}, {}},
        {"corp.example", {":389"}, {}},
        // What a URI would read in another way.
        {"corp.example", {"evil.example/.corp.example:389"}, {}},
        {"corp.example", {"evil.example?.corp.example:389"}, {}},
        {"corp.example", {"evil.example#.corp.example:389"}, {}},
        {"corp.example", {"user@evil.example,x.corp.example:389"}, {}},
        {"corp.example", {"evil.example%2f.corp.example:389"}, {}},
        {"corp.example", {"evil.example:636/.corp.example:389"}, {}},
    };
    for (const Case& one : cases) {
        Settings settings;
        settings.name = "corp";
        settings.domain = one.domain;
        CAPTURE(one.hosts);
        const auto uris = uris_of(settings, one.hosts);
        if (one.uris.empty()) {
            REQUIRE_FALSE(uris);
            CHECK(uris.error().code == ExitCode::unavailable);
            CHECK(uris.error().message.find("uri instead of domain") != std::string::npos);
            settings.starttls = true;
            CHECK_FALSE(uris_of(settings, one.hosts));
        } else {
            REQUIRE(uris);
            CHECK(*uris == one.uris);
        }
    }
    Settings settings;
    settings.domain = "corp.example";
    settings.starttls = true;
    CHECK(uris_of(settings, {"dc1.corp.example:3890"}) == Texts{"ldap://dc1.corp.example:3890"});
    // Kerberos sends no secret, and knows the server by itself.
    settings.bind = Bind::gssapi;
    CHECK(uris_of(settings, {"dc1.other.example:389"}) == Texts{"ldap://dc1.other.example:389"});
    CHECK_FALSE(uris_of(settings, {"evil.example/.corp.example:389"}));
}
