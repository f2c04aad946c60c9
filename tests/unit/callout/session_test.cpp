// SPDX-License-Identifier: MIT
#include "callout/session.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

#include "callout/loopback.h"
#include "catch.h"

using namespace postcensus;
using namespace postcensus::callout;
using census::CalloutClass;

namespace {

const std::string kOffersTls = "250-ex1.corp.example|250-STARTTLS|250 SIZE";

bool mentions(const std::string& text, std::string_view word) {
    return text.find(word) != std::string::npos;
}

bool said(const SessionResult& result, std::string_view word) {
    for (const std::string& line : result.transcript)
        if (mentions(line, word)) return true;
    return false;
}

void check_complete(const SessionResult& result) {
    INFO(result.reason);
    CHECK(result.health == Health::passed);
    REQUIRE(result.outcomes.size() == 2);
    CHECK(result.outcomes[0].klass == CalloutClass::deliverable);
    CHECK(result.outcomes[1].klass == CalloutClass::unknown);
    CHECK(result.unanswered.empty());
}

Deadlines all(Milliseconds limit) {
    return {limit, limit, limit, limit, limit};
}

// Trusts one certificate as the system's store would, while it lives.
class TrustedCertificate {
  public:
    explicit TrustedCertificate(const Certificate& certificate)
        : path_(std::filesystem::temp_directory_path() / make_random_control("corp.example").text()) {
        std::ofstream(path_) << certificate.certificate;
        ::setenv("SSL_CERT_FILE", path_.c_str(), 1);
    }
    TrustedCertificate(const TrustedCertificate&) = delete;
    TrustedCertificate& operator=(const TrustedCertificate&) = delete;
    ~TrustedCertificate() {
        ::unsetenv("SSL_CERT_FILE");
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }

  private:
    std::filesystem::path path_;
};

}  // namespace

TEST_CASE("a session over a socket", "[callout]") {
    SECTION("plain") {
        LoopbackServer server({}, {});
        check_complete(server.run(questions()));
        CHECK(server.peer.commands.back() == "QUIT");
    }
    SECTION("one byte at a time") {
        LoopbackServer server({}, {.drip = true});
        check_complete(server.run(questions()));
    }
    SECTION("bare line feeds") {
        LoopbackServer server({}, {.line_end = "\n"});
        check_complete(server.run(questions()));
    }
    SECTION("by name") {
        Questions asked = questions();
        asked.target.host = "localhost";  // ::1 first, where nobody listens
        LoopbackServer server({}, {});
        check_complete(server.run(asked));
    }
}

TEST_CASE("a server that nobody reaches", "[callout]") {
    Questions asked = questions();
    asked.recipients.resize(1, address("a@corp.example"));
    std::uint16_t port = 0;
    {
        boost::asio::io_context io;
        boost::asio::ip::tcp::acceptor closed(io, {boost::asio::ip::address_v4::loopback(), 0});
        port = closed.local_endpoint().port();
    }
    for (const Target& target : {Target{"127.0.0.1", port}, Target{"no such host", 2525}}) {
        INFO(target.text());
        asked.target = target;
        boost::asio::io_context io;
        std::optional<SessionResult> result;
        boost::asio::co_spawn(io, run_session(asked),
                              [&](std::exception_ptr, SessionResult got) { result = std::move(got); });
        io.run();
        REQUIRE(result);
        CHECK(result->health == Health::retry);
        CHECK(mentions(result->reason, "cannot"));
        CHECK(mentions(result->reason, target.host));
        CHECK(result->unanswered == asked.recipients);
    }
}

TEST_CASE("a server that closes or falls silent at each line", "[callout]") {
    for (int lines = 0; lines < 13; ++lines) {
        for (const bool silent : {false, true}) {
            INFO((silent ? "silent after " : "closed after ") << lines);
            Habits habits;
            (silent ? habits.lines_until_silence : habits.lines_until_close) = lines;
            LoopbackServer server({}, habits);
            Questions asked = questions();
            if (silent) asked.deadlines = all(Milliseconds{200});
            const SessionResult result = server.run(asked);
            // Banner, four lines for EHLO, MAIL FROM, two controls: 8 lines before the first recipient. The
            // second one is refused: it counts once a control was accepted behind it.
            const std::size_t answered = lines == 9 ? 1 : lines >= 11 ? 2 : 0;
            CHECK(result.outcomes.size() == answered);
            CHECK(result.unanswered.size() == 2 - answered);
            CHECK(result.health == (lines < 8 ? Health::retry : Health::passed));
            CHECK(result.limit.has_value() == (!silent && lines >= 7 && lines < 11));
            if (answered < 2) CHECK(mentions(result.reason, silent ? "in time" : "closed"));
        }
    }
}

TEST_CASE("a deadline is for the whole reply, however it drips", "[callout]") {
    Questions asked = questions();
    asked.deadlines = all(Milliseconds{50});
    LoopbackServer server({.banner = "220 " + std::string(1000, 'x')}, {.drip = true});
    const SessionResult result = server.run(asked);
    CHECK(result.health == Health::retry);
    CHECK(mentions(result.reason, "no answer to the connection in time"));
}

