// SPDX-License-Identifier: MIT
#include "callout/classify.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace postcensus::callout {
namespace {

using mail::EnhancedCode;

// Words that make a refusal one of ours: a server that does not relay refuses every recipient alike.
constexpr std::array<std::string_view, 2> kRelayPrefixes = {"relay", "rcpthost"};

// Beginnings of words that a refusal for lack of a mailbox does not need. With one of them the reply may be
// about the sender, the client, a block list, a policy, or a mailbox that exists.
constexpr std::array<std::string_view, 43> kDoubtfulPrefixes = {
    "abus",    "allow",   "attack", "auth",     "ban",    "black",  "block", "client", "deni",
    "deny",    "disab",   "dnsbl",  "encrypt",  "error",  "exceed", "fail",  "forbid", "grey",
    "harvest", "inactiv", "later",  "limit",    "many",   "overq",  "permi", "polic",  "prohibit",
    "quota",   "rbl",     "reput",  "restrict", "secur",  "sender", "size",  "spam",   "suspen",
    "suspic",  "tempor",  "timed",  "timeout",  "unauth", "verif",  "virus"};

// Whole words of the same kind that are too short to be beginnings.
constexpr std::array<std::string_view, 12> kDoubtfulWords = {
    "dkim", "dmarc", "dns", "ehlo", "full", "helo", "ip", "ptr", "rate", "spf", "tls", "trust"};

// 5.7.x codes with which Exchange says that a recipient exists and is closed to this sender
// (docs/exchange.md).
constexpr std::array<int, 5> kClosedDetails = {12, 124, 133, 134, 136};

bool is_alpha(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}
bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

void erase_all(std::string& text, std::string_view what) {
    if (what.empty()) return;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at))
        text.replace(at, what.size(), " ");
}

// mailrelay.corp.example is a name, "blocked.See" two sentences without a blank, and a web address speaks:
// who points to a block list's page means it.
bool is_name(std::string_view token) {
    if (token.find("://") != std::string_view::npos || token.starts_with("www.")) return false;
    if (token.find('@') != std::string_view::npos) return true;
    for (std::size_t i = 1; i + 1 < token.size(); ++i)
        if (token[i] == '.' && (is_digit(token[i + 1]) || (token[i + 1] >= 'a' && token[i + 1] <= 'z')))
            return true;
    return false;
}

std::string_view trimmed(std::string_view token) {
    const auto part_of_it = [](char byte) { return is_alpha(byte) || is_digit(byte); };
    while (!token.empty() && !part_of_it(token.front())) token.remove_prefix(1);
    while (!token.empty() && !part_of_it(token.back())) token.remove_suffix(1);
    return token;
}

// The server's own words in lower case.
struct Words {
    std::string text;  // without the recipient
    std::vector<std::string> words;
    bool security_code = false;  // a 5.7.x anywhere in the text: "(#5.7.1)"
};

void add_words(std::string_view token, std::vector<std::string>& words) {
    std::string word;
    for (const char byte : token) {
        if (is_alpha(byte) || is_digit(byte)) {
            word += byte;
        } else if (!word.empty()) {
            words.push_back(mail::fold(word));
            word.clear();
        }
    }
    if (!word.empty()) words.push_back(mail::fold(word));
}

// The recipient goes first: a stranger chose its words. What a server cuts or changes in it stays, and can
// only raise doubt.
std::string without_recipient(std::string text, const mail::Address& recipient) {
    for (const std::string& form : {recipient.external(), recipient.text()}) {
        std::size_t at = 0;
        while ((at = mail::fold(text).find(form, at)) != std::string::npos)
            text.replace(at, form.size(), " ");
    }
    return text;
}

Words words_of(const mail::SmtpReply& reply, const mail::Address& recipient) {
    const std::string original = without_recipient(reply.text(), recipient);
    Words out;
    out.text = mail::fold(original);
    // Postfix names the table in which it missed the recipient.
    std::string spoken = original;
    erase_all(spoken, "in relay recipient table");
    std::string_view rest = spoken;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
        const std::string_view token = trimmed(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (token.starts_with("5.7.")) out.security_code = true;
        if (!is_name(token)) add_words(token, out.words);
    }
    return out;
}

