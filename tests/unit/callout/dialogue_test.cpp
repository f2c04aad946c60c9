// SPDX-License-Identifier: MIT
#include "callout/dialogue.h"

#include <algorithm>
#include <string>

#include "callout/talk.h"
#include "catch.h"

using namespace postcensus;
using namespace postcensus::callout;
using census::CalloutClass;

namespace {

void check_nothing_learned(const SessionResult& result) {
    CHECK(result.outcomes.empty());
    CHECK(result.unanswered == questions().recipients);
}

}  // namespace

TEST_CASE("a whole session", "[callout]") {
    Peer peer;
    const SessionResult result = talk(questions(), peer);
    CHECK(peer.commands ==
          std::vector<std::string>{"EHLO gw.corp.example", "MAIL FROM:<>", "RCPT TO:<xk3q9@corp.example>",
                                   "RCPT TO:<known@corp.example>", "RCPT TO:<a@corp.example>",
                                   "RCPT TO:<b@corp.example>", "RCPT TO:<known@corp.example>", "QUIT"});
    CHECK(result.health == Health::passed);
    CHECK(result.reason.empty());
    CHECK(result.control_accepted == address("known@corp.example"));
    REQUIRE(result.outcomes.size() == 2);
    CHECK(result.outcomes[0].recipient == address("a@corp.example"));
    CHECK(result.outcomes[0].klass == CalloutClass::deliverable);
    CHECK(result.outcomes[0].target == "ex1.corp.example:2525");
    CHECK(result.outcomes[0].reply == "250 2.1.5 Recipient OK");
    CHECK(result.outcomes[1].klass == CalloutClass::unknown);
    CHECK(result.outcomes[1].reply == "550 5.1.1 User unknown");
    CHECK(result.outcomes[1].controls == "random refused 550 5.1.1; known@corp.example accepted");
    CHECK(result.unanswered.empty());
    CHECK(result.refused == 2);
    CHECK_FALSE(result.limit);
    CHECK(result.transcript.front() == "S: 220 ex1.corp.example Microsoft ESMTP MAIL Service ready");
    CHECK(result.transcript.back() == "S: 221 2.0.0 Service closing transmission channel");
}

TEST_CASE("whatever the line after which the dialogue breaks, nothing is concluded without controls",
          "[callout]") {
    Peer whole;
    whole.encrypted = false;
    whole.ehlo = "250-ex1|250-STARTTLS|250 SIZE";
    Questions asked = questions();
    asked.tls = Tls::opportunistic;
    asked.recipients = {address("b@corp.example"), address("a@corp.example"), address("c@corp.example")};
    for (const Cut cut : {Cut::closed, Cut::timed_out, Cut::garbage, Cut::out_of_turn}) {
        for (int lines = 0; lines < 17; ++lines) {
            INFO(static_cast<int>(cut) << " after " << lines);
            Peer peer = whole;
            const SessionResult result = talk(asked, peer, lines, cut);
            CHECK(result.outcomes.size() + result.unanswered.size() == asked.recipients.size());
            for (const census::CalloutOutcome& outcome : result.outcomes) {
                CHECK(result.health == Health::passed);
                CHECK(result.control_accepted);
                const bool exists = outcome.recipient == address("a@corp.example");
                CHECK(outcome.klass == (exists ? CalloutClass::deliverable : CalloutClass::unknown));
            }
            // Banner, 3 + 1 + 2 for EHLO, STARTTLS and EHLO, MAIL FROM, two controls: 10 lines before the
            // first recipient.
            if (lines <= 10) CHECK(result.outcomes.empty());
            if (lines < 10) CHECK(result.health == Health::retry);
            if (lines < 10) CHECK_FALSE(result.reason.empty());
            // Behind the three recipients a control is asked once more.
            if (cut == Cut::closed && lines > 10)
                CHECK(result.outcomes.size() == static_cast<std::size_t>(lines < 13    ? lines - 10
                                                                         : lines == 13 ? 0
                                                                                       : 3));
            if (cut == Cut::closed && lines < 14) CHECK(result.limit.has_value() == (lines > 8));
            if (cut != Cut::closed) CHECK_FALSE(result.limit);
            const bool broke = cut != Cut::out_of_turn && lines > 10 - 1 && lines < 13;
            if (broke) CHECK(result.broke_at == asked.recipients[static_cast<std::size_t>(lines - 10)]);
            if (lines < 10 || lines > 13) CHECK_FALSE(result.broke_at);
            if (cut == Cut::out_of_turn) CHECK((result.outcomes.empty() || lines > 14));
        }
    }
}

