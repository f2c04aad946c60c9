// SPDX-License-Identifier: MIT
// What EHLO offers and what the dialogue makes of it: HELO, STARTTLS, SMTPUTF8.
#include <string>

#include "callout/talk.h"
#include "catch.h"

using namespace postcensus;
using namespace postcensus::callout;
using census::CalloutClass;

TEST_CASE("HELO where EHLO is refused", "[callout]") {
    CHECK(talk(questions(), {.ehlo = "502 5.5.1 not implemented"}).outcomes.size() == 2);
    const SessionResult neither = talk(questions(), {.ehlo = "502 no", .helo = "550 no"});
    CHECK(neither.health == Health::fault);
    CHECK(mentions(neither.reason, "helo"));
}

TEST_CASE("STARTTLS", "[callout]") {
    Questions asked = questions();
    const std::string offer = "250-ex1|250-SMTPUTF8|250 STARTTLS";
    SECTION("opportunistic and offered") {
        asked.tls = Tls::opportunistic;
        Peer peer{.ehlo = offer};
        CHECK(talk(asked, peer).outcomes.size() == 2);
        CHECK(peer.encrypted);
        CHECK(peer.commands[1] == "STARTTLS");
        CHECK(peer.commands[2] == "EHLO gw.corp.example");
    }
    SECTION("opportunistic and not offered, or refused: in clear") {
        asked.tls = Tls::opportunistic;
        CHECK(talk(asked, Peer{}).outcomes.size() == 2);
        CHECK(talk(asked, {.ehlo = offer, .starttls = "454 4.7.0 TLS not available"}).outcomes.size() == 2);
        CHECK(talk(asked, {.ehlo = offer, .starttls = "502 5.5.1 no"}).outcomes.size() == 2);
    }
    SECTION("required") {
        asked.tls = Tls::required;
        CHECK(talk(asked, {.ehlo = offer}).outcomes.size() == 2);
        CHECK(talk(asked, Peer{}).health == Health::fault);
        CHECK(talk(asked, {.ehlo = "502 no"}).health == Health::fault);
        CHECK(talk(asked, {.ehlo = offer, .starttls = "502 5.5.1 no"}).health == Health::fault);
        CHECK(talk(asked, {.ehlo = offer, .starttls = "454 4.7.0 not now"}).health == Health::retry);
    }
    SECTION("off") {
        Peer peer{.ehlo = offer};
        talk(asked, peer);
        CHECK_FALSE(peer.encrypted);
    }
    SECTION("what was offered in clear does not count inside TLS") {
        asked.tls = Tls::opportunistic;
        asked.recipients = {address("j\xc3\xb6rg@corp.example")};
        for (const std::string inside : {"250-ex1|250 SIZE", "502 5.5.1 not implemented"}) {
            const SessionResult result = talk(asked, {.ehlo = offer, .ehlo_in_tls = inside});
            REQUIRE(result.outcomes.size() == 1);
            CHECK(mentions(result.outcomes[0].reply, "does not offer SMTPUTF8"));
        }
    }
    SECTION("a failed handshake") {
        for (const Tls tls : {Tls::opportunistic, Tls::required}) {
            asked.tls = tls;
            Dialogue dialogue(asked);
            dialogue.connected();
            dialogue.line("220 ex1");
            dialogue.line("250-ex1");
            dialogue.line("250 STARTTLS");
            CHECK(dialogue.line("220 go").kind == Step::Kind::handshake);
            CHECK(dialogue.tls_failed("self-signed certificate").kind == Step::Kind::finished);
            const SessionResult result = dialogue.take_result();
            CHECK(result.health == (tls == Tls::required ? Health::fault : Health::retry));
            CHECK(mentions(result.reason, "self-signed certificate"));
        }
    }
}

TEST_CASE("recipients that are not ASCII", "[callout]") {
    Questions asked = questions();
    asked.recipients.insert(asked.recipients.begin(), address("j\xc3\xb6rg@corp.example"));
    Peer peer;
    const SessionResult without = talk(asked, peer);
    REQUIRE(without.outcomes.size() == 3);
    CHECK(without.outcomes[0].klass == CalloutClass::retry);
    CHECK(without.outcomes[0].reply == "unverifiable: the server does not offer SMTPUTF8");
    CHECK(without.outcomes[2].klass == CalloutClass::unknown);

    Peer able{.ehlo = "250-ex1|250-smtputf8|250 SIZE"};
    const SessionResult with = talk(asked, able);
    CHECK(able.commands[1] == "MAIL FROM:<> SMTPUTF8");
    REQUIRE(with.outcomes.size() == 3);
    CHECK(with.outcomes[0].klass == CalloutClass::unknown);

    // A domain has an ASCII form, which every server takes.
    asked.recipients = {
        address("anna@b\xc3\xbc"
                "cher.example")};
    Peer plain;
    talk(asked, plain);
    CHECK(std::find(plain.commands.begin(), plain.commands.end(), "RCPT TO:<anna@xn--bcher-kva.example>") !=
          plain.commands.end());
}
