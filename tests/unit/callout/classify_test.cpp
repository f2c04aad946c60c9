// SPDX-License-Identifier: MIT
#include "callout/classify.h"

#include <string>
#include <string_view>
#include <vector>

#include "catch.h"

using namespace postcensus;
using namespace postcensus::callout;
using census::CalloutClass;

namespace {

mail::Address address(std::string_view text) {
    return mail::Address::from_internal(text).value();
}

// Lines divided by |, as a server sends them.
mail::SmtpReply reply(std::string_view text) {
    mail::ReplyReader reader;
    for (;;) {
        const std::size_t end = text.find('|');
        const auto state = reader.feed(text.substr(0, end));
        if (state == mail::ReplyReader::State::complete) return reader.take();
        REQUIRE(state == mail::ReplyReader::State::more);
        REQUIRE(end != std::string_view::npos);
        text.remove_prefix(end + 1);
    }
}

struct Case {
    std::string reply;
    Judgement judgement;
};

constexpr auto kAccepted = Judgement::accepted;
constexpr auto kUnknown = Judgement::unknown;
constexpr auto kPolicy = Judgement::policy;
constexpr auto kFault = Judgement::fault;
constexpr auto kRetry = Judgement::retry;
constexpr auto kTrouble = Judgement::trouble;

void check(const std::vector<Case>& cases, const mail::Address& recipient) {
    for (const Case& one : cases) {
        INFO(one.reply);
        CHECK(static_cast<int>(judge_rcpt(reply(one.reply), recipient)) == static_cast<int>(one.judgement));
    }
}

}  // namespace

TEST_CASE("replies of Exchange to RCPT TO", "[callout]") {
    check(
        {
            {"250 2.1.5 Recipient OK", kAccepted},
            {"251 2.1.5 User not local; will forward", kAccepted},
            {"550 5.1.1 User unknown", kUnknown},
            {"550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
             kUnknown},
            {"550 5.4.1 Recipient address rejected: Access denied", kUnknown},
            {"550 5.4.1 Recipient address rejected: Access denied. AS(201806281) "
             "[BN8NAM11FT057.eop-nam11.prod.protection.outlook.com 2026-03-01T10:00:00.000Z 08DC]",
             kUnknown},
            {"550 5.4.1 Relay Access Denied", kFault},
            {"550 5.4.1 Something else", kRetry},
            {"550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", kPolicy},
            {"550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized", kPolicy},
            {"550 5.7.12 The recipient is not configured to receive mail from external senders", kPolicy},
            {"550 5.7.124 Sender not in allowed-senders list", kPolicy},
            {"550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required", kPolicy},
            {"550 5.7.134 RESOLVER.RST.SenderNotAuthenticatedForMailbox; authentication required", kPolicy},
            {"550 5.7.136 RESOLVER.RST.SenderNotAuthenticatedForMailUser; authentication required", kPolicy},
            {"550 5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission; not authorized", kPolicy},
            {"550 5.7.13 RESOLVER.RST.SenderNotAuthenticatedForPublicFolder; authentication required",
             kPolicy},
            {"550 5.7.135 RESOLVER.RST.SenderNotAuthenticatedForPublicFolder; authentication required",
             kPolicy},
            {"550 5.7.193 UserNotAllowed; the group takes no mail from outside", kPolicy},
            {"550 5.7.23 The message was rejected because of SPF", kRetry},
            {"550 5.7.1 Unable to relay", kFault},
            {"550 5.7.1 Unable to relay for a@corp.example", kFault},
            {"550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", kFault},
            {"550 5.7.64 TenantAttribution; Relay Access Denied", kFault},
            {"530 5.7.1 Client was not authenticated", kFault},
            {"530 5.7.57 Client not authenticated to send mail", kFault},
            {"535 5.7.3 Authentication unsuccessful", kFault},
            {"538 5.7.11 Encryption required for requested authentication mechanism", kFault},
            {"452 4.3.1 Insufficient system resources", kRetry},
            {"452 4.5.3 Too many recipients", kRetry},
            {"421 4.3.2 The maximum number of concurrent connections has exceeded a limit", kRetry},
            {"421 4.7.0 Too many errors", kRetry},
            {"550 5.2.1 Mailbox cannot be accessed", kRetry},
            {"550 5.2.2 Mailbox full", kRetry},
            {"552 5.2.2 Mailbox full", kRetry},
            {"550 5.7.1 Message rejected as spam by Content Filtering", kRetry},
            {"550 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org", kRetry},
            {"550 5.1.0 Sender denied", kRetry},
            {"550 5.1.2 Host unknown", kTrouble},
            {"550 5.1.2 Domain not found", kTrouble},
            {"501 5.1.3 Invalid address", kRetry},
        },
        address("a@corp.example"));
}