TEST_CASE("a server that refuses us before RCPT TO is at fault, one that puts us off is not", "[callout]") {
    struct Case {
        std::string Peer::*stage;
        std::string reply;
        Health health;
        std::string_view reason;
        Fault fault = Fault::other;
    };
    const std::vector<Case> cases = {
        {&Peer::banner, "554 5.7.1 Go away", Health::fault, "Allow this gateway's address",
         Fault::connection},
        {&Peer::banner, "421 4.3.2 Service not active", Health::retry, "4.3.2"},
        {&Peer::banner, "450 4.3.2 later", Health::retry, "4.3.2"},
        {&Peer::ehlo, "450 4.3.2 later", Health::retry, "4.3.2"},
        {&Peer::mail, "530 5.7.1 Client was not authenticated", Health::fault, "receive connector of its own",
         Fault::connector},
        {&Peer::mail, "530 5.7.57 Client not authenticated to send mail", Health::fault,
         "restricted to this gateway's addresses", Fault::connector},
        {&Peer::mail, "501 5.1.7 Invalid address", Health::fault, "mail-from"},
        // Its words choose no remedy.
        {&Peer::mail, "501 5.1.7 receive connector, accepted domain, known to exist", Health::fault,
         "mail-from"},
        {&Peer::mail, "452 4.3.1 Insufficient system resources", Health::retry, "4.3.1"},
        {&Peer::mail, "421 4.3.2 maximum number of concurrent connections", Health::retry, "4.3.2"},
    };
    for (const Case& one : cases) {
        INFO(one.reply);
        Peer peer;
        peer.*one.stage = one.reply;
        const SessionResult result = talk(questions(), peer);
        CHECK(result.health == one.health);
        CHECK(result.fault == one.fault);
        CHECK(mentions(result.reason, one.reason));
        CHECK_FALSE(result.limit);
        check_nothing_learned(result);
    }
}

TEST_CASE("the random control decides whether anything can be learned", "[callout]") {
    struct Case {
        std::string reply;
        Health health;
        std::string_view reason;
        Fault fault = Fault::other;
    };
    const std::vector<Case> cases = {
        {"250 2.1.5 Recipient OK", Health::accept_all, "Recipient Filter"},
        {"252 2.0.0 Cannot verify", Health::accept_all, "made-up"},
        {"450 4.2.0 Greylisted", Health::retry, "4.2.0"},
        {"421 4.7.0 Too many errors", Health::retry, "4.7.0"},
        {"530 5.7.1 Client was not authenticated", Health::fault, "receive connector", Fault::connector},
        {"550 5.7.1 Unable to relay", Health::fault, "accepted domain", Fault::domain},
        {"554 5.7.1 <xk3q9@corp.example>: Relay access denied", Health::fault, "accepted domain",
         Fault::domain},
        {"550 5.7.1 Client host blocked", Health::fault, "otherwise than as unknown"},
        {"550 5.7.133 closed", Health::fault, "otherwise than as unknown"},
        {"550 5.2.2 Mailbox full", Health::fault, "otherwise than as unknown"},
        {"", Health::retry, "closed"},
    };
    for (const Case& one : cases) {
        INFO(one.reply);
        const SessionResult result = talk(questions(), {.nobody = one.reply});
        CHECK(result.health == one.health);
        CHECK(result.fault == one.fault);
        CHECK(mentions(result.reason, one.reason));
        CHECK_FALSE(result.limit);
        check_nothing_learned(result);
    }
}