TEST_CASE("lines and replies out of bounds over a socket", "[callout]") {
    SECTION("a line of 1 KiB is read") {
        LoopbackServer server({.banner = "220 " + std::string(1018, 'x')}, {});
        check_complete(server.run(questions()));
    }
    SECTION("a longer one is not") {
        LoopbackServer server({.banner = "220 " + std::string(1100, 'x')}, {});
        const SessionResult result = server.run(questions());
        CHECK(result.health == Health::retry);
        CHECK(mentions(result.reason, "endless line"));
    }
    SECTION("one without an end neither") {
        LoopbackServer server({.banner = "220 " + std::string(1000000, 'x')}, {.line_end = ""});
        CHECK(mentions(server.run(questions()).reason, "endless line"));
    }
    SECTION("two replies to one command") {
        LoopbackServer server({.mail = "250 2.1.0 OK\r\n250 2.1.5 OK"}, {});
        const SessionResult result = server.run(questions());
        CHECK(result.health == Health::retry);
        CHECK(mentions(result.reason, "more than it was asked for"));
        CHECK(result.unanswered.size() == 2);
    }
    SECTION("a good-bye right behind a refusal") {
        LoopbackServer server(
            {.recipients = {{"known@corp.example", kAcceptedReply},
                            {"a@corp.example", kUnknownReply + "\r\n421 4.7.0 Too many errors"}}},
            {});
        const SessionResult result = server.run(questions());
        CHECK(result.limit == 2);
        REQUIRE(result.outcomes.size() == 1);
        CHECK(result.outcomes[0].klass == CalloutClass::unknown);
    }
}

TEST_CASE("STARTTLS over a socket", "[callout]") {
    LoopbackServer server({.ehlo = kOffersTls}, {});
    server.certificate = make_certificate("localhost");
    Questions asked = questions();
    asked.target.host = "localhost";
    SECTION("opportunistic takes any certificate") {
        asked.tls = Tls::opportunistic;
        check_complete(server.run(asked));
        CHECK(server.peer.encrypted);
    }
    SECTION("opportunistic takes any name, and an address for one") {
        asked.tls = Tls::opportunistic;
        asked.target.host = "127.0.0.1";
        check_complete(server.run(asked));
    }
    SECTION("required wants one that is trusted") {
        asked.tls = Tls::required;
        const SessionResult result = server.run(asked);
        CHECK(result.health == Health::fault);
        CHECK(mentions(result.reason, "self-signed"));
        CHECK(mentions(result.reason, "localhost"));
        CHECK(server.connections == 1);
    }
    SECTION("required takes one that is trusted") {
        const TrustedCertificate trusted(server.certificate);
        asked.tls = Tls::required;
        check_complete(server.run(asked));
        CHECK(server.peer.encrypted);
    }
    SECTION("required wants the host's name in it") {
        server.certificate = make_certificate("other.example");
        const TrustedCertificate trusted(server.certificate);
        asked.tls = Tls::required;
        const SessionResult result = server.run(asked);
        CHECK(result.health == Health::fault);
        CHECK(result.unanswered.size() == 2);
    }
    SECTION("what was sent in clear behind the reply is not heard") {
        server.habits.before_handshake = "\r\n250-evil.example\r\n250 SMTPUTF8";
        asked.tls = Tls::opportunistic;
        const SessionResult result = server.run(asked);
        check_complete(result);
        CHECK(server.peer.encrypted);
        CHECK(server.connections == 1);
        CHECK_FALSE(said(result, "evil"));
    }
    SECTION("silence inside TLS") {
        server.habits.lines_until_silence = 5;  // before the reply to the second EHLO
        asked.tls = Tls::opportunistic;
        asked.deadlines = all(Milliseconds{200});
        const SessionResult result = server.run(asked);
        CHECK(result.health == Health::retry);
        CHECK(mentions(result.reason, "no answer to EHLO in time"));
    }
    SECTION("silence instead of a handshake") {
        server.habits.handshake = Habits::Handshake::silence;
        asked.deadlines = all(Milliseconds{200});
        asked.tls = Tls::required;
        const SessionResult required = server.run(asked);
        CHECK(required.health == Health::retry);
        CHECK(mentions(required.reason, "TLS handshake"));
        CHECK(server.connections == 1);
    }
}

TEST_CASE("a handshake that fails", "[callout]") {
    LoopbackServer server({.ehlo = kOffersTls}, {.handshake = Habits::Handshake::garbage});
    Questions asked = questions();
    SECTION("opportunistic: again, in clear") {
        asked.tls = Tls::opportunistic;
        const SessionResult result = server.run(asked);
        check_complete(result);
        CHECK(server.connections == 2);
        CHECK(said(result, "STARTTLS"));
        CHECK(said(result, "(again, without TLS)"));
    }
    SECTION("required: a fault") {
        asked.tls = Tls::required;
        CHECK(server.run(asked).health == Health::fault);
        CHECK(server.connections == 1);
    }
}

TEST_CASE("a cancelled session closes its connection", "[callout]") {
    for (const int lines : {0, 5, 8}) {
        LoopbackServer server({}, {.lines_until_silence = lines});
        CHECK(server.cancel(questions()));
    }
}

TEST_CASE("targets as text", "[callout]") {
    CHECK(Target{"ex1.corp.example", 2525}.text() == "ex1.corp.example:2525");
    CHECK(Target{"::1", 25}.text() == "[::1]:25");
}

TEST_CASE("random controls", "[callout]") {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const mail::Address control = make_random_control("Corp.Example");
        CHECK(control.domain() == "corp.example");
        CHECK(control.local().size() == 17);
        CHECK((control.local().front() >= 'a' && control.local().front() <= 'z'));
        CHECK(control.external() == control.text());
        seen.insert(control.text());
    }
    CHECK(seen.size() == 1000);
    CHECK_THROWS_AS(make_random_control("no domain"), std::logic_error);
}
