// SPDX-License-Identifier: MIT
// libFuzzer target: no bytes make the line parser fail, and nothing that a stranger can put into a session
// makes an event for another recipient, or one out of another program's words, whatever stands before the
// message. The first byte chooses: a raw line; one as Postfix writes it around a stranger's words, behind one
// of the beginnings; the same in JSON; or a stranger's words in the message of another program.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/printable.h"
#include "mail/log_beginning.h"
#include "mail/log_event.h"
#include "maillog/journal_text.h"

using namespace postcensus;

namespace {

const std::vector<std::string> kNames{"postfix"};

// What stands before a program's name, and behind it.
struct Frame {
    const char* before;
    const char* behind;
};
constexpr Frame kFrames[] = {
    {"Nov 24 03:58:39 gw ", "[7]: "},
    {"Nov 4 03:58:39.123456 gw ", "[7] "},
    {"Nov  4 03:58:39 ", "[7]: "},
    {"\xEF\xBB\xBF<22>Nov  4 03:58:39 gw ", ": "},
    {"<22>1 2026-11-24T03:58:39.123456+00:00 gw ", " 7 - - "},
    {"2026-11-24T03:58:39Z gw ", " 7 ID47 [meta sequenceId=\"7\"][a b=\"\\]\"] \xEF\xBB\xBF"},
    {"Tue 2026-11-24 03:58:39 CET gw ", "[7]: "},
    {"2026 Nov 24 03:58:39 gw mail.info ", "[7]: "},
    {"1795492719.123456 <mail.info> gw ", "[7]: [ID 197553 mail.info] "},
    {"Nov 24 03:58:39 [", "] "},
    {"24.11.2026 03:58:39 relay Nov 24 03:58:39 gw ", "[7]: "},
    {"postfix-1  | Nov 24 03:58:39 gw ", "[7]: "},
    {"[pod/mail-0/mta] 2026-11-24T03:58:39.123456789Z Nov 24 03:58:39 gw ", "[7]: "},
    {"2026-11-24T03:58:39.123456789Z stdout F Nov 24 03:58:39 gw ", "[7]: "},
    {"M\xC3\xA4r 24 03:58:39 gw ", "[7]: "},
};
constexpr const char* kOthers[] = {"dovecot",       "web",     "postfix/cleanup", "postfix/postscreen",
                                   "postfix/local", "mx/smtpd"};

std::string framed(const Frame& frame, const char* program, const std::string& message) {
    return frame.before + std::string(program) + frame.behind + message;
}

// As encoders of JSON write them: bytes that are not UTF-8 are none of theirs.
std::string escaped(const std::string& text) {
    std::string out;
    for (const char byte : text) {
        char code[8];
        std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned char>(byte));
        const bool special = static_cast<unsigned char>(byte) < ' ' ||
                             std::string_view("\"\\<>&").find(byte) != std::string_view::npos;
        out += special ? std::string(code) : std::string(1, byte);
    }
    return out;
}

[[noreturn]] void report(const char* what, const std::string& line) {
    std::fprintf(stderr, "%s: %s\n", what, printable(line, 4000).c_str());
    std::abort();
}

void check(const mail::LogEvent& event, const std::string& line) {
    const std::string text = event.recipient.text();
    const auto again = mail::Address::from_external(event.recipient.external());
    if (!again || again->text() != text) report("the recipient has no quoted form", line);
    if (event.recipient.local().empty() || text.size() > mail::kLongestAddress)
        report("the recipient is out of bounds", line);
    for (const std::string* words : {&event.sender, &event.reply, &event.host, &event.client})
        if (!is_printable(*words) || words->size() > 600) report("something is not printable", line);
}

// Postfix's printable(): control characters become `mask`.
std::string masked(std::string text, char mask) {
    for (char& byte : text)
        if (static_cast<unsigned char>(byte) < ' ' || byte == 0x7F) byte = mask;
    return text;
}

bool is_atom(std::string_view local) {
    if (local.empty() || local.front() == '.' || local.back() == '.' ||
        local.find("..") != std::string_view::npos)
        return false;
    for (const char byte : local)
        if (static_cast<unsigned char>(byte) <= ' ' ||
            std::string_view("()<>@,;:\\\"[]\x7f").find(byte) != std::string_view::npos)
            return false;
    return true;
}

std::string quoted(std::string_view local) {
    if (is_atom(local)) return std::string(local);
    std::string out = "\"";
    for (const char byte : local) {
        if (byte == '"' || byte == '\\' || byte == '\r' || byte == '\n') out += '\\';
        out += byte;
    }
    return out + "\"";
}

std::string neuter(std::string helo) {
    for (char& byte : helo)
        if (std::string_view("<>()\\\";@ \t").find(byte) != std::string_view::npos) byte = '?';
    return masked(std::move(helo), '?');
}

