// SPDX-License-Identifier: MIT
#include "callout/refusal.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace postcensus::callout {
namespace {

constexpr std::array<std::string_view, 2> kRelayPrefixes = {"relay", "rcpthost"};

// Beginnings of words that a refusal for lack of a mailbox does not need.
constexpr std::array<std::string_view, 43> kDoubtfulPrefixes = {
    "abus",    "allow",   "attack", "auth",     "ban",    "black",  "block", "client", "deni",
    "deny",    "disab",   "dnsbl",  "encrypt",  "error",  "exceed", "fail",  "forbid", "grey",
    "harvest", "inactiv", "later",  "limit",    "many",   "overq",  "permi", "polic",  "prohibit",
    "quota",   "rbl",     "reput",  "restrict", "secur",  "sender", "size",  "spam",   "suspen",
    "suspic",  "tempor",  "timed",  "timeout",  "unauth", "verif",  "virus"};

// Whole words of the same kind that are too short to be beginnings.
constexpr std::array<std::string_view, 12> kDoubtfulWords = {
    "dkim", "dmarc", "dns", "ehlo", "full", "helo", "ip", "ptr", "rate", "spf", "tls", "trust"};

constexpr std::array<std::string_view, 7> kHostPrefixes = {"destination", "domain", "host",  "rout",
                                                           "server",      "system", "unrout"};

// Of a server in trouble of its own. Not "resolver" or "lookup" alone: Exchange speaks of them when it misses
// a recipient.
constexpr std::array<std::string_view, 15> kTroublePrefixes = {
    "insufficien", "loop",     "mainten",   "misconf", "nameserv", "nxdomain",   "overload", "servfail",
    "shutdown",    "shutting", "transport", "unreach", "unresolv", "unroutable", "unverif"};
constexpr std::array<std::string_view, 14> kTroubleWords = {
    "backend",   "busy",   "cache", "cached",   "configuration", "down",      "hops",
    "localhost", "memory", "mx",    "overflow", "resolve",       "resolving", "responding"};
// Of several words.
constexpr std::array<std::string_view, 21> kTroublePhrases = {" undeliverable address ",
                                                              " look up ",
                                                              " name service ",
                                                              " name server ",
                                                              " host not found ",
                                                              " host unknown ",
                                                              " unknown host ",
                                                              " domain not found ",
                                                              " no such domain ",
                                                              " not complete ",
                                                              " local host ",
                                                              " no response ",
                                                              " service unavailable ",
                                                              " server unavailable ",
                                                              " service not available ",
                                                              " connect to ",
                                                              " not connect ",
                                                              " connection refused ",
                                                              " connection lost ",
                                                              " connection reset ",
                                                              " ldap server "};

bool is_letter(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           static_cast<unsigned char>(byte) >= 0x80;
}
bool is_number(char byte) {
    return byte >= '0' && byte <= '9';
}
bool any_number(std::string_view text) {
    return std::any_of(text.begin(), text.end(), is_number);
}
// What may stand inside an id, a date, a name or a code.
bool joins(char byte) {
    return byte == '-' || byte == '_' || byte == '.' || byte == ':' || byte == '+';
}

// Stands for each recipient, and other addresses. No server can say it.
constexpr std::string_view kAddress = "\x01";

// ASCII folding leaves each byte where it is.
std::string without_recipient(const std::string& text, const mail::Address& recipient) {
    std::vector<std::string> forms = recipient.external_forms();
    for (std::string& form : recipient.forms()) forms.push_back(std::move(form));
    std::string out = text;
    for (const std::string& form : forms) {
        const std::string folded = mail::fold(out);
        std::string cut;
        std::size_t from = 0;
        for (std::size_t at = folded.find(form); at != std::string::npos; at = folded.find(form, from)) {
            cut.append(out, from, at - from).append(" ").append(kAddress).append(" ");
            from = at + form.size();
        }
        out = cut.append(out, from);
    }
    return out;
}

// Postfix's smtpd_reject_footer says to whom it speaks, "client (192.0.2.7)": that takes nothing back.
void drop_named_client(std::string& text) {
    constexpr std::string_view kClient = " client (";
    const std::string folded = mail::fold(text);
    for (std::size_t at = 0; (at = folded.find(kClient, at)) != std::string::npos; ++at) {
        const std::size_t from = at + kClient.size();
        const std::size_t end = folded.find(')', from);
        const std::size_t address = folded.find_first_not_of("0123456789abcdef.:", from);
        if (address != std::string::npos && address == end && folded.find_first_of(".:", from) < end)
            std::fill(text.begin() + static_cast<std::ptrdiff_t>(at),
                      text.begin() + static_cast<std::ptrdiff_t>(end), ' ');
    }
}

template <typename Take>
void each_token(std::string_view text, const Take& take) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
        if (end > 0) take(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

// mailrelay.corp.example is a name, "blocked.See" two sentences without a blank, and a web address speaks:
// who points to a block list's page means it.
bool is_name(std::string_view token) {
    if (token.find("://") != std::string_view::npos || token.starts_with("www.")) return false;
    if (token.find('@') != std::string_view::npos) return true;
    for (std::size_t i = 1; i + 1 < token.size(); ++i)
        if (token[i] == '.' && (is_number(token[i + 1]) || (token[i + 1] >= 'a' && token[i + 1] <= 'z')))
            return true;
    return false;
}

std::string_view trimmed(std::string_view token) {
    const auto inside = [](char byte) { return is_letter(byte) || is_number(byte); };
    while (!token.empty() && !inside(token.front())) token.remove_prefix(1);
    while (!token.empty() && !inside(token.back())) token.remove_suffix(1);
    return token;
}

template <typename Inside, typename Take>
void each_run(std::string_view text, const Inside& inside, const Take& take) {
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = i;
        while (end < text.size() && inside(text[end])) ++end;
        if (end > i) take(text.substr(i, end - i));
        i = end + 1;
    }
}

// "5.2.2": a code that stands in the words says something. Its number is no number of a mail.
bool is_code(std::string_view run) {
    std::size_t dots = 0;
    for (const char byte : run) {
        if (byte == '.')
            ++dots;
        else if (!is_number(byte))
            return false;
    }
    return dots == 2 && run.size() <= 9 && (run.front() == '2' || run.front() == '4' || run.front() == '5') &&
           run[1] == '.';
}

bool is_hexadecimal(std::string_view word) {
    return std::all_of(word.begin(), word.end(), [](char byte) { return byte >= 'a' && byte <= 'f'; });
}

// What stays of "<a@b>:", "d2e1a72fcca58-1si", "2026-03-01T10:00:00.000Z", "(#5.1.1)", "p=NoSuchUser".
// `local`: a server may repeat no more of the address than that; empty: it is a word like any other.
void keep(std::string_view token, const mail::SmtpReply& reply, std::string_view local,
          std::vector<std::string>& kept) {
    const auto in_run = [](char byte) {
        return is_letter(byte) || is_number(byte) || joins(byte) || byte == '@' || byte == kAddress.front();
    };
    const auto in_part = [](char byte) { return byte == '.' || byte == '@' || !joins(byte); };
    each_run(token, in_run, [&](std::string_view run) {
        const bool id = any_number(run);
        if (!local.empty() && trimmed(run) == local) {
            kept.emplace_back(kAddress);
            return;
        }
        each_run(run, in_part, [&](std::string_view part) {
            if (part.find('@') != std::string_view::npos || part == kAddress) {
                kept.emplace_back(kAddress);
            } else if (is_code(trimmed(part))) {
                // Each line of a reply may repeat its own one.
                if (!reply.enhanced || trimmed(part) != reply.enhanced->text())
                    kept.emplace_back(trimmed(part));
            } else {
                each_run(
                    part, [](char byte) { return byte != '.'; },
                    [&](std::string_view word) {
                        if (!id || (!any_number(word) && !is_hexadecimal(word))) kept.emplace_back(word);
                    });
            }
        });
    });
}

template <std::size_t N>
bool any_begins(const std::vector<std::string>& words, const std::array<std::string_view, N>& prefixes) {
    return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
        return std::any_of(prefixes.begin(), prefixes.end(),
                           [&](std::string_view prefix) { return word.starts_with(prefix); });
    });
}

