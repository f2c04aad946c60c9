// SPDX-License-Identifier: MIT
// libFuzzer target: whatever a server says or does, and wherever it stops, nothing is concluded of a
// recipient that its own reply and the controls of the same session do not bear out, and we never say DATA,
// BDAT or AUTH. Each byte is one thing that the server does. Half of the sessions stay open for more.
#include <fmt/format.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/printable.h"
#include "callout/dialogue.h"

using namespace postcensus;
using callout::Step;
using census::CalloutClass;

namespace {

const std::vector<std::string> kReplies{
    "250 2.1.5 Recipient OK",
    "250 ok",
    "251 will forward",
    "252 cannot say",
    "220 ready",
    "221 bye",
    "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
    "550 5.1.1 User unknown",
    "550 no such user",
    "553 5.1.1 unknown",
    "550 5.4.1 Recipient address rejected: Access denied",
    "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required",
    "550 5.7.1 Unable to relay",
    "530 5.7.57 not authenticated",
    "554 5.7.1 blocked",
    "451 4.7.1 greylisted",
    "452 4.3.1 Insufficient system resources",
    "421 4.7.0 Too many errors",
    "421 4.3.2 too many connections",
    "250-ex1 Hello\n250-STARTTLS\n250 SMTPUTF8",
    "250-ex1 Hello\n250 SIZE",
    "502 no",
    "454 4.7.0 TLS not available",
    "550-5.1.1 no\n550 5.1.1 such user",
    "250-\n250-\n250 x",
    "rubbish",
    "25",
    "250",
    "550 5.1.1 <anna@corp.example>: relay access denied",
    "999 9.9.9 what"};

mail::Address address(const std::string& text) {
    return mail::Address::from_internal(text).value();
}

[[noreturn]] void report(const char* what, const callout::SessionResult& result) {
    std::fprintf(stderr, "%s\n", what);
    for (const std::string& line : result.transcript) std::fprintf(stderr, "  %s\n", line.c_str());
    std::abort();
}

struct Said {
    int code = 0;
    int times = 0;  // a recipient is asked once
};

void check(const callout::SessionResult& result, const callout::Questions& asked,
           const std::map<std::string, Said>& said) {
    const auto reply_to = [&](const mail::Address& who) {
        const auto found = said.find(who.external());
        return found == said.end() ? 0 : found->second.code;
    };
    bool control = false;
    for (const mail::Address& one : asked.known_good)
        control = control || reply_to(one) == 250 || reply_to(one) == 251;
    const int random = reply_to(asked.random_control);
    const bool random_refused =
        random == 550 || random == 551 || random == 553 || random == 511 || random == 554;
    // One that was asked behind acceptances takes them back.
    bool accepts_all = false;
    for (const auto& [who, one] : said)
        accepts_all = accepts_all || (who.starts_with("random") && one.code >= 200 && one.code < 300);
    for (const census::CalloutOutcome& outcome : result.outcomes) {
        if (!census::conclusive(outcome.klass)) continue;
        const int code = reply_to(outcome.recipient);
        if (accepts_all) report("concluded from a server that accepts all", result);
        if (!random_refused) report("concluded without a refused random control", result);
        if (outcome.klass == CalloutClass::deliverable && code != 250 && code != 251)
            report("deliverable without a 250", result);
        if (outcome.klass != CalloutClass::deliverable && (code < 500 || code > 599))
            report("refused without a 5yz", result);
        if (outcome.klass != CalloutClass::deliverable && !control)
            report("refused without a known-good control", result);
        if (outcome.klass != CalloutClass::deliverable && !result.controls_refused.empty())
            report("refused beside a known-good control that was refused", result);
        if (outcome.klass == CalloutClass::unknown && code != random)
            report("unknown, but not as the random control", result);
    }
    for (const std::string& line : result.transcript) {
        if (!is_printable(line) || line.size() > 400) report("the transcript is not printable", result);
        if (line.starts_with("C: DATA") || line.starts_with("C: BDAT") || line.starts_with("C: AUTH"))
            report("we spoke too much", result);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    callout::Questions asked{.target = {"ex1.corp.example", 2525},
                             .helo = "gateway.corp.example",
                             .random_control = address("random1@corp.example"),
                             .known_good = {},
                             .recipients = {}};
    asked.tls = static_cast<callout::Tls>(data[0] % 3);
    for (int i = 0; i < data[0] / 3 % 4; ++i)
        asked.known_good.push_back(address("good" + std::to_string(i) + "@corp.example"));
    for (int i = 0; i < data[0] / 12 % 5; ++i)
        asked.recipients.push_back(address("ask" + std::to_string(i) + "@corp.example"));
    if (data[1] % 4 == 0) asked.recipients.push_back(address("ärger@corp.example"));
    asked.most_refused = data[1] / 4 % 8;
    asked.stay = data[1] / 32 % 2 == 1;
    asked.wary = data[1] / 64 % 2 == 1;
    callout::Dialogue dialogue(asked);
    std::size_t open_questions = asked.recipients.size();
    int rounds = 0;
    std::map<std::string, Said> said;
    std::string rcpt;
    mail::ReplyReader reader;
    std::size_t at = 2;
    Step step = dialogue.connected();
    const auto note = [&](const Step& next) {
        if (next.kind != Step::Kind::send) return;
        constexpr std::string_view kRcpt = "RCPT TO:<";
        rcpt = next.text.starts_with(kRcpt)
                   ? next.text.substr(kRcpt.size(), next.text.rfind('>') - kRcpt.size())
                   : "";
        reader = {};
    };
    const auto take = [&] {
        const callout::SessionResult result = dialogue.take_result();
        if (result.stays_open != (step.kind == Step::Kind::waiting)) report("open or not?", result);
        if (result.outcomes.size() + result.unanswered.size() != open_questions)
            report("a recipient was dropped", result);
        check(result, asked, said);
        open_questions = 0;
    };
    while (step.kind != Step::Kind::finished) {
        const std::uint8_t what = at < size ? data[at++] : 255;
        if (step.kind == Step::Kind::waiting) {
            take();
            if (what < 100) {
                asked.recipients.clear();
                for (int i = 0; i < what % 5; ++i)
                    asked.recipients.push_back(address(
                        fmt::format("{}{}@corp.example", i == 3 ? "\xc3\xa4rger" : "more", rounds * 10 + i)));
                ++rounds;
                open_questions = asked.recipients.size();
                std::optional<mail::Address> random;
                if (what % 2 == 0) random = address(fmt::format("random{}@corp.example", rounds + 1));
                step = dialogue.ask(asked.recipients, random);
            } else {
                step = what < 200   ? dialogue.end()
                       : what < 225 ? dialogue.spoke_out_of_turn("421 4.4.2 idle")
                                    : dialogue.closed();
            }
            note(step);
            continue;
        }
        if (step.kind == Step::Kind::handshake) {
            step = what % 2 == 0 ? dialogue.tls_established() : dialogue.tls_failed("\x1b[31mno\n");
            note(step);
            continue;
        }
        if (what >= 250) {
            const Step::Kind kind = step.kind;
            step = what == 250                               ? dialogue.timed_out()
                   : what == 251                             ? dialogue.overlong_line()
                   : what == 252 && kind == Step::Kind::send ? dialogue.spoke_out_of_turn("250 early")
                                                             : dialogue.closed();
            note(step);
            continue;
        }
        // A reply, line by line; it may end the session in the middle.
        std::string text = kReplies[what % kReplies.size()];
        if (what >= 200) text = std::string(what, static_cast<char>(what));
        while (step.kind != Step::Kind::finished && step.kind != Step::Kind::handshake) {
            const std::size_t end = std::min(text.find('\n'), text.size());
            const std::string line = text.substr(0, end);
            const bool last = end == text.size();
            const auto read = reader.feed(line);
            if (read == mail::ReplyReader::State::complete) {
                const mail::SmtpReply reply = reader.take();
                if (!rcpt.empty()) {
                    // A known-good control is asked again behind refusals.
                    if (++said[rcpt].times > 1 && !rcpt.starts_with("good")) std::abort();
                    said[rcpt].code = reply.code;
                }
            }
            step = dialogue.line(line);
            note(step);
            if (last || read != mail::ReplyReader::State::more) break;
            text.erase(0, end + 1);
        }
    }
    take();
    return 0;
}