TEST_CASE("known-good controls", "[callout]") {
    Questions asked = questions();
    asked.known_good = {address("gone1@corp.example"), address("gone2@corp.example"),
                        address("gone3@corp.example"), address("known@corp.example")};
    asked.most_refused = 10;
    SECTION("three refused in a row: a fault") {
        Peer peer;
        const SessionResult result = talk(asked, peer);
        CHECK(result.health == Health::fault);
        CHECK(result.fault == Fault::directory);
        CHECK(mentions(result.reason, "gone3@corp.example: 550 5.1.1"));
        CHECK(peer.commands.back() == "QUIT");
        CHECK(peer.commands.size() == 7);
        check_nothing_learned(result);
    }
    SECTION("the only one refused: a fault") {
        asked.known_good = {address("gone1@corp.example")};
        CHECK(talk(asked, Peer{}).health == Health::fault);
    }
    SECTION("where one was refused, no refusal counts") {
        asked.known_good = {address("gone1@corp.example"), address("known@corp.example"),
                            address("other@corp.example"), address("third@corp.example"),
                            address("fourth@corp.example")};
        Peer peer;
        for (const char* name : {"other", "third", "fourth"})
            peer.recipients[std::string(name) + "@corp.example"] = kAcceptedReply;
        const SessionResult result = talk(asked, peer);
        CHECK(result.health == Health::passed);
        CHECK(result.control_accepted == address("other@corp.example"));
        CHECK(result.controls_refused == std::vector<mail::Address>{address("gone1@corp.example")});
        CHECK_FALSE(result.all_accepted);
        REQUIRE(result.outcomes.size() == 2);
        CHECK(result.outcomes[0].klass == CalloutClass::deliverable);
        CHECK(result.outcomes[1].klass == CalloutClass::retry);
        CHECK(result.refused == 3);
    }
    SECTION("a favourite that alone is known: nothing is refused") {
        asked.known_good = {address("gone1@corp.example"), address("known@corp.example"),
                            address("gone2@corp.example")};
        const SessionResult result = talk(asked, Peer{});
        CHECK(result.health == Health::passed);
        REQUIRE(result.outcomes.size() == 2);
        CHECK(result.outcomes[0].klass == CalloutClass::deliverable);
        CHECK(result.outcomes[1].klass == CalloutClass::retry);
        // Drawn first it passes, until another one is to confirm a refusal.
        std::swap(asked.known_good[0], asked.known_good[1]);
        const SessionResult first = talk(asked, Peer{});
        REQUIRE(first.outcomes.size() == 2);
        CHECK(first.outcomes[0].klass == CalloutClass::deliverable);
        CHECK(first.outcomes[1].klass == CalloutClass::retry);
    }
    SECTION("closed to strangers, full or put off: no control, and another is asked") {
        for (const char* reply : {"550 5.7.133 closed", "450 4.2.0 later", "552 5.2.2 Mailbox full"}) {
            INFO(reply);
            asked.known_good = {address("gone1@corp.example"), address("known@corp.example")};
            Peer peer;
            peer.recipients["gone1@corp.example"] = reply;
            const SessionResult result = talk(asked, peer);
            CHECK(result.health == Health::passed);
            CHECK(result.control_accepted == address("known@corp.example"));
            CHECK(result.outcomes.size() == 2);
        }
    }
    SECTION("one that cannot be looked up: two others have to agree, before and behind") {
        for (const char* reply : {"451 4.3.0 lookup failed", "451 Temporary local problem",
                                  "450 4.4.1 timeout", "452 4.3.1 Insufficient system resources"}) {
            INFO(reply);
            Peer peer;
            peer.recipients["ill1@corp.example"] = peer.recipients["ill2@corp.example"] = reply;
            for (const char* name : {"other", "third", "fourth"})
                peer.recipients[std::string(name) + "@corp.example"] = kAcceptedReply;
            const auto klass = [&](std::initializer_list<const char*> names) {
                asked.known_good.clear();
                for (const char* name : names)
                    asked.known_good.push_back(address(std::string(name) + "@corp.example"));
                const SessionResult result = talk(asked, peer);
                REQUIRE(result.outcomes.size() == 2);
                CHECK(result.outcomes[0].klass == CalloutClass::deliverable);
                return result.outcomes[1].klass;
            };
            CHECK(klass({"ill1", "known", "other", "third", "fourth"}) == CalloutClass::unknown);
            CHECK(klass({"known", "ill1", "other", "third"}) == CalloutClass::unknown);
            CHECK(klass({"ill1", "known", "ill2", "other"}) == CalloutClass::retry);
            CHECK(klass({"ill1", "known", "other", "third"}) == CalloutClass::retry);
            CHECK(klass({"known", "ill1", "other"}) == CalloutClass::retry);
            // A favourite.
            CHECK(klass({"known", "ill1", "ill2"}) == CalloutClass::retry);
        }
    }
    SECTION("one that is put off: another one confirms, but not the one that opened the session") {
        for (const char* reply : {"450 4.2.0 Greylisted", "451 4.7.1 Greylisted", "450 later"}) {
            INFO(reply);
            Peer peer;
            peer.recipients["late@corp.example"] = reply;
            peer.recipients["other@corp.example"] = kAcceptedReply;
            asked.known_good = {address("known@corp.example"), address("late@corp.example"),
                                address("other@corp.example")};
            CHECK(talk(asked, peer).outcomes.at(1).klass == CalloutClass::unknown);
            asked.known_good.pop_back();
            CHECK(talk(asked, peer).outcomes.at(1).klass == CalloutClass::retry);
        }
    }
    SECTION("one that is closed to strangers is left out, and the only other one confirms") {
        Peer peer;
        peer.recipients["closed@corp.example"] = "550 5.7.133 closed";
        asked.known_good = {address("known@corp.example"), address("closed@corp.example")};
        CHECK(talk(asked, peer).outcomes.at(1).klass == CalloutClass::unknown);
    }
    SECTION("one put off, the others refused: no fault, and nothing is learned") {
        Peer peer;
        peer.recipients["gone2@corp.example"] = "450 4.2.0 later";
        asked.known_good.pop_back();
        const SessionResult result = talk(asked, peer);
        CHECK(result.health == Health::retry);
        check_nothing_learned(result);
    }
    SECTION("too few refusals allowed to try them all: no fault either") {
        asked.most_refused = 2;
        CHECK(talk(asked, Peer{}).health == Health::retry);
    }
    SECTION("refused because the server does not relay: a fault at once") {
        Peer peer;
        peer.recipients["gone1@corp.example"] = "550 5.7.1 Unable to relay";
        CHECK(talk(asked, peer).health == Health::fault);
        CHECK(peer.commands.size() == 5);
    }
}