TEST_CASE("replies of other servers to RCPT TO", "[callout]") {
    check(
        {
            {"550 5.1.1 <a@corp.example>: Recipient address rejected: User unknown in relay recipient table",
             kUnknown},
            {"550 <a@corp.example>: Recipient address rejected: User unknown in relay recipient table",
             kUnknown},
            {"450 4.1.1 <a@corp.example>: Recipient address rejected: User unknown in relay recipient table",
             kRetry},
            {"450 4.2.0 <a@corp.example>: Recipient address rejected: Greylisted", kRetry},
            {"554 5.7.1 <a@corp.example>: Relay access denied", kFault},
            {"554 5.7.1 <a@corp.example>: Recipient address rejected: Access denied", kRetry},
            {"550 5.1.1 <a@corp.example>: Recipient address rejected: User unknown in virtual mailbox table",
             kUnknown},
            {"450 4.1.1 <a@corp.example>: Recipient address rejected: unverified address: host ex1 said: 550 "
             "5.1.1",
             kRetry},
            {"550 5.1.1 <a@corp.example>: Recipient address rejected: undeliverable address: unknown user",
             kTrouble},
            {"550 5.1.1 <a@corp.example>: Recipient address rejected: undeliverable address: mail for "
             "corp.example loops back to myself",
             kTrouble},
            {"550 5.1.1 <a@corp.example>: Recipient address rejected: unverified address: Address lookup "
             "failed",
             kTrouble},
            {"550 5.1.1 <a@corp.example>: unable to look up host ex9.corp.example: Name or service not known",
             kTrouble},
            {"550 Unrouteable address: all relevant MX records point to non-existent hosts", kTrouble},
            {"550 remote host address is the local host", kTrouble},
            {"550 5.1.1 connect to ex9.corp.example[192.0.2.9]:25: Connection refused", kTrouble},
            {"550 5.1.1 Host or domain name not found. Name service error for name=corp.example type=MX: "
             "Host not "
             "found",
             kTrouble},
            {"550 Unrouteable address", kUnknown},
            {"550 Unknown user", kUnknown},
            {"451 Temporary local problem - please try later", kRetry},
            {"451 Could not complete recipient verify callout", kRetry},
            {"550-Callback setup failed while verifying <x@y.example>|550 Sender verify failed", kRetry},
            {"550 relay not permitted", kFault},
            {"550 Administrative prohibition", kRetry},
            {"550-Verification failed for <x@y.example>|550-The mail server does not know it|550 Sender "
             "verify failed",
             kRetry},
            {"550-No such person|550-at this address|550 Nobody here", kUnknown},
            {"550 Invalid recipient", kUnknown},
            {"550 Invalid recipient: <a@corp.example>", kUnknown},
            {"550-5.1.1 The email account that you tried to reach does not exist. Please try|"
             "550-5.1.1 double-checking the recipient's email address for typos or|"
             "550-5.1.1 unnecessary spaces. For more information, go to|"
             "550 5.1.1  https://support.google.com/mail/?p=NoSuchUser d2e1a72fcca58-1si - gsmtp",
             kUnknown},
            {"550-5.7.1 The user or domain that you are sending to (or from) has a policy that|550 5.7.1 "
             "prohibited it",
             kRetry},
            {"550 5.1.1 <a@corp.example> User doesn't exist: a@corp.example", kUnknown},
            {"553 sorry, no mailbox here by that name (#5.1.1)", kUnknown},
            {"553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", kFault},
            {"553 sorry, this is not for you (#5.7.1)", kRetry},
            {"550 Requested action not taken: mailbox unavailable", kUnknown},
            {"551 User not local; please try <b@other.example>", kUnknown},
            {"554 delivery error: dd This user doesn't have an account", kRetry},
            {"550 5.1.2 Mailbox does not exist.", kUnknown},
            {"550 5.1.2 Relay not allowed.", kFault},
            {"550 5.1.2 No such domain here", kTrouble},
            {"550 5.1.2 Unknown domain", kRetry},
            {"550 5.1.2 Bad destination system", kRetry},
            {"550 5.1.2 <a@corp.example>: Unrouteable address", kRetry},
            {"550 5.1.2 Mailbox does not exist, blocked by policy", kRetry},
            {"554 5.1.2 Mailbox does not exist.", kRetry},
            {"511 5.1.1 User unknown", kUnknown},
            {"554 5.1.1 Recipient address does not exist", kUnknown},
            {"553 5.1.1 No such user", kUnknown},
            {"554 5.1.1 Access denied", kRetry},
            {"554 5.1.1 Relay access denied", kFault},
            {"554 5.1.1 Host unknown", kTrouble},
            {"511 5.1.10 User unknown", kRetry},
            {"511 User unknown", kRetry},
            {"554 User unknown", kRetry},
            {"550 Blocked", kRetry},
            {"550 Blocked.See the list", kRetry},
            {"550 Rejected by policy", kRetry},
            {"550 Authentication required", kRetry},
            {"550 Access denied", kRetry},
            {"550 5.1.1 Too many invalid recipients", kRetry},
            {"550 Refused, see https://www.spamhaus.org/query", kRetry},
            {"550 mailrelay.corp.example does not know this user", kUnknown},
            {"550 Mailbox disabled", kRetry},
            {"550 Mailbox is over quota", kRetry},
            {"550", kUnknown},
            {"252 2.0.0 I cannot tell", kRetry},
            {"354 Go ahead", kRetry},
            {"500 5.5.1 Command unrecognized", kRetry},
        },
        address("a@corp.example"));
}

