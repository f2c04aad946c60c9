// SPDX-License-Identifier: MIT
// Sessions that stay open for more recipients.
#include <algorithm>
#include <memory>

#include "callout/talk.h"

using namespace postcensus;
using namespace postcensus::callout;
using census::CalloutClass;

namespace {

// A dialogue whose peer answers each of its commands.
class Stay {
  public:
    explicit Stay(Questions asked, Peer with = {})
        : peer(std::move(with)), dialogue(stays(std::move(asked))) {
        step = dialogue.connected();
        reply_ = peer.banner;
        go_on();
    }

    SessionResult ask(std::vector<mail::Address> recipients,
                      std::optional<mail::Address> random = std::nullopt) {
        step = dialogue.ask(std::move(recipients), std::move(random));
        go_on();
        return dialogue.take_result();
    }
    std::size_t said(const std::string& verb) const {
        return static_cast<std::size_t>(
            std::count_if(peer.commands.begin(), peer.commands.end(),
                          [&](const std::string& command) { return command.starts_with(verb); }));
    }
    bool waits() const { return step.kind == Step::Kind::waiting; }

    Peer peer;
    Dialogue dialogue;
    Step step;

    void go_on() {
        while (step.kind == Step::Kind::read || step.kind == Step::Kind::send) {
            if (step.kind == Step::Kind::send)
                reply_ = peer.answer(step.text.substr(0, step.text.size() - 2));
            if (reply_.empty()) {
                step = dialogue.closed();
                continue;
            }
            for (const std::string& line : lines_of(reply_)) step = dialogue.line(line);
        }
    }

  private:
    static Questions stays(Questions asked) {
        asked.stay = true;
        return asked;
    }
    std::string reply_;
};

Questions nothing_yet() {
    Questions asked = questions();
    asked.recipients.clear();
    asked.most_refused = 100;
    return asked;
}

const auto kA = address("a@corp.example");
const auto kB = address("b@corp.example");
const auto kC = address("c@corp.example");

}  // namespace

TEST_CASE("a session stays open, and its controls are asked once", "[callout]") {
    Stay stay(nothing_yet());
    REQUIRE(stay.waits());
    const SessionResult begun = stay.dialogue.take_result();
    CHECK(begun.health == Health::passed);
    CHECK(begun.stays_open);
    CHECK(stay.said("MAIL FROM") == 1);
    for (int times = 0; times < 3; ++times) {
        const SessionResult result = stay.ask({kA, kB});
        REQUIRE(result.outcomes.size() == 2);
        CHECK(result.outcomes[0].klass == CalloutClass::deliverable);
        CHECK(result.outcomes[1].klass == CalloutClass::unknown);
        CHECK(result.outcomes[1].controls == "random refused 550 5.1.1; known@corp.example accepted");
        CHECK(result.unanswered.empty());
        CHECK(result.stays_open);
        CHECK(result.refused == 2 + times);
        CHECK(result.control_accepted == address("known@corp.example"));
    }
    CHECK(stay.said("RCPT TO:<xk3q9@") == 1);
    CHECK(stay.said("RCPT TO:<known@") == 4);  // behind each refusal once more
    CHECK(stay.said("EHLO") == 4);
    CHECK(stay.said("MAIL FROM") == 4);
    stay.step = stay.dialogue.end();
    CHECK(stay.step.text == "QUIT\r\n");
}

TEST_CASE("a session whose refusals do not count ends behind its first recipients", "[callout]") {
    Questions asked = nothing_yet();
    asked.known_good = {address("lost@corp.example"), address("known@corp.example")};
    Stay stay(asked);
    REQUIRE(stay.waits());
    CHECK(stay.dialogue.take_result().controls_refused.size() == 1);
    const SessionResult result = stay.ask({kA, kB});
    REQUIRE(result.outcomes.size() == 2);
    CHECK(result.outcomes[0].klass == CalloutClass::deliverable);
    CHECK(result.outcomes[1].klass == CalloutClass::retry);
    CHECK_FALSE(result.stays_open);
}