TEST_CASE("a wary session asks all known-good controls before a refusal counts", "[callout]") {
    Questions asked = questions();
    asked.wary = true;
    asked.most_refused = 10;
    Peer peer;
    for (const char* name : {"k1", "k2", "k3"}) {
        asked.known_good.push_back(address(std::string(name) + "@corp.example"));
        peer.recipients[std::string(name) + "@corp.example"] = kAcceptedReply;
    }
    const auto times_asked = [&](const std::string& name) {
        return std::count(peer.commands.begin(), peer.commands.end(), "RCPT TO:<" + name + "@corp.example>");
    };
    SECTION("all are accepted") {
        const SessionResult result = talk(asked, peer);
        CHECK(result.all_accepted);
        CHECK(result.outcomes.at(1).klass == CalloutClass::unknown);
        for (const char* name : {"known", "k1", "k2", "k3"}) CHECK(times_asked(name) == 1);
    }
    SECTION("nobody is refused: one is enough") {
        asked.recipients.pop_back();
        const SessionResult result = talk(asked, peer);
        CHECK_FALSE(result.all_accepted);
        CHECK(result.outcomes.at(0).klass == CalloutClass::deliverable);
        CHECK(times_asked("k1") == 0);
    }
    SECTION("the last one is not accepted") {
        for (const char* reply : {"550 5.1.1 User unknown", "450 4.2.0 Greylisted", "451 4.3.0 lookup failed",
                                  "552 5.2.2 Mailbox full"}) {
            INFO(reply);
            peer.recipients["k3@corp.example"] = reply;
            const SessionResult result = talk(asked, peer);
            CHECK(result.health == Health::passed);
            CHECK_FALSE(result.all_accepted);
            CHECK(result.controls_refused.size() == (std::string(reply).starts_with("550") ? 1 : 0));
            CHECK(result.outcomes.at(0).klass == CalloutClass::deliverable);
            CHECK(result.outcomes.at(1).klass == CalloutClass::retry);
        }
    }
    SECTION("the first one is not accepted") {
        peer.recipients["known@corp.example"] = "450 4.2.0 Greylisted";
        CHECK(talk(asked, peer).outcomes.at(1).klass == CalloutClass::retry);
    }
    SECTION("one is closed to strangers: the others count") {
        peer.recipients["k2@corp.example"] = "550 5.7.133 closed";
        const SessionResult result = talk(asked, peer);
        CHECK(result.all_accepted);
        CHECK(result.outcomes.at(1).klass == CalloutClass::unknown);
    }
    SECTION("the server goes away before they are asked") {
        peer.recipients["c@corp.example"] = "";
        asked.recipients.push_back(address("c@corp.example"));
        const SessionResult result = talk(asked, peer);
        CHECK(result.outcomes.at(0).klass == CalloutClass::deliverable);
        CHECK(result.outcomes.at(1).klass == CalloutClass::retry);
    }
    SECTION("there is only one") {
        asked.known_good = {address("known@corp.example")};
        const SessionResult result = talk(asked, peer);
        CHECK(result.all_accepted);
        CHECK(result.outcomes.at(1).klass == CalloutClass::unknown);
    }
    SECTION("there is none") {
        asked.known_good.clear();
        const SessionResult result = talk(asked, peer);
        CHECK_FALSE(result.all_accepted);
        CHECK(result.outcomes.at(1).klass == CalloutClass::retry);
    }
}