struct Words {
    std::string_view rest;

    std::string take() {
        const std::size_t size = std::min(rest.find('\0'), rest.size());
        std::string word(rest.substr(0, size));
        rest.remove_prefix(std::min(size + 1, rest.size()));
        return word;
    }
};

void check_truth(const std::string& line, const std::string& local) {
    const auto result = mail::read_line(line, kNames);
    if (!result.event) return;
    check(*result.event, line);
    const auto truth = mail::Address::from_internal(local + "@corp.example");
    if (!truth || truth->text() != result.event->recipient.text())
        report("an event for another recipient", line);
}

// The line of a daemon of Postfix, in a form that is chosen by `form`.
void check_forms(const std::string& daemon, const std::string& message, const std::string& local,
                 std::size_t form) {
    const std::size_t forms = std::size(kFrames);
    if (form % (forms + 2) < forms)
        return check_truth(framed(kFrames[form % (forms + 2)], daemon.c_str(), message), local);
    if (form % (forms + 2) == forms)
        return check_truth("{\"MESSAGE\":\"" + escaped(message) + "\",\"SYSLOG_IDENTIFIER\":\"" + daemon +
                               "\",\"__REALTIME_TIMESTAMP\":\"1795492719000000\"}",
                           local);
    check_truth("{\"log\":\"" + escaped("Nov 24 03:58:39 gw " + daemon + "[7]: " + message) + "\\n\"}",
                local);
}

// Another program says what a stranger wants it to say.
void elsewhere(const std::string& message, std::size_t form) {
    const Frame& frame = kFrames[form % std::size(kFrames)];
    const char* program = kOthers[form / std::size(kFrames) % std::size(kOthers)];
    const std::string line = framed(frame, program, masked(message, '?'));
    if (mail::read_line(line, kNames).event) report("an event out of another program's words", line);
}

void reject(Words words, std::size_t cut, std::size_t form) {
    const std::string local = words.take();
    const std::string sender = words.take();
    const std::string helo = words.take();
    const std::string text = masked(local, ' ') + "@corp.example";
    std::string line = "NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 450 4.1.1 <" + text.substr(0, 510) +
                       ">: Recipient address rejected: User unknown in relay recipient table; from=<" +
                       masked(quoted(sender), '?') + "@b.test> to=<" + masked(quoted(local), '?') +
                       "@corp.example> proto=ESMTP helo=<" + neuter(helo) + ">";
    check_forms("postfix/smtpd", line.substr(0, std::min<std::size_t>(2000, cut)), local, form);
}

void deliver(Words words, std::size_t cut, std::size_t form) {
    const std::string local = words.take();
    const std::string original = words.take();
    std::string line = "4ZnLqk1x2Qz9rTb: to=<" + masked(quoted(local), '?') + "@corp.example>, orig_to=<" +
                       masked(quoted(original), '?') +
                       "@corp.example>, relay=ex1[192.0.2.10]:25, delay=0.1, delays=0/0/0.1/0, tls=may:none, "
                       "dsn=5.1.1, status=bounced "
                       "(host ex1[192.0.2.10] said: 550 5.1.1 <" +
                       masked(local, '?') + "@corp.example> unknown (in reply to RCPT TO command))";
    check_forms("postfix/relay/smtp", line.substr(0, std::min<std::size_t>(2000, cut)), local, form);
}

// An exported journal says the same in pieces of any size, one line for an entry.
void journal(std::string_view text, std::size_t piece) {
    for (const auto form : {maillog::JournalText::Form::exported, maillog::JournalText::Form::verbose}) {
        maillog::JournalText whole(form);
        maillog::JournalText pieces(form);
        std::string lines;
        std::string others;
        whole.take(text, lines);
        whole.end(lines);
        for (std::size_t at = 0; at < text.size(); at += piece) pieces.take(text.substr(at, piece), others);
        pieces.end(others);
        if (lines != others) report("a journal in pieces says something else", std::string(text));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 3, size - 3);
    // Lines that are cut where a stranger wants it, or not at all.
    const std::size_t cut = data[1] == 0 ? 4000 : static_cast<std::size_t>(data[1]) * 8 + data[2] % 8;
    const std::size_t form = data[0] / 4;
    if (data[0] % 4 == 1) {
        reject({input}, cut, form);
    } else if (data[0] % 4 == 2) {
        deliver({input}, cut, form);
    } else if (data[0] % 4 == 3) {
        elsewhere(std::string(input), form + data[1]);
    } else {
        const std::string line(input);
        if (const auto result = mail::read_line(line, kNames); result.event) check(*result.event, line);
        static_cast<void>(mail::time_of_line(line));
        journal(input, static_cast<std::size_t>(data[1]) + 1);
    }
    return 0;
}