TEST_CASE("answers count once the server has shown that it is in step", "[callout]") {
    // Each recipient gets its neighbour's reply; EHLO then gets the last of them.
    for (const bool quit_too : {false, true}) {
        CAPTURE(quit_too);
        Questions asked = nothing_yet();
        asked.stay = true;
        Dialogue dialogue(asked);
        dialogue.connected();
        for (const char* line : {"220 ex1", "250-ex1 Hello", "250 SIZE", "250 OK", "550 5.1.1 no", "250 OK"})
            dialogue.line(line);
        dialogue.ask({kA, kB}, std::nullopt);
        dialogue.line("550 5.1.1 no");
        Step step = dialogue.line("250 2.1.5 OK");
        REQUIRE(step.text == "RCPT TO:<known@corp.example>\r\n");
        step = dialogue.line("250 2.1.5 OK");
        REQUIRE(step.text.starts_with("EHLO"));
        step = dialogue.line("550 5.1.1 no");
        REQUIRE(step.text == "QUIT\r\n");
        if (quit_too) {
            dialogue.line("250-ex1 Hello");
            step = dialogue.line("250 SIZE");
        } else {
            step = dialogue.line("221 bye");
        }
        REQUIRE(step.kind == Step::Kind::finished);
        const SessionResult result = dialogue.take_result();
        CHECK_FALSE(result.stays_open);
        // A server that knows EHLO only once has shown it with its reply to QUIT.
        CHECK(result.outcomes.size() == (quit_too ? 0 : 2));
        CHECK(result.unanswered.size() == (quit_too ? 2 : 0));
        CHECK(result.health == (quit_too ? Health::retry : Health::passed));
    }
}

TEST_CASE("a server that cannot show that it is in step is asked once a session", "[callout]") {
    for (const Peer& peer : {Peer{.ehlo = "250 one line"}, Peer{.ehlo = "502 no"}}) {
        CAPTURE(peer.ehlo);
        Stay stay(nothing_yet(), peer);
        REQUIRE(stay.waits());
        const SessionResult result = stay.ask({kA, kB});
        CHECK(result.outcomes.size() == 2);
        CHECK_FALSE(result.stays_open);
        CHECK(stay.peer.commands.back() == "QUIT");
    }
}

TEST_CASE("a session that stays ends where another one would", "[callout]") {
    Questions asked = nothing_yet();
    asked.most_refused = 3;
    Stay stay(asked);
    CHECK(stay.ask({kB}).stays_open);
    const SessionResult result = stay.ask({kA, kB, kC});
    CHECK(result.outcomes.size() == 2);
    CHECK(result.unanswered == std::vector<mail::Address>{kC});
    CHECK_FALSE(result.stays_open);
    CHECK(stay.peer.commands.back() == "QUIT");
}

TEST_CASE("a refusal counts between two known-good controls that were accepted", "[callout]") {
    Stay stay(nothing_yet());
    CHECK(stay.ask({kA}).outcomes.size() == 1);
    CHECK(stay.said("RCPT TO:<known@") == 1);  // nobody was refused
    CHECK(stay.ask({kA, kB, kC}).outcomes.size() == 3);
    CHECK(stay.said("RCPT TO:<known@") == 2);
    // The server loses its directory.
    stay.peer.recipients.clear();
    const SessionResult lost = stay.ask({kA, kB});
    CHECK(lost.health == Health::retry);
    CHECK(lost.outcomes.empty());
    CHECK(lost.unanswered.size() == 2);
    CHECK_FALSE(lost.control_accepted);
    CHECK_FALSE(lost.stays_open);
    CHECK(mentions(lost.reason, "not accepted any more"));
    // Whatever else becomes of that control.
    for (const Cut cut : {Cut::closed, Cut::timed_out, Cut::garbage, Cut::out_of_turn}) {
        Stay other(nothing_yet());
        other.step = other.dialogue.ask({kA, kB}, std::nullopt);
        other.dialogue.line("250 2.1.5 OK");
        REQUIRE(other.dialogue.line("550 5.1.1 User unknown").text == "RCPT TO:<known@corp.example>\r\n");
        if (cut == Cut::closed)
            other.dialogue.closed();
        else if (cut == Cut::timed_out)
            other.dialogue.timed_out();
        else
            other.dialogue.line(cut == Cut::garbage ? "garbage" : "421 4.7.0 Too many errors");
        const SessionResult result = other.dialogue.take_result();
        CHECK(result.outcomes.empty());
        CHECK(result.unanswered.size() == 2);
    }
}