TEST_CASE("without a known-good control nothing that refuses mail is concluded", "[callout]") {
    Questions asked = questions();
    asked.known_good.clear();
    asked.recipients.push_back(address("closed@corp.example"));
    Peer peer;
    peer.recipients["closed@corp.example"] = "550 5.7.133 closed";
    const SessionResult result = talk(asked, peer);
    CHECK(result.health == Health::passed);
    CHECK_FALSE(result.control_accepted);
    REQUIRE(result.outcomes.size() == 3);
    CHECK(result.outcomes[0].klass == CalloutClass::deliverable);
    CHECK(result.outcomes[1].klass == CalloutClass::retry);
    CHECK(mentions(result.outcomes[1].controls, "no known-good control"));
    CHECK(result.outcomes[2].klass == CalloutClass::retry);
}

TEST_CASE("replies to recipients after the controls passed", "[callout]") {
    Questions asked = questions();
    asked.most_refused = 100;
    asked.recipients.clear();
    Peer peer;
    const std::vector<std::pair<std::string, CalloutClass>> cases = {
        {"550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", CalloutClass::policy},
        {"550 5.1.10 Recipient not found", CalloutClass::retry},  // not the random control's code
        {"550 User unknown", CalloutClass::retry},
        {"450 4.2.0 Greylisted", CalloutClass::retry},
        {"452 4.3.1 Insufficient system resources", CalloutClass::retry},
        {"550 5.2.1 disabled", CalloutClass::retry},
        {"550 5.1.1 User unknown", CalloutClass::unknown},
        {"250 2.1.5 Recipient OK", CalloutClass::deliverable},
        {"554 5.7.1 Relay access denied", CalloutClass::fault},
        {"550 5.1.1 User unknown",
         CalloutClass::unknown},  // that fault was the recipient's own: the session goes on
    };
    for (std::size_t i = 0; i < cases.size(); ++i) {
        asked.recipients.push_back(address("r" + std::to_string(i) + "@corp.example"));
        peer.recipients[asked.recipients.back().text()] = cases[i].first;
    }
    const SessionResult result = talk(asked, peer);
    CHECK(result.health == Health::passed);
    REQUIRE(result.outcomes.size() == cases.size());
    for (std::size_t i = 0; i < cases.size(); ++i) {
        INFO(cases[i].first);
        CHECK(result.outcomes[i].klass == cases[i].second);
    }
}

TEST_CASE("the session ends when enough was refused", "[callout]") {
    Questions asked = questions();
    asked.recipients = {address("b@corp.example"), address("c@corp.example"), address("a@corp.example"),
                        address("d@corp.example"), address("e@corp.example")};
    Peer peer;
    const SessionResult result = talk(asked, peer);
    CHECK(result.refused == 4);
    CHECK(result.outcomes.size() == 4);
    CHECK(result.unanswered == std::vector<mail::Address>{address("e@corp.example")});
    CHECK_FALSE(result.limit);
    CHECK(peer.commands.back() == "QUIT");
}

