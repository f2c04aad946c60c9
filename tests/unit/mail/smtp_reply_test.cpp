// SPDX-License-Identifier: MIT
#include "mail/smtp_reply.h"

#include <string>
#include <vector>

#include "catch.h"

using namespace postcensus::mail;
using State = ReplyReader::State;

namespace {

SmtpReply reply_of(const std::vector<std::string>& lines) {
    ReplyReader reader;
    for (std::size_t i = 0; i < lines.size(); ++i)
        REQUIRE(reader.feed(lines[i]) == (i + 1 < lines.size() ? State::more : State::complete));
    return reader.take();
}

}  // namespace

TEST_CASE("a reply of one line has code, enhanced code and text", "[mail][smtp_reply]") {
    const SmtpReply reply =
        reply_of({"550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"});
    CHECK(reply.code == 550);
    CHECK(reply.enhanced == EnhancedCode{5, 1, 10});
    CHECK(reply.enhanced->text() == "5.1.10");
    CHECK(reply.permanent());
    CHECK_FALSE(reply.transient());
    CHECK_FALSE(reply.positive());
    CHECK(reply.text() ==
          "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup");
}

TEST_CASE("a reply may do without text or enhanced code", "[mail][smtp_reply]") {
    CHECK(reply_of({"250"}).code == 250);
    CHECK(reply_of({"250"}).lines == std::vector<std::string>{""});
    CHECK(reply_of({"250 "}).lines == std::vector<std::string>{""});
    CHECK_FALSE(reply_of({"550 User unknown"}).enhanced);
    CHECK(reply_of({"250 Ok"}).positive());
    CHECK(reply_of({"452 4.3.1 Insufficient system resources"}).transient());
}

TEST_CASE("a reply of many lines is one", "[mail][smtp_reply]") {
    const SmtpReply greeting = reply_of(
        {"250-ex1.corp.example Hello [192.0.2.1]", "250-PIPELINING", "250-STARTTLS", "250 CHUNKING"});
    CHECK(greeting.lines.size() == 4);
    CHECK(greeting.lines[2] == "STARTTLS");
    CHECK(greeting.text() == "250 ex1.corp.example Hello [192.0.2.1] PIPELINING STARTTLS CHUNKING");
    CHECK(reply_of({"550-5.1.1 No such", "550 5.1.1 user"}).text() == "550 5.1.1 No such user");
    CHECK(reply_of({"250-", "250"}).lines.size() == 2);
}

TEST_CASE("the class of an enhanced code is that of the reply", "[mail][smtp_reply]") {
    CHECK(parse_enhanced(550, "5.1.1 User unknown") == EnhancedCode{5, 1, 1});
    CHECK(parse_enhanced(550, "5.7.124") == EnhancedCode{5, 7, 124});
    for (const char* text : {"4.1.1 x", "5.1 x", "5.1.1x", "5.1.1234", "5..1", "5.-1.1", "", "5", "5.1.",
                             ".1.1", "+5.1.1", "5.1.1.1"}) {
        INFO(text);
        CHECK_FALSE(parse_enhanced(550, text));
    }
}

TEST_CASE("what is no SMTP is malformed", "[mail][smtp_reply]") {
    for (const char* line : {"", "2", "25", "2500 x", "25x", "199 x", "600 x", "999", "HTTP/1.1 400", "250x",
                             " 250 x", "-50 x", "250\tx"}) {
        INFO(line);
        CHECK(ReplyReader().feed(line) == State::malformed);
    }
    ReplyReader reader;
    CHECK(reader.feed("250-a") == State::more);
    CHECK(reader.feed("550 b") == State::malformed);
}

TEST_CASE("a reply without end is malformed, not memory", "[mail][smtp_reply]") {
    ReplyReader reader;
    int lines = 0;
    while (lines < 1000 && reader.feed("250-x") == State::more) ++lines;
    CHECK(lines == 100);
}

TEST_CASE("the reader starts anew after a reply", "[mail][smtp_reply]") {
    ReplyReader reader;
    CHECK(reader.feed("550 5.1.1 a") == State::complete);
    CHECK(reader.take().code == 550);
    CHECK(reader.feed("250 b") == State::complete);
    const SmtpReply reply = reader.take();
    CHECK(reply.code == 250);
    CHECK_FALSE(reply.enhanced);
    CHECK(reply.lines == std::vector<std::string>{"b"});
}