TEST_CASE("an acceptance counts before a refusal as unknown", "[callout]") {
    const auto fresh = address("y8w2k@corp.example");
    Stay stay(nothing_yet());
    CHECK(stay.ask({kA}, fresh).outcomes.size() == 1);
    CHECK(stay.said("RCPT TO:<y8w2k@") == 1);
    // One of those that were asked about proves it as well, if it comes behind.
    CHECK(stay.ask({kA, kB}, fresh).outcomes.size() == 2);
    CHECK(stay.said("RCPT TO:<y8w2k@") == 1);
    CHECK(stay.ask({kB, kA}, fresh).outcomes.size() == 2);
    CHECK(stay.said("RCPT TO:<y8w2k@") == 2);
    CHECK(stay.ask({kB}, fresh).outcomes.size() == 1);
    CHECK(stay.said("RCPT TO:<y8w2k@") == 2);
    struct Case {
        std::string reply;
        Health health;
    };
    for (const Case& one :
         {Case{kAcceptedReply, Health::accept_all}, Case{"252 2.0.0 maybe", Health::accept_all},
          Case{"550 5.7.1 Unable to relay", Health::fault}, Case{"551 5.1.1 no", Health::fault},
          Case{"451 4.7.1 Greylisted", Health::retry}, Case{"", Health::passed}}) {
        CAPTURE(one.reply);
        Stay lies(nothing_yet());
        lies.peer.nobody = one.reply;
        const SessionResult result = lies.ask({kA}, fresh);
        CHECK(result.health == one.health);
        CHECK(result.outcomes.empty());
        CHECK(result.unanswered == std::vector<mail::Address>{kA});
        CHECK_FALSE(result.stays_open);
        CHECK_FALSE(result.control_accepted);
    }
}

TEST_CASE("EHLO is not said again for ever", "[callout]") {
    Stay stay(nothing_yet());
    int rounds = 0;
    while (stay.waits()) {
        CHECK(stay.ask({kA}).outcomes.size() == 1);
        ++rounds;
    }
    CHECK(rounds == 9);
    CHECK(stay.said("EHLO") == 9);
    CHECK(stay.peer.commands.back() == "QUIT");
}

TEST_CASE("what a waiting server says or does is no answer", "[callout]") {
    const auto waiting = [] {
        auto stay = std::make_unique<Stay>(nothing_yet());
        stay->ask({kA, kB});
        return stay;
    };
    auto stay = waiting();
    CHECK(stay->dialogue.closed().kind == Step::Kind::finished);
    SessionResult result = stay->dialogue.take_result();
    CHECK(result.outcomes.empty());
    CHECK(result.unanswered.empty());
    CHECK_FALSE(result.limit);
    CHECK_FALSE(result.stays_open);
    stay = waiting();
    CHECK(stay->dialogue.spoke_out_of_turn("421 4.4.2 idle").kind == Step::Kind::finished);
    CHECK_FALSE(stay->dialogue.take_result().limit);
    stay = waiting();
    CHECK(stay->dialogue.spoke_out_of_turn("250 2.1.5 OK").kind == Step::Kind::finished);
    CHECK(stay->dialogue.take_result().outcomes.empty());
}

TEST_CASE("MAIL FROM that fails behind recipients ends the session, not their answers", "[callout]") {
    for (const char* reply : {"452 4.3.1 Insufficient system resources", "530 5.7.57 not authenticated"}) {
        CAPTURE(reply);
        Stay stay(nothing_yet());
        stay.peer.mail = reply;
        const SessionResult result = stay.ask({kA, kB});
        CHECK(result.health == Health::passed);
        CHECK(result.outcomes.size() == 2);
        CHECK_FALSE(result.stays_open);
        CHECK(mentions(result.reason, std::string(reply).substr(4, 3)));
    }
}