TEST_CASE("a server that closes after too many errors", "[callout]") {
    Questions asked = questions();
    asked.most_refused = 100;
    asked.recipients = {address("b@corp.example"), address("c@corp.example"), address("d@corp.example")};
    Peer peer;
    peer.errors_until_421 = 2;
    const SessionResult result = talk(asked, peer);
    CHECK(result.health == Health::passed);
    CHECK(result.limit == 3);  // two passed
    CHECK(result.refused == 2);
    REQUIRE(result.outcomes.size() == 1);
    CHECK(result.outcomes[0].klass == CalloutClass::unknown);
    CHECK(result.unanswered.size() == 2);

    Dialogue dialogue(questions());
    dialogue.connected();
    for (const char* line : {"220 ex1", "250 ex1", "250 OK", "550 5.1.1 no", "250 OK", "550 5.1.1 no"})
        dialogue.line(line);
    CHECK(dialogue.spoke_out_of_turn("421 4.7.0 Too many errors\r\n").kind == Step::Kind::finished);
    const SessionResult pushed = dialogue.take_result();
    CHECK(pushed.limit == 2);
    CHECK(pushed.outcomes.size() == 1);  // the answer before the good-bye counts
}

TEST_CASE("a good-bye in place of the last one shows the limit too", "[callout]") {
    Questions asked = questions();
    asked.recipients = {address("b@corp.example"), address("c@corp.example"), address("d@corp.example")};
    Peer peer;
    peer.quit = "421 4.7.0 Too many errors";
    const SessionResult result = talk(asked, peer);
    CHECK(result.refused == 4);
    CHECK(result.limit == 4);
    CHECK(result.outcomes.size() == 3);
    // One that says so at each QUIT says nothing of refusals.
    CHECK_FALSE(talk(questions(), {.quit = "421 4.4.2 bye"}).limit);
}

TEST_CASE("replies that are out of step count for nobody", "[callout]") {
    for (const std::string reply : {"250 2.1.5 Recipient OK", "550 5.1.1 User unknown"}) {
        const SessionResult result = talk(questions(), {.quit = reply});
        CHECK(result.health == Health::retry);
        CHECK_FALSE(result.control_accepted);
        CHECK(mentions(result.reason, "out of step"));
        check_nothing_learned(result);
    }
    CHECK(talk(questions(), {.banner = "554 no", .quit = "554 no"}).health == Health::fault);
    CHECK(talk(questions(), {.quit = ""}).outcomes.size() == 2);
}

TEST_CASE("a quoted recipient is asked for in its quoted form", "[callout]") {
    Questions asked = questions();
    asked.recipients = {address("j smith>@corp.example")};
    Peer peer;
    talk(asked, peer);
    CHECK(peer.commands[4] == "RCPT TO:<\"j smith>\"@corp.example>");
}

TEST_CASE("controls alone", "[callout]") {
    Questions asked = questions();
    asked.recipients.clear();
    const SessionResult result = talk(asked, Peer{});
    CHECK(result.health == Health::passed);
    CHECK(result.outcomes.empty());
}

TEST_CASE("hostile replies stay bounded and printable", "[callout]") {
    SECTION("an endless reply") {
        Dialogue dialogue(questions());
        dialogue.connected();
        int lines = 0;
        while (dialogue.line("220-" + std::string(8000, 'x')).kind == Step::Kind::read)
            REQUIRE(++lines < 100);
        CHECK(dialogue.take_result().health == Health::retry);
    }
    SECTION("control characters and long words") {
        const SessionResult result = talk(questions(), {.nobody = "550 \x1b[2J" + std::string(5000, 'x')});
        for (const std::string& line : result.transcript) {
            CHECK(line.size() < 400);
            CHECK(line.find('\x1b') == std::string::npos);
        }
    }
    SECTION("a transcript of a thousand lines") {
        Questions asked = questions();
        for (int i = 0; i < 1000; ++i) asked.recipients.push_back(address("a@corp.example"));
        asked.recipients[1] = address("a@corp.example");
        Peer peer;
        peer.recipients["a@corp.example"] = "250-2.1.5 a|250-2.1.5 b|250-2.1.5 c|250-2.1.5 d|250 2.1.5 e";
        const SessionResult result = talk(asked, peer);
        CHECK(result.transcript.size() == 501);
        CHECK(result.outcomes.size() == 99);  // a hundred accepted, the control among them
    }
    SECTION("an overlong line") {
        Dialogue dialogue(questions());
        dialogue.connected();
        CHECK(dialogue.overlong_line().kind == Step::Kind::finished);
        CHECK(mentions(dialogue.take_result().reason, "endless"));
    }
}

TEST_CASE("a line end in a command is a bug, not a second command", "[callout]") {
    Questions asked = questions();
    asked.helo = "gw\r\nDATA";
    Dialogue dialogue(asked);
    dialogue.connected();
    CHECK_THROWS_AS(dialogue.line("220 ex1"), std::logic_error);
}