template <std::size_t N>
bool any_is(const std::vector<std::string>& words, const std::array<std::string_view, N>& all) {
    return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
        return std::find(all.begin(), all.end(), word) != all.end();
    });
}

}  // namespace

Refusal Refusal::of(const mail::SmtpReply& reply, const mail::Address& recipient) {
    const std::string original = without_recipient(reply.text(), recipient);
    Refusal out;
    out.text = mail::fold(original);
    // Postfix names the table in which it missed the recipient.
    constexpr std::string_view kTable = "in relay recipient table";
    std::string spoken = original;
    if (const std::size_t at = spoken.find(kTable); at != std::string::npos)
        spoken.replace(at, kTable.size(), " ");
    drop_named_client(spoken);
    each_token(spoken, [&](std::string_view token) {
        token = trimmed(token);
        if (token.starts_with("5.7.")) out.security_code = true;
        if (is_name(token)) return;
        if (mail::fold(token) == recipient.local()) return;
        each_run(
            token, [](char byte) { return is_letter(byte) || is_number(byte); },
            [&](std::string_view word) { out.words.push_back(mail::fold(word)); });
    });
    std::string_view told = out.text;
    told.remove_prefix(std::min<std::size_t>(told.size(), 3));  // the code
    each_token(told, [&](std::string_view token) {
        keep(token, reply, recipient.local(), out.kept);
        keep(token, reply, {}, out.whole);
    });
    return out;
}

bool Refusal::says_anything() const {
    return std::any_of(kept.begin(), kept.end(), [](const std::string& word) { return word != kAddress; });
}

bool Refusal::says_the_same(const Refusal& other) const {
    return kept == other.kept || whole == other.whole;
}

bool Refusal::speaks_of_relaying() const {
    return any_begins(words, kRelayPrefixes);
}

bool Refusal::doubtful() const {
    return security_code || any_begins(words, kDoubtfulPrefixes) || any_is(words, kDoubtfulWords);
}

bool Refusal::speaks_of_hosts() const {
    return any_begins(words, kHostPrefixes);
}

bool Refusal::speaks_of_trouble() const {
    if (any_begins(words, kTroublePrefixes) || any_is(words, kTroubleWords)) return true;
    std::string all = " ";
    for (const std::string& word : words) all.append(word).append(" ");
    return std::any_of(kTroublePhrases.begin(), kTroublePhrases.end(),
                       [&](std::string_view phrase) { return all.find(phrase) != std::string::npos; });
}

}  // namespace postcensus::callout