TEST_CASE("the recipient's own words do not judge", "[callout]") {
    CHECK(judge_rcpt(reply("550 5.1.1 <relay@corp.example>: User unknown"), address("relay@corp.example")) ==
          kUnknown);
    CHECK(judge_rcpt(reply("550 <Spam@Corp.Example> unknown"), address("spam@corp.example")) == kUnknown);
    const mail::Address quoted = address("resolver.rst. unable to relay@corp.example");
    CHECK(judge_rcpt(reply("550 5.7.1 <\"resolver.rst. unable to relay\"@corp.example> refused"), quoted) ==
          kRetry);
    CHECK(judge_rcpt(reply("550 5.1.1 <resolver.rst. unable to relay@corp.example> unknown"), quoted) ==
          kUnknown);
}

TEST_CASE("replies before RCPT TO", "[callout]") {
    CHECK(judge_before_rcpt(Stage::banner, reply("220 ex1 ESMTP")) == kAccepted);
    CHECK(judge_before_rcpt(Stage::banner, reply("554 no")) == kFault);
    CHECK(judge_before_rcpt(Stage::banner, reply("421 later")) == kRetry);
    CHECK(judge_before_rcpt(Stage::banner, reply("450 later")) == kRetry);
    CHECK(judge_before_rcpt(Stage::banner, reply("250 what")) == kRetry);
    CHECK(judge_before_rcpt(Stage::hello, reply("250 ex1")) == kAccepted);
    CHECK(judge_before_rcpt(Stage::hello, reply("502 no")) == kFault);
    CHECK(judge_before_rcpt(Stage::starttls, reply("220 go")) == kAccepted);
    CHECK(judge_before_rcpt(Stage::starttls, reply("454 not now")) == kRetry);
    CHECK(judge_before_rcpt(Stage::mail, reply("530 5.7.1 Client was not authenticated")) == kFault);
    CHECK(judge_before_rcpt(Stage::mail, reply("550 5.1.1 User unknown")) == kFault);  // stage first
    CHECK(judge_before_rcpt(Stage::mail, reply("452 4.3.1 Insufficient system resources")) == kRetry);
}