TEST_CASE("a recipient that needs SMTPUTF8 gets a transaction with it", "[callout]") {
    const auto foreign = address("\xc3\xa4rger@corp.example");
    Peer peer;
    peer.ehlo = "250-ex1|250-SMTPUTF8|250 SIZE";
    peer.recipients["\xc3\xa4rger@corp.example"] = kAcceptedReply;
    Stay stay(nothing_yet(), peer);
    CHECK(stay.said("MAIL FROM:<> SMTPUTF8") == 0);
    const SessionResult result = stay.ask({kA, foreign});
    REQUIRE(result.outcomes.size() == 2);
    CHECK(result.outcomes[0].klass == CalloutClass::deliverable);
    CHECK(result.outcomes[1].klass == CalloutClass::deliverable);
    CHECK(stay.said("MAIL FROM:<> SMTPUTF8") == 2);  // before, and behind for the next ones

    Stay without(nothing_yet());
    const SessionResult unverifiable = without.ask({foreign, kA});
    REQUIRE(unverifiable.outcomes.size() == 2);
    CHECK(unverifiable.outcomes[0].klass == CalloutClass::retry);
    CHECK(mentions(unverifiable.outcomes[0].reply, "SMTPUTF8"));
    CHECK(unverifiable.outcomes[1].klass == CalloutClass::deliverable);
}

TEST_CASE("refusals are confirmed by others than were asked before", "[callout]") {
    Questions asked = nothing_yet();
    asked.known_good = {address("known@corp.example"), address("other@corp.example"),
                        address("third@corp.example"), address("ärger@corp.example")};
    Peer peer;
    peer.recipients["third@corp.example"] = kAcceptedReply;
    SECTION("each time the next one, and who cannot be asked never") {
        peer.recipients["other@corp.example"] = kAcceptedReply;
        Stay stay(asked, peer);
        CHECK(stay.ask({kB}).stays_open);
        const SessionResult last = stay.ask({kB});
        REQUIRE(last.outcomes.size() == 1);
        CHECK(last.outcomes[0].klass == CalloutClass::unknown);
        CHECK(stay.said("RCPT TO:<known@") == 1);
        CHECK(stay.said("RCPT TO:<other@") == 1);
        CHECK(stay.said("RCPT TO:<third@") == 1);
        // The next session draws anew.
        CHECK_FALSE(last.stays_open);
    }
    SECTION("one that is gone: no refusal counts, and a new session begins") {
        Stay stay(asked, peer);
        const SessionResult result = stay.ask({kA, kB});
        REQUIRE(result.outcomes.size() == 2);
        CHECK(result.outcomes[0].klass == CalloutClass::deliverable);
        CHECK(result.outcomes[1].klass == CalloutClass::retry);
        CHECK(result.controls_refused == std::vector<mail::Address>{address("other@corp.example")});
        CHECK(stay.said("RCPT TO:<known@") == 1);
        CHECK_FALSE(result.stays_open);
    }
    SECTION("one that is put off: the next one") {
        peer.recipients["other@corp.example"] = "450 4.2.0 later";
        Stay stay(asked, peer);
        CHECK(stay.ask({kB}).outcomes.size() == 1);
        CHECK(stay.said("RCPT TO:<third@") == 1);
        CHECK(stay.said("RCPT TO:<known@") == 1);
    }
    SECTION("only the one that was asked before is known: nothing counts") {
        peer.recipients.erase("third@corp.example");
        Stay stay(asked, peer);
        const SessionResult result = stay.ask({kA, kB});
        REQUIRE(result.outcomes.size() == 2);
        CHECK(result.outcomes[0].klass == CalloutClass::deliverable);
        CHECK(result.outcomes[1].klass == CalloutClass::retry);
        // The next session draws anew.
        CHECK_FALSE(result.stays_open);
    }
    SECTION("none is known any more: nothing counts") {
        peer.recipients["other@corp.example"] = kAcceptedReply;
        Stay stay(asked, peer);
        stay.peer.recipients.clear();
        const SessionResult result = stay.ask({kB});
        CHECK(result.health == Health::retry);
        CHECK(result.outcomes.empty());
        CHECK_FALSE(result.stays_open);
    }
    SECTION("broken off in between: what was refused does not count, what was accepted does") {
        Stay stay(asked, peer);
        stay.peer.errors_until_421 = 0;
        stay.peer.recipients[kC.text()] = "";
        const SessionResult result = stay.ask({kA, kB, kC});
        for (const auto& outcome : result.outcomes) CHECK(outcome.klass != CalloutClass::unknown);
    }
}