template <std::size_t N>
bool any_begins(const Words& words, const std::array<std::string_view, N>& prefixes) {
    return std::any_of(words.words.begin(), words.words.end(), [&](const std::string& word) {
        return std::any_of(prefixes.begin(), prefixes.end(),
                           [&](std::string_view prefix) { return word.starts_with(prefix); });
    });
}

bool doubtful(const Words& words) {
    if (words.security_code || any_begins(words, kDoubtfulPrefixes)) return true;
    return std::any_of(words.words.begin(), words.words.end(), [](const std::string& word) {
        return std::find(kDoubtfulWords.begin(), kDoubtfulWords.end(), word) != kDoubtfulWords.end();
    });
}

bool says_unknown(const mail::SmtpReply& reply, Words words) {
    if (reply.code != 550 && reply.code != 551 && reply.code != 553) return false;
    if (!reply.enhanced || *reply.enhanced == EnhancedCode{5, 1, 1} ||
        *reply.enhanced == EnhancedCode{5, 1, 10})
        return !doubtful(words);
    if (*reply.enhanced != EnhancedCode{5, 4, 1}) return false;
    // Exchange Online's edge blocking: "Recipient address rejected: Access denied". Only there is "denied" no
    // doubt.
    if (words.text.find("recipient address rejected: access denied") == std::string::npos) return false;
    std::erase(words.words, "denied");
    return !doubtful(words);
}

// 5.7.x is mostly about the sender, the client or the content. Only what names the recipient's own
// restriction counts.
bool says_closed(const EnhancedCode& code, const Words& words) {
    if (code.subject != 7) return false;
    if (std::find(kClosedDetails.begin(), kClosedDetails.end(), code.detail) != kClosedDetails.end())
        return true;
    return code.detail == 1 && words.text.find("resolver.rst.") != std::string::npos;
}

}  // namespace

Judgement judge_before_rcpt(Stage stage, const mail::SmtpReply& reply) {
    const int wanted = stage == Stage::banner || stage == Stage::starttls ? 220 : 250;
    if (reply.code == wanted) return Judgement::accepted;
    return reply.permanent() ? Judgement::fault : Judgement::retry;
}

Judgement judge_rcpt(const mail::SmtpReply& reply, const mail::Address& recipient) {
    if (reply.code == 250 || reply.code == 251) return Judgement::accepted;
    if (!reply.permanent()) return Judgement::retry;
    if (reply.code == 530 || reply.code == 535 || reply.code == 538) return Judgement::fault;
    const Words words = words_of(reply, recipient);
    if (any_begins(words, kRelayPrefixes)) return Judgement::fault;
    if (reply.enhanced && says_closed(*reply.enhanced, words)) return Judgement::policy;
    return says_unknown(reply, words) ? Judgement::unknown : Judgement::retry;
}

std::string Controls::text() const {
    return fmt::format("random refused {}; {}", codes_of(random),
                       known_good ? known_good->text() + " accepted" : "no known-good control");
}

census::CalloutClass classify_recipient(const mail::SmtpReply& reply, const mail::Address& recipient,
                                        const Controls& controls) {
    using census::CalloutClass;
    switch (judge_rcpt(reply, recipient)) {
        case Judgement::accepted:
            return CalloutClass::deliverable;
        case Judgement::unknown:
            return controls.known_good && same_refusal(reply, controls.random) ? CalloutClass::unknown
                                                                               : CalloutClass::retry;
        case Judgement::policy:
            return controls.known_good ? CalloutClass::policy : CalloutClass::retry;
        case Judgement::fault:
            return CalloutClass::fault;
        case Judgement::retry:
            break;
    }
    return CalloutClass::retry;
}

bool same_refusal(const mail::SmtpReply& one, const mail::SmtpReply& other) {
    return one.code == other.code && one.enhanced == other.enhanced;
}

std::string codes_of(const mail::SmtpReply& reply) {
    return reply.enhanced ? fmt::format("{} {}", reply.code, reply.enhanced->text())
                          : fmt::format("{}", reply.code);
}

}  // namespace postcensus::callout