TEST_CASE("a recipient beside its controls", "[callout]") {
    const mail::Address a = address("a@corp.example");
    const mail::Address random = address("xk3q9@corp.example");
    const Controls passed{random, reply("550 5.1.1 User unknown"), address("known@corp.example")};
    const Controls without{random, reply("550 5.1.1 User unknown"), std::nullopt};
    CHECK(passed.text() == "random refused 550 5.1.1; known@corp.example accepted");
    CHECK(without.text() == "random refused 550 5.1.1; no known-good control");

    const auto ok = reply("250 2.1.5 OK");
    const auto unknown = reply("550 5.1.1 User unknown");
    const auto otherwise = reply("550 5.1.10 Recipient not found");
    const auto bare = reply("550 User unknown");
    const auto closed = reply("550 5.7.133 closed");
    CHECK(classify_recipient(ok, a, passed) == CalloutClass::deliverable);
    CHECK(classify_recipient(unknown, a, passed) == CalloutClass::unknown);
    CHECK(classify_recipient(otherwise, a, passed) == CalloutClass::retry);
    CHECK(classify_recipient(bare, a, passed) == CalloutClass::retry);
    CHECK(classify_recipient(reply("551 5.1.1 User unknown"), a, passed) == CalloutClass::retry);
    CHECK(classify_recipient(closed, a, passed) == CalloutClass::policy);
    CHECK(classify_recipient(reply("530 5.7.1 no"), a, passed) == CalloutClass::fault);
    CHECK(classify_recipient(reply("450 4.1.1 later"), a, passed) == CalloutClass::retry);

    CHECK(classify_recipient(ok, a, without) == CalloutClass::deliverable);
    CHECK(classify_recipient(unknown, a, without) == CalloutClass::retry);
    CHECK(classify_recipient(closed, a, without) == CalloutClass::retry);
}

TEST_CASE("a refusal in other words than the random control's proves nothing", "[callout]") {
    // The random control's, the recipient's, and what it is.
    struct Beside {
        std::string_view random, recipient;
        CalloutClass klass;
    };
    constexpr auto kSame = CalloutClass::unknown;
    constexpr auto kOther = CalloutClass::retry;
    const std::vector<Beside> cases{
        {"550 Mailbox not found", "550 Mail is rejected by recipients", kOther},
        {"550 Mailbox not found", "550 Mailbox frozen", kOther},
        {"550 Mailbox not found", "550", kOther},
        {"550 Mailbox not found", "550 mailbox NOT found.", kSame},
        {"550 5.1.1 Benutzer unbekannt", "550 5.1.1 Postfach voll", kOther},
        {"550 5.1.1 Benutzer unbekannt", "550 5.1.1 Benutzer unbekannt", kSame},
        {"550 5.1.1 \xd0\x9d\xd0\xb5\xd1\x82 \xd1\x8f\xd1\x89\xd0\xb8\xd0\xba\xd0\xb0",
         "550 5.1.1 \xd0\x9f\xd0\xbe\xd0\xbb\xd0\xbd", kOther},
        {"550 No such user", "550 rejecting spoofed message", kOther},
        // With neither words nor an enhanced code any refusal looks like this.
        {"550", "550", kOther},
        {"550 5.1.1", "550 5.1.1", kSame},
        // What differs from one recipient to the next.
        {"550 5.1.1 <xk3q9@corp.example>: User unknown", "550 5.1.1 <A@Corp.Example>: User unknown", kSame},
        {"550 5.1.1 <xk3q9@corp.example>: User unknown", "550 5.1.1 <a@corp.example>: User locked", kOther},
        {"550 User xk3q9 not found", "550 User a not found", kSame},
        {"550 User xk3q9 not found", "550 User a not active", kOther},
        {"550 5.1.1 unknown gsmtp d2e1a72fcca58-1si.123", "550 5.1.1 unknown gsmtp a640c23a62f3a-77si.4",
         kSame},
        {"550 unknown (id 6ba7b810-9dad-11d1-80b4-00c04fd430c8)",
         "550 unknown (id 6ba7b810-dead-41d1-80b4-0bc04fd430c9)", kSame},
        {"550 unknown [2026-03-01T10:00:00.000Z 08DC]", "550 unknown [2026-03-01T10:00:00.012Z 0A9F]", kSame},
        {"550 unknown, 12 tries", "550 unknown, 9 tries", kSame},
        {"550 no (p=NoSuchUser&id=77)", "550 no (p=OverQuota&id=78)", kOther},
        {"550 ERR-UNKNOWN-17", "550 ERR-LOCKED-18", kOther},
        // A code in the words is no number of a mail.
        {"553 sorry, not here (#5.1.1)", "553 sorry, not here (#5.2.2)", kOther},
        {"550-5.1.1 not here|550 5.1.1 at all", "550-5.1.1 not here|550 5.1.1 at all", kSame},
        {"550 no: reason:5.1.1", "550 no: reason:5.2.1", kOther},
        {"550 5.1.2 Mailbox does not exist.", "550 5.1.2 Mailbox does not exist.", kSame},
        {"550 5.1.2 Mailbox does not exist.", "550 5.1.1 Mailbox does not exist.", kOther},
        {"550 5.1.2 Mailbox does not exist.", "550 5.1.2 Mailbox is locked.", kOther},
        {"554 5.1.1 No such user", "554 5.1.1 No such user", kSame},
        {"554 5.1.1 No such user", "550 5.1.1 No such user", kOther},
        {"550 <xk3q9@inner.example>:unknown", "550 <a@inner.example>:locked", kOther},
        {"550 <xk3q9@inner.example>:unknown", "550 <a@inner.example>:unknown", kSame},
        {"550 <xk3q9@corp.example>", "550 <a@corp.example>", kOther},
        // A stranger chooses the address: its words are not the server's.
        {"550 mailbox xk3q9 unknown", "550 mailbox a full", kOther},
    };
    const mail::Address a = address("a@corp.example");
    for (const Beside& one : cases) {
        INFO(one.random << " / " << one.recipient);
        const Controls controls{address("xk3q9@corp.example"), reply(one.random),
                                address("known@corp.example")};
        CHECK(static_cast<int>(classify_recipient(reply(one.recipient), a, controls)) ==
              static_cast<int>(one.klass));
    }
}

