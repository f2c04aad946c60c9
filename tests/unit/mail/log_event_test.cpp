// SPDX-License-Identifier: MIT
#include "mail/log_event.h"

#include <string>
#include <vector>

#include "catch.h"

using namespace postcensus;
using mail::Dropped;
using mail::EventKind;
using mail::LineResult;

namespace {

const std::vector<std::string> kNames{"postfix"};
const std::string kPrefix = "Nov 24 03:58:39 gw postfix/smtpd[7259]: ";
const std::string kClient = "localhost[127.0.0.1]";
const std::string kTable = "Recipient address rejected: User unknown in relay recipient table";

LineResult read(const std::string& line) {
    return mail::read_line(line, kNames);
}

// A line as smtpd of Postfix 3.7 writes it; `internal` stands in the reject text, the others behind it.
std::string miss(const std::string& internal, const std::string& to, const std::string& from = "a@b.test",
                 const std::string& tail = " proto=ESMTP helo=<client.test>") {
    return kPrefix + "NOQUEUE: reject: RCPT from " + kClient + ": 450 4.1.1 <" + internal + ">: " + kTable +
           "; from=<" + from + "> to=<" + to + ">" + tail;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

// "" for no event, "+recipient" for a miss, "asked recipient" and so on for others, "-why" for a dropped
// line.
std::string outcome(const LineResult& result) {
    if (result.event && result.event->kind == EventKind::miss) return "+" + result.event->recipient.text();
    if (result.event)
        return std::string(mail::name_of(result.event->kind)) + " " + result.event->recipient.text();
    if (!result.dropped) return "";
    constexpr const char* kWhy[] = {"-hostile", "-cut", "-invalid", "-strange", "-namesake"};
    return kWhy[static_cast<int>(*result.dropped)];
}
std::string outcome(const std::string& line) {
    return outcome(read(line));
}

const std::string kHonest = miss("nobody@corp.example", "nobody@corp.example");

}  // namespace

TEST_CASE("a miss says who asked for whom", "[mail][log_event]") {
    const LineResult result = read(kHonest);
    REQUIRE(result.event);
    CHECK_FALSE(result.dropped);
    CHECK(result.event->recipient.text() == "nobody@corp.example");
    CHECK(result.event->client == "127.0.0.1");
    CHECK(result.event->sender == "a@b.test");
    CHECK(result.event->code == 450);
    CHECK_FALSE(result.event->at.exact);
}

TEST_CASE("the variants of Postfix's line are misses", "[mail][log_event]") {
    const std::string expected = "+nobody@corp.example";
    const auto with = [](const std::string& from, const std::string& to) {
        return outcome(replaced(kHonest, from, to));
    };
    for (const char* code : {"450 4.1.1", "550 5.1.1", "451 4.1.1", "553 5.1.1", "554 5.1.1", "421 4.1.1"})
        CHECK(with("450 4.1.1", code) == expected);
    CHECK(with(": reject:", ": reject_warning:") == expected);
    CHECK(with(" in relay recipient table", "") == expected);
    CHECK(with("NOQUEUE", "12F93A72133") == expected);
    CHECK(with("NOQUEUE", "4ZnLqk1x2Qz9rTb") == expected);
    CHECK(with("from=<a@b.test>", "from=<>") == expected);
    CHECK(with("from=<a@b.test>", "from=<plainsender>") == expected);
    CHECK(with("from=<a@b.test>", "from=<\"j smith\"@b.test>") == expected);
    CHECK(with(" proto=ESMTP helo=<client.test>", " proto=SMTP") == expected);
    CHECK(with("helo=<client.test>", "helo=<ev?il???h??x????to=?v?>") == expected);
    CHECK(with("helo=<client.test>", "helo=<client.test> sasl_method=PLAIN sasl_username=jo@corp.example") ==
          expected);
    CHECK(with("helo=<client.test>",
               "helo=<client.test> sasl_method=PLAIN sasl_username=jo sasl_sender=jo@c.test") == expected);
    CHECK(with("helo=<client.test>", "helo=<client.test> of_a_later=version") == expected);
    CHECK(with("helo=<client.test>", "helo=<client.test> and more") == "-hostile");
    CHECK(with("[7259]", "") == expected);
}

TEST_CASE("the client is its address, with or without port", "[mail][log_event]") {
    const auto client = [](const std::string& text) {
        const LineResult result = read(replaced(kHonest, kClient, text));
        return result.event ? result.event->client : outcome(result);
    };
    CHECK(client("mx.b.test[192.0.2.7]") == "192.0.2.7");
    CHECK(client("mx.b.test[192.0.2.7]:41234") == "192.0.2.7");
    CHECK(client("unknown[2001:db8::1]") == "2001:db8::1");
    CHECK(client("unknown[2001:db8::1]:25") == "2001:db8::1");
    CHECK(client("unknown[unknown]") == "unknown");
    CHECK(client("unknown[unknown]:unknown") == "unknown");
    CHECK(client("my_host-1.b.test[192.0.2.7]") == "192.0.2.7");
    CHECK(client("unknown[192.0.2.700]") == "-hostile");
    CHECK(client("x]: 450 4.1.1 <v@corp.example>[192.0.2.7]") == "-hostile");
    CHECK(client("a b[192.0.2.7]") == "-hostile");
    CHECK(client("192.0.2.7") == "-hostile");
}

TEST_CASE("prefixes of syslog, rsyslog and postlogd are read", "[mail][log_event]") {
    const auto at = [](const std::string& prefix) {
        const LineResult result = read(replaced(kHonest, kPrefix, prefix));
        if (!result.event) return std::string("no event");
        const mail::LogTime& time = result.event->at;
        return time.exact ? std::to_string(to_unix_ms(*time.exact)) : std::string("no time");
    };
    CHECK(at("Nov  4 01:02:03 host postfix/smtpd[1]: ") == "no time");
    CHECK(at("Nov 04 01:02:03 host postfix/smtpd[123]: ") == "no time");
    CHECK(at("Nov  4 01:02:03 host postfix-out/smtpd[1]: ") == "no time");
    CHECK(at("Nov  4 01:02:03 host postfix/submission/smtpd[1]: ") == "no time");
    CHECK(at("Nov  4 01:02:03 host postfix-in/smtps/smtpd[1]: ") == "no time");
    CHECK(at("2026-11-24T03:47:46Z host postfix/smtpd[1]: ") == "1795492066000");
    CHECK(at("2026-11-24T03:47:46.123456+00:00 host postfix/smtpd[1]: ") == "1795492066123");
    CHECK(at("2026-11-24T04:47:46.5+01:00 host postfix/smtpd[1]: ") == "1795492066500");
    CHECK(at("2026-11-24T00:17:46-0330 host postfix/smtpd[1]: ") == "1795492066000");
    CHECK(at("2026-11-24T03:47:46 host postfix/smtpd[1]: ") == "no time");
    CHECK(at("2026-06-30T23:59:60Z host postfix/smtpd[1]: ") == "1782863999000");

    CHECK(at("2026-13-24T03:47:46Z host postfix/smtpd[1]: ") == "no event");
    CHECK(at("2026-02-30T03:47:46Z host postfix/smtpd[1]: ") == "no event");
    CHECK(at("2026-11-24T03:47:46+99:99 host postfix/smtpd[1]: ") == "no event");
    CHECK(at("Nov  4 25:02:03 host postfix/smtpd[1]: ") == "no event");
    CHECK(at("Foo  4 01:02:03 host postfix/smtpd[1]: ") == "no event");
    CHECK(at("") == "no event");
}

TEST_CASE("only smtpd under one of our syslog names is heard", "[mail][log_event]") {
    const auto from = [](const std::string& tag, const std::vector<std::string>& names) {
        return mail::read_line(replaced(kHonest, "postfix/smtpd[7259]", tag), names).event.has_value();
    };
    CHECK(from("mx-in/smtpd[1]", {"postfix", "mx-in"}));
    CHECK(from("mx-in/submission/smtpd[1]", {"mx-in"}));
    CHECK_FALSE(from("mx-in/smtpd[1]", kNames));
    CHECK_FALSE(from("postfix/postscreen[1]", kNames));
    CHECK_FALSE(from("postfix/cleanup[1]", kNames));
    CHECK_FALSE(from("postfixed/smtpd[1]", kNames));
    CHECK_FALSE(from("smtpd[1]", kNames));
    CHECK_FALSE(from("evil[1]: postfix/smtpd[1]", kNames));
    CHECK_FALSE(from("postfix/smtpd[x]", kNames));
    CHECK_FALSE(from("postfix/smtpd[1]", {}));
}

TEST_CASE("other rejections and other lines are no event", "[mail][log_event]") {
    const auto with = [](const std::string& from, const std::string& to) {
        return outcome(replaced(kHonest, from, to));
    };
    CHECK(with("Recipient address", "Sender address").empty());
    CHECK(with("relay recipient table", "local recipient table").empty());
    CHECK(with("relay recipient table", "virtual mailbox table").empty());
    CHECK(with("relay recipient table", "virtual alias table").empty());
    CHECK(with("User unknown in relay recipient table", "undeliverable address: unknown").empty());
    CHECK(with("450 4.1.1", "454 4.7.1").empty());
    CHECK(with("RCPT from", "MAIL from").empty());
    CHECK(with("reject: RCPT", "filter: RCPT").empty());
    CHECK(outcome("").empty());
    CHECK(outcome(kPrefix).empty());
    CHECK(outcome(kPrefix + "connect from localhost[127.0.0.1]").empty());
    CHECK(outcome("Nov 24 03:58:39 gw postfix/smtpd[7259]: 12F93A72133: reject: RCPT from "
                  "localhost[127.0.0.1]: 554 5.7.1 "
                  "<other@elsewhere.test>: Relay access denied; from=<a@b.test> to=<other@elsewhere.test> "
                  "proto=ESMTP "
                  "helo=<client.test>")
              .empty());
    CHECK(outcome("Nov 24 03:58:39 gw postfix/postscreen[7]: NOQUEUE: reject: RCPT from [192.0.2.7]:4321: "
                  "550 5.1.1 "
                  "<v@corp.example>: Recipient address rejected: User unknown; from=<a@b.test>, "
                  "to=<v@corp.example>, "
                  "proto=ESMTP, helo=<client.test>")
              .empty());
}

TEST_CASE("quoted and unusual recipients are read as Postfix means them", "[mail][log_event]") {
    CHECK(outcome(miss("Late.Comer@Corp.Example", "Late.Comer@Corp.Example")) == "+late.comer@corp.example");
    CHECK(outcome(miss("j smith@corp.example", "\"j smith\"@corp.example")) == "+j smith@corp.example");
    CHECK(outcome(miss("a\"b\\c@corp.example", "\"a\\\"b\\\\c\"@corp.example")) == "+a\"b\\c@corp.example");
    CHECK(outcome(miss("müller@corp.example", "müller@corp.example")) == "+müller@corp.example");
    CHECK(outcome(miss("a?b@corp.example", "a?b@corp.example")) == "+a?b@corp.example");
    CHECK(outcome(miss(".dot@corp.example", "\".dot\"@corp.example")) == "+.dot@corp.example");
    CHECK(outcome(miss("do..t@corp.example", "\"do..t\"@corp.example")) == "+do..t@corp.example");
    CHECK(outcome(miss("a@b@corp.example", "\"a@b\"@corp.example")) == "+a@b@corp.example");
    CHECK(outcome(miss("x@corp.example.", "x@corp.example.")) == "+x@corp.example");
    CHECK(outcome(miss("#hash@corp.example", "#hash@corp.example")) == "+#hash@corp.example");
    CHECK(outcome(miss("*@corp.example", "*@corp.example")) == "+*@corp.example");
    CHECK(outcome(miss("x> to=<v@corp.example> proto=SMTP helo=<x>@c.test",
                       "\"x> to=<v@corp.example> proto=SMTP helo=<x>\"@c.test")) ==
          "+x> to=<v@corp.example> proto=smtp helo=<x>@c.test");
}

TEST_CASE("an empty local part never becomes a wildcard for its domain", "[mail][log_event]") {
    CHECK(outcome(miss("@corp.example", "\"\"@corp.example")) == "-invalid");
    CHECK(outcome(miss("@corp.example", "@corp.example")) == "-invalid");
    CHECK(outcome(miss("nodomain", "nodomain")) == "-invalid");
    const std::string longest(300, 'x');
    CHECK(outcome(miss(longest + "@corp.example", longest + "@corp.example")) ==
          "+" + longest + "@corp.example");
}

TEST_CASE("a control character never passes for the ? that stands for it", "[mail][log_event]") {
    // What Postfix 3.7 logs for RCPT TO:<"a\x01b"@corp.example>.
    CHECK(outcome(miss("a b@corp.example", "\"a?b\"@corp.example")) == "-hostile");
}

TEST_CASE("a recipient cannot forge a miss of another", "[mail][log_event]") {
    // As logged for a recipient that carries a whole reject text.
    const std::string fake =
        "victim@corp.example>: " + kTable + "; from=<a@b.test> to=<victim@corp.example> proto=ESMTP helo=<x>";
    CHECK(outcome(miss(fake + "@corp.example", "\"" + fake + "\"@corp.example")) == "-hostile");
    // Without fields of its own: what is read behind is the true recipient.
    const std::string half = "victim@corp.example>: " + kTable;
    CHECK(outcome(miss(half + "@corp.example", "\"" + half + "\"@corp.example")) ==
          "+" + mail::fold(half) + "@corp.example");
    // One that opens a quote, which the sender closes.
    CHECK(outcome(miss("victim@corp.example>: " + kTable + "; from=<\"x@corp.example", "\"y\"@corp.example",
                       "\"@x> to=<victim@corp.example> proto=SMTP helo=<x>\"@b.test")) == "-hostile");
    // A free text for another recipient under our words.
    CHECK(
        outcome(replaced(miss("victim@corp.example>: " + kTable + "@corp.example", "z@corp.example"),
                         "@corp.example>: " + kTable + "; from", "@corp.example>: Relay access denied; from"))
            .empty());
    CHECK(outcome(miss("victim@corp.example", "other@corp.example")) == "-hostile");
    CHECK(outcome(miss("Victim@corp.example", "victim@corp.example")) == "-hostile");
}

TEST_CASE("a sender cannot forge a miss of another", "[mail][log_event]") {
    const auto from = [](const std::string& sender) {
        return outcome(miss("nobody@corp.example", "nobody@corp.example", sender));
    };
    CHECK(from("\"x> to=<victim@corp.example> proto=SMTP helo=<x>\"@b.test") == "+nobody@corp.example");
    CHECK(from("\"x\\\"> to=<victim@corp.example>\"@b.test") == "+nobody@corp.example");
    CHECK(from("\"; from=<x> to=<victim@corp.example>\"@b.test") == "-hostile");
    // info_log_address_format = internal: without the quotes, and so without a way to tell.
    CHECK(from("x> to=<victim@corp.example> proto=SMTP helo=<x>@b.test") == "-hostile");
    CHECK(from("j smith@b.test") == "-hostile");
    CHECK(from("\"unclosed@b.test") == "-cut");
}

TEST_CASE("a HELO name or a user name cannot forge fields", "[mail][log_event]") {
    const auto tail = [](const std::string& text) {
        return outcome(miss("nobody@corp.example", "nobody@corp.example", "a@b.test", text));
    };
    CHECK(tail(" proto=ESMTP helo=<x> to=<victim@corp.example> proto=ESMTP helo=<y>") == "-hostile");
    CHECK(tail(" proto=ESMTP helo=<x> sasl_method=PLAIN sasl_username=a> to=<v@corp.example>") == "-hostile");
    CHECK(tail(" proto=ESMTP helo=<x>>") == "-hostile");
    CHECK(tail(", proto=ESMTP helo=<x>") == "-hostile");
}

TEST_CASE("a line cut anywhere is no evidence", "[mail][log_event]") {
    const std::string quoted = miss("j smith@corp.example", "\"j smith\"@corp.example", "\"a b\"@b.test");
    for (const std::string& line : {kHonest, quoted})
        for (std::size_t size = 0; size < line.size(); ++size) {
            INFO(line.substr(0, size));
            CHECK_FALSE(read(line.substr(0, size)).event);
        }
    CHECK(outcome(kHonest.substr(0, kHonest.size() - 1)) == "-cut");
    CHECK(outcome(kHonest.substr(0, kHonest.find("to=<") + 8)) == "-cut");
    CHECK(outcome(kHonest.substr(0, kHonest.find("; from"))) == "-cut");
    // Complete to the eye, but long enough for the end to be the work of who placed the cut.
    CHECK(outcome(miss("n@corp.example", "n@corp.example", std::string(1700, 'S') + "@b.test")) == "-cut");
    CHECK(outcome(miss("n@corp.example", "n@corp.example", std::string(300, 'S') + "@b.test")) ==
          "+n@corp.example");
    const std::string long_one(600, 'A');
    CHECK(outcome(miss(long_one + "@corp.example", long_one + "@corp.example")) == "-cut");
    CHECK(outcome(replaced(miss(long_one, long_one), ">: " + kTable, "")).empty());
}

TEST_CASE("what is kept of the sender is bounded and printable", "[mail][log_event]") {
    const LineResult big = read(miss("n@corp.example", "n@corp.example", std::string(500, 'S') + "@b.test"));
    REQUIRE(big.event);
    CHECK(big.event->sender.size() <= 323);
    const LineResult raw = read(miss("n@corp.example", "n@corp.example", "\"a\x1b\xff\"@b.test"));
    REQUIRE(raw.event);
    CHECK(raw.event->sender == "\"a\\x1b\\xff\"@b.test");
}

TEST_CASE("our own rejection is known by its words, whatever its code", "[mail][log_event]") {
    const std::string ours(mail::kUnknownRecipient);
    const std::string line = replaced(kHonest, "User unknown in relay recipient table", ours);
    CHECK(outcome(replaced(line, "450 4.1.1", "550 5.1.1")) == "asked nobody@corp.example");
    CHECK(outcome(line) == "asked nobody@corp.example");  // soft_bounce
    CHECK(read(line).event->client == "127.0.0.1");
    CHECK(outcome(replaced(line, ours, ours + "!")).empty());
    // Words of ours inside of the recipient make nothing but that recipient.
    const std::string half = "victim@corp.example>: Recipient address rejected: " + ours;
    CHECK(outcome(miss(half + "@corp.example", "\"" + half + "\"@corp.example")) ==
          "+" + mail::fold(half) + "@corp.example");
}

TEST_CASE("what rsyslog has escaped is no address", "[mail][log_event]") {
    CHECK(outcome(kHonest + "#012") == "+nobody@corp.example");
    CHECK(outcome(miss("a#012b@corp.example", "a#012b@corp.example")) == "-invalid");
    CHECK(outcome(miss("#303#244rger@corp.example", "#303#244rger@corp.example")) == "-invalid");
    CHECK(outcome(miss("a#101b@corp.example", "a#101b@corp.example")) == "+a#101b@corp.example");
    CHECK(outcome(miss("a#999b@corp.example", "a#999b@corp.example")) == "+a#999b@corp.example");
    CHECK(outcome(miss("a#01@corp.example", "a#01@corp.example")) == "+a#01@corp.example");
}

namespace {

// As smtp(8) of Postfix 3.7 writes them.
const std::string kSmtp = "Nov 24 03:58:41 gw postfix/relay/smtp[7301]: ";
const std::string kSent =
    kSmtp +
    "4ZnLqk1x2Qz9rTb: to=<anna@corp.example>, relay=ex1.corp.example[192.0.2.10]:25, delay=0.21, "
    "delays=0.05/0.01/0.05/0.1, dsn=2.6.0, status=sent (250 2.6.0 <m@x> Queued mail for delivery)";
const std::string kBounced =
    kSmtp +
    "3C0F51A0123: to=<gone@corp.example>, relay=ex1.corp.example[192.0.2.10]:25, conn_use=2, "
    "delay=0.3, delays=0.05/0/0.05/0.2, dsn=5.1.10, status=bounced (host ex1.corp.example[192.0.2.10] "
    "said: 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup (in "
    "reply to RCPT TO command))";

}  // namespace

TEST_CASE("a delivery says where it went", "[mail][log_event]") {
    const LineResult sent = read(kSent);
    REQUIRE(sent.event);
    CHECK(sent.event->kind == EventKind::delivered);
    CHECK(sent.event->recipient.text() == "anna@corp.example");
    CHECK(sent.event->host == "ex1.corp.example[192.0.2.10]:25");
    CHECK_FALSE(sent.event->original);
    const LineResult alias =
        read(replaced(kSent, "anna@corp.example>", "anna@corp.example>, orig_to=<Info@corp.example>"));
    REQUIRE(alias.event);
    CHECK(alias.event->original->text() == "info@corp.example");
    // The server's words come behind all that is read.
    CHECK(outcome(replaced(kSent, "250 2.6.0", std::string(1500, 'x'))) == "delivered anna@corp.example");
    CHECK(outcome(replaced(kSent, "relay/smtp", "lmtp")) == "delivered anna@corp.example");
    for (const char* other : {"postfix/qmgr", "postfix/local", "postfix/virtual", "postfix/smtpd"})
        CHECK(outcome(replaced(kSent, "postfix/relay/smtp", other)).empty());
    CHECK(outcome(replaced(kSent, "postfix/relay/smtp", "other/smtp")) == "-namesake");
    for (const char* status : {"deferred", "undeliverable", "deliverable", "expired"})
        CHECK(outcome(replaced(kSent, "status=sent", std::string("status=") + status)).empty());
}

TEST_CASE("a bounce is what a server refused for good, at RCPT TO or after DATA", "[mail][log_event]") {
    const LineResult bounced = read(kBounced);
    REQUIRE(bounced.event);
    CHECK(bounced.event->kind == EventKind::bounced);
    CHECK(bounced.event->recipient.text() == "gone@corp.example");
    CHECK(bounced.event->code == 550);
    CHECK(bounced.event->reply ==
          "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup");
    const std::string expected = "bounced gone@corp.example";
    CHECK(outcome(replaced(replaced(kBounced, "status=bounced", "status=SOFTBOUNCE"), "dsn=5", "dsn=4")) ==
          expected);
    CHECK(outcome(replaced(kBounced, "RCPT TO command", "end of DATA command")) == expected);
    for (const char* stage : {"MAIL FROM command", "DATA command", "EHLO command"})
        CHECK(outcome(replaced(kBounced, "RCPT TO command", stage)).empty());
    // What Postfix itself found wrong.
    CHECK(outcome(kSmtp + "3C0F51A0123: to=<gone@corp.example>, relay=none, delay=0.3, delays=0.1/0/0.2/0, "
                          "dsn=5.4.4, status=bounced (Host or domain name not found. Name service error)")
              .empty());
    CHECK(outcome(replaced(kBounced, "said: 550", "said: 450")).empty());
    CHECK(outcome(replaced(kBounced, "RESOLVER", std::string(900, 'x'))) == "-cut");
}

TEST_CASE("a recipient cannot forge a delivery of another", "[mail][log_event]") {
    const auto to = [](const std::string& line, const std::string& quoted) {
        return outcome(replaced(line, line == kSent ? "<anna@corp.example>" : "<gone@corp.example>", quoted));
    };
    const std::string fake =
        "x>, relay=ex1[192.0.2.10]:25, delay=0, delays=0/0/0/0, dsn=5.1.1, status=bounced (host h "
        "said: 550 5.1.1 (in reply to RCPT TO command))";
    CHECK(to(kSent, "<\"" + fake.substr(0, 60) + "\"@corp.example>") ==
          "delivered " + mail::Address::from_internal(fake.substr(0, 60) + "@corp.example")->text());
    CHECK(to(kSent, "<\"" + fake + "\"@corp.example>") == "delivered " + mail::fold(fake) + "@corp.example");
    CHECK(to(kSent, "<x> to=<victim@corp.example>") == "-hostile");
    CHECK(to(kSent, "<a b@corp.example>") == "-hostile");
    CHECK(to(kBounced, "<\"\"@corp.example>") == "-invalid");
    CHECK(to(kSent, "<\"anna+?\"@corp.example>") == "-invalid");  // the ? may be any control character
    CHECK(to(kSent, "<anna@corp.example>, orig_to=<\"a>, relay=x\"@corp.example>") ==
          "delivered anna@corp.example");
}

TEST_CASE("a delivery that is cut is one only if all that counts is there", "[mail][log_event]") {
    for (const std::string& line : {kSent, kBounced})
        for (std::size_t size = 0; size < line.size(); ++size) {
            INFO(line.substr(0, size));
            const LineResult result = read(line.substr(0, size));
            CHECK(result.event.has_value() == (line == kSent && size >= line.find("status=sent (") + 13));
        }
}