TEST_CASE("a footer that names the client is no doubt", "[callout]") {
    // postconf(5), smtpd_reject_footer; with \\c it goes on in the same line.
    const std::string footer =
        "For assistance, call 800-555-0101. Please provide the following information in your problem report: "
        "time (Jan 4 15:42:00), client (192.0.2.7) and server (mx.example).";
    const std::string unknown = "5.1.1 <a@corp.example>: Recipient address rejected: User unknown";
    check(
        {
            {"550-" + unknown + "|550 5.1.1 " + footer, kUnknown},
            {"550 " + unknown + " " + footer, kUnknown},
            {"550 5.1.1 User unknown; client (2001:db8::7)", kUnknown},
            {"550 5.1.1 Client host (192.0.2.7) rejected", kRetry},
            {"550 5.1.1 your client (192.0.2.7) is blocked", kRetry},
            {"550 5.1.1 client (192.0.2.7) is no client of ours", kRetry},
            {"550 5.1.1 client (you) rejected", kRetry},
            {"550 5.1.1 client (192.0.2.7", kRetry},
            {"550 5.1.1 client () rejected", kRetry},
            {"550 5.1.1 client (bad) rejected", kRetry},
            {"550 5.1.1 clients (192.0.2.7) rejected", kRetry},
        },
        address("a@corp.example"));
}

TEST_CASE("a local part that is a word of the refusal", "[callout]") {
    for (const char* local : {"user", "unknown", "recipient", "network", "spam"}) {
        INFO(local);
        const mail::Address recipient = address(std::string(local) + "@corp.example");
        const Controls controls{address("xk3q9@corp.example"),
                                reply("550 5.1.1 <xk3q9@corp.example>: Recipient rejected: User unknown"),
                                address("known@corp.example")};
        const std::string rest = "@corp.example>: Recipient rejected: User ";
        const std::string before = "550 5.1.1 <" + std::string(local) + rest;
        CHECK(classify_recipient(reply(before + "unknown"), recipient, controls) == CalloutClass::unknown);
        CHECK(classify_recipient(reply(before + "locked"), recipient, controls) == CalloutClass::retry);
    }
}

TEST_CASE("of a server in trouble of its own nothing is believed", "[callout]") {
    const Controls controls{address("xk3q9@corp.example"), reply("550 5.1.1 User unknown"),
                            address("known@corp.example")};
    CHECK(classify_recipient(reply("550 5.1.1 mail for corp.example loops back to myself"),
                             address("a@corp.example"), controls) == CalloutClass::fault);
}
