// SPDX-License-Identifier: MIT
#include "mail/log_event.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <tl/expected.hpp>
#include <utility>

#include "base/printable.h"
#include "mail/log_beginning.h"
#include "mail/log_json.h"
#include "mail/scanner.h"

namespace postcensus::mail {
namespace {

// What smtpd_check.c of Postfix writes around the recipient.
constexpr std::string_view kRejected = ">: Recipient address rejected: ";
constexpr std::string_view kMissed = "User unknown";
constexpr std::string_view kRelayTable = "User unknown in relay recipient table";
constexpr std::string_view kFrom = "; from=<";

// Postfix cuts at 2000 bytes, receivers that follow RFC 3164 at 1024 with the prefix. A stranger who pads a
// recipient or a sender can place the cut behind a whole forged tail, so no message that may have been cut
// counts. Real ones have 250.
constexpr std::size_t kLongestMessage = 960;
constexpr std::size_t kLongestRepeated = 780;  // rsyslog's own limit, and some
constexpr std::size_t kMostRepetitionDigits = 6;
constexpr std::size_t kLongestSender = 320;  // RFC 5321: 64 + 1 + 255
constexpr std::size_t kLongestReply = 512;   // RFC 5321, 4.5.3.1.5

// What is known of a message before it is read.
struct Message {
    const LogTime& at;
    std::size_t size;
    int times;
};

LineResult drop(Dropped why) {
    return {std::nullopt, why};
}

// "NAME[IP]" or "NAME[IP]:PORT", and the colon behind it. A name is what DNS said, and Postfix lets only host
// names pass.
std::optional<std::string> take_client(Scanner& in) {
    in.take_while([](char byte) { return is_alnum(byte) || byte == '.' || byte == '-' || byte == '_'; });
    if (!in.take("[")) return std::nullopt;
    const std::string ip(
        in.take_while([](char byte) { return is_alnum(byte) || byte == '.' || byte == ':'; }));
    in6_addr ignored{};
    if (ip != "unknown" && ::inet_pton(AF_INET, ip.c_str(), &ignored) != 1 &&
        ::inet_pton(AF_INET6, ip.c_str(), &ignored) != 1)
        return std::nullopt;
    if (!in.take("]")) return std::nullopt;
    if (in.take(": ")) return ip;
    if (!in.take(":") || in.take_while(is_alnum).empty() || !in.take(": ")) return std::nullopt;
    return ip;
}

// An address in quoted form up to the > that closes it: in quotes, < > and blanks mean nothing.
tl::expected<std::string_view, Dropped> take_quoted(Scanner& in) {
    const std::string_view text = in.text;
    std::size_t i = 0;
    if (text.starts_with('"')) {
        for (i = 1; i < text.size() && text[i] != '"'; ++i)
            if (text[i] == '\\') ++i;
        ++i;
    }
    // What stands outside of quotes never has these; if it does, this is not the form that the site logs (or
    // a forgery).
    for (; i < text.size() && text[i] != '>'; ++i)
        if (text[i] == ' ' || text[i] == '<' || text[i] == '"') return tl::make_unexpected(Dropped::hostile);
    if (i >= text.size()) return tl::make_unexpected(Dropped::cut);
    in.text.remove_prefix(i + 1);
    return text.substr(0, i);
}

// The internal form, byte for byte, for a comparison with the recipient in the reject text.
std::string unquote(std::string_view text) {
    if (!text.starts_with('"')) return std::string(text);
    std::string out;
    std::size_t i = 1;
    for (; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) ++i;
        out += text[i];
    }
    if (i < text.size()) out += text.substr(i + 1);
    return out;
}

// rsyslog writes a control character, and where it is told so every byte beyond ASCII, as # and three octal
// digits. What the address was cannot be told from one that has these characters.
bool has_escape(std::string_view text) {
    for (std::size_t at = text.find('#'); at != std::string_view::npos; at = text.find('#', at + 1)) {
        const std::string_view digits = text.substr(at + 1, 3);
        if (digits.size() < 3 ||
            !std::all_of(digits.begin(), digits.end(), [](char byte) { return byte >= '0' && byte <= '7'; }))
            continue;
        const int value = (digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0');
        if (value < 0x20 || value >= 0x7F) return true;
    }
    return false;
}

std::optional<Address> recipient_of(std::string_view quoted) {
    return has_escape(quoted) ? std::nullopt : Address::from_external(quoted);
}

// Of a delivery, where the recipient is said once: a ? may stand for a control character.
std::optional<Address> sole_recipient_of(std::string_view quoted) {
    return quoted.find('?') != std::string_view::npos ? std::nullopt : recipient_of(quoted);
}

constexpr auto kFieldName = [](char byte) { return is_alnum(byte) || byte == '_'; };

// " proto=ESMTP helo=<h>" to the end of the line, with the sasl_ fields of Postfix 3.10, and those that a
// later one may have. A client that never said HELO has no helo=, and cannot speak ESMTP.
std::optional<Dropped> read_tail(Scanner in) {
    if (!in.take(" proto=")) return in.text.size() < 7 ? Dropped::cut : Dropped::hostile;
    const std::string_view protocol = in.take_while(is_alnum);
    if (in.text.empty() && protocol == "SMTP") return std::nullopt;
    if (!in.take(" helo=<")) return in.text.size() < 7 ? Dropped::cut : Dropped::hostile;
    // Postfix writes ? for each < > ( ) " ; @ and blank of a HELO name.
    in.take_while([](char byte) { return byte != '>' && byte != '<' && byte != ' '; });
    if (in.text.empty()) return Dropped::cut;
    if (!in.take(">")) return Dropped::hostile;
    if (in.text.empty()) return std::nullopt;
    if (!in.take(" ") || in.take_while(kFieldName).empty() || !in.take("=") ||
        in.text.find_first_of("<>") != std::string_view::npos)
        return Dropped::hostile;
    return std::nullopt;
}

// What a reject text says of the recipient. The words end the text, so nothing that a stranger chose is
// behind them.
std::optional<EventKind> kind_of(std::string_view words, int code) {
    if (words == kUnknownRecipient) return EventKind::asked;
    // unknown_relay_recipient_reject_code may be any that refuses.
    if ((words == kMissed || words == kRelayTable) && code >= 400 && code < 600) return EventKind::miss;
    return std::nullopt;  // another table, or another reason
}

// "450 4.1.1 <": the code.
std::optional<int> take_codes(Scanner& in) {
    const auto code = in.take_number(3);
    if (!code || !in.take(" ")) return std::nullopt;
    if (in.take_while(is_digit).empty() || !in.take(".1.1 <")) return std::nullopt;
    return code;
}

// From behind "RCPT from ". `kFrom` occurs once in an honest line: a recipient that forges the fields brings
// a second one, and so does a sender that reaches back. So the first one ends Postfix's own reject text, and
// what is before and behind is known.
LineResult read_reject(Scanner in, const Message& message) {
    const auto client = take_client(in);
    if (!client) return drop(Dropped::hostile);
    const auto code = take_codes(in);
    if (!code) return {};
    const std::size_t from = in.text.find(kFrom);
    if (from == std::string_view::npos) return drop(Dropped::cut);
    const std::string_view text = in.text.substr(0, from);
    const std::size_t words_at = text.rfind(kRejected);
    if (words_at == std::string_view::npos) return {};
    const std::string_view words = text.substr(words_at + kRejected.size());
    const std::string_view rejected = text.substr(0, words_at);
    const auto kind = kind_of(words, *code);
    if (!kind) return {};
    if (in.text.find(kFrom, from + 1) != std::string_view::npos) return drop(Dropped::hostile);
    if (message.size >= kLongestMessage) return drop(Dropped::cut);

    in.text.remove_prefix(from + kFrom.size());
    const auto sender = take_quoted(in);
    if (!sender) return drop(sender.error());
    if (!in.take(" to=<")) return drop(in.text.size() < 5 ? Dropped::cut : Dropped::hostile);
    const auto recipient = take_quoted(in);
    if (!recipient) return drop(recipient.error());
    if (const auto why = read_tail(in)) return drop(*why);
    // Said twice. A control character is a blank in the one and a ? in the other, so it never passes for an
    // honest ?.
    if (unquote(*recipient) != rejected) return drop(Dropped::hostile);
    auto address = recipient_of(*recipient);
    if (!address) return drop(Dropped::invalid);
    LineResult result;
    LogEvent& event = result.event.emplace(*kind, *std::move(address), message.at);
    event.times = message.times;
    event.client = *client;
    event.sender = printable(*sender, kLongestSender);
    event.code = *code;
    event.reply = words;
    return result;
}

// "host ex1.corp.example[192.0.2.10] said: 550 5.1.10 … (in reply to RCPT TO command))": what it said.
// Nothing for a refusal at another stage, and for what Postfix itself found wrong.
std::optional<std::string_view> refusal_in(std::string_view text) {
    constexpr std::string_view kSaid = " said: ";
    bool at_stage = false;
    for (const std::string_view stage :
         {" (in reply to RCPT TO command))", " (in reply to end of DATA command))"})
        if (text.ends_with(stage)) {
            text.remove_suffix(stage.size());
            at_stage = true;
            break;
        }
    if (!at_stage || !text.starts_with("host ")) return std::nullopt;
    const std::size_t said = text.find(kSaid);
    if (said == std::string_view::npos) return std::nullopt;
    return text.substr(said + kSaid.size());
}

// A set of bytes, looked up in a table: most of a delivery's line is made of these.
class ByteSet {
  public:
    constexpr explicit ByteSet(std::string_view others) {
        for (char byte = '0'; byte <= '9'; ++byte) has_[static_cast<unsigned char>(byte)] = true;
        for (char byte = 'a'; byte <= 'z'; ++byte) has_[static_cast<unsigned char>(byte)] = true;
        for (char byte = 'A'; byte <= 'Z'; ++byte) has_[static_cast<unsigned char>(byte)] = true;
        for (const char byte : others) has_[static_cast<unsigned char>(byte)] = true;
    }
    std::string_view take(Scanner& in) const {
        std::size_t size = 0;
        while (size < in.text.size() && has_[static_cast<unsigned char>(in.text[size])]) ++size;
        const std::string_view taken = in.text.substr(0, size);
        in.text.remove_prefix(size);
        return taken;
    }

  private:
    std::array<bool, 256> has_{};
};
constexpr ByteSet kHostBytes(".-_[]:/%");
// Of the fields behind it: all that is printable but ( and what a stranger's address brings.
constexpr ByteSet kFieldBytes(" !#$%&'*+,-./:;=?@[\\]^_`{|}~)");

// What stands between relay= and the text of the status: conn_use=, delay=, delays=, tls=, dsn=, and what a
// later Postfix adds. No stranger has a word in it, so the first status is Postfix's. Its word; or why there
// is none.
tl::expected<std::string_view, Dropped> take_status(Scanner& in) {
    const std::string_view text = in.text;
    do {
        kFieldBytes.take(in);
        const std::string_view fields = text.substr(0, text.size() - in.text.size());
        const std::size_t mark = fields.rfind(kDeliveryMark);
        if (mark == std::string_view::npos) continue;
        if (in.text.empty()) return tl::make_unexpected(Dropped::cut);
        const std::string_view status = fields.substr(mark + kDeliveryMark.size());
        if (!in.take("(") || status.size() < 2 || status.find(' ') != status.size() - 1)
            return tl::make_unexpected(Dropped::strange);
        return status.substr(0, status.size() - 1);
    } while (in.take("("));
    // A stranger's text, or the end.
    return tl::make_unexpected(in.text.empty() ? Dropped::cut : Dropped::hostile);
}

// From behind "QID: to=<". A delivery that was sent is known before the server's words begin; the end of one
// that bounced has to be there.
LineResult read_delivery(Scanner in, const Message& message) {
    const auto recipient = take_quoted(in);
    if (!recipient) return drop(recipient.error());
    std::optional<Address> original;
    if (in.take(", orig_to=<")) {
        const auto quoted = take_quoted(in);
        if (!quoted) return drop(quoted.error());
        original = sole_recipient_of(*quoted);
    }
    if (!in.take(", relay=")) return drop(in.text.size() < 8 ? Dropped::cut : Dropped::hostile);
    const std::string_view host = kHostBytes.take(in);
    const auto status = take_status(in);
    if (!status) return drop(status.error());
    // With soft_bounce = yes a bounce stays in the queue; what the server said is the same.
    const bool bounced = *status == "bounced" || *status == "SOFTBOUNCE";
    if (*status == "deferred" || *status == "deliverable" || *status == "undeliverable" ||
        *status == "expired")
        return {};
    if (*status != "sent" && !bounced) return drop(Dropped::strange);
    auto address = sole_recipient_of(*recipient);
    if (!address) return drop(Dropped::invalid);
    LineResult result;
    LogEvent& event = result.event.emplace(EventKind::delivered, *std::move(address), message.at);
    event.times = message.times;
    event.original = std::move(original);
    event.host = host;
    if (!bounced) return result;
    if (message.size >= kLongestMessage) return drop(Dropped::cut);
    const auto refusal = refusal_in(in.text);
    if (!refusal) return {};
    const auto code = Scanner{*refusal}.take_number(3);
    if (!code || *code < 500) return {};
    event.kind = EventKind::bounced;
    event.code = *code;
    event.reply = printable(*refusal, kLongestReply);
    return result;
}

// "message repeated 3 times: [ QID: …]": rsyslog's word for lines that are all the same. It cuts what it
// repeats at 800 bytes.
std::optional<int> take_repetition(std::string_view& message) {
    Scanner in{message};
    if (!in.take("message repeated ")) return std::nullopt;
    const std::string_view digits = in.take_while(is_digit);
    if (digits.empty() || digits.size() > kMostRepetitionDigits || !in.take(" times: [") ||
        !in.text.ends_with(']'))
        return std::nullopt;
    in.take(" ");
    message = in.text.substr(0, in.text.size() - 1);
    return Scanner{digits}.take_number(digits.size());
}

// Postfix's own message.
LineResult read_message(std::string_view message, Writer writer, const LogTime& at) {
    const auto repeated = take_repetition(message);
    Scanner in{message};
    const Message facts{at, repeated ? message.size() + kLongestMessage - kLongestRepeated : message.size(),
                        std::max(repeated.value_or(1), 1)};
    if (in.take_while(is_alnum).empty()) return {};  // queue ID or NOQUEUE
    if (writer != Writer::smtpd && in.take(": to=<")) {
        if (writer == Writer::client) return read_delivery(in, facts);
        // Under the name of the unit local(8) and its kin write too; their relays are no hosts.
        LineResult result = read_delivery(in, facts);
        return result.event && result.event->host.find('[') == std::string::npos ? LineResult{} : result;
    }
    if (writer == Writer::client ||
        (!in.take(": reject: RCPT from ") && !in.take(": reject_warning: RCPT from ")))
        return {};
    return read_reject(in, facts);
}

// Of a line whose form is not known: whether it says what an event says.
LineResult read_strange(std::string_view line) {
    const std::size_t status = line.find(kDeliveryMark);
    const bool says = line.find(kRejectMark) != std::string_view::npos
                          ? line.find("RCPT from ") != std::string_view::npos
                          : status != std::string_view::npos &&
                                line.substr(0, status).find("to=") != std::string_view::npos;
    return says ? drop(Dropped::strange) : LineResult{};
}

LineResult read_text(std::string_view line, const std::vector<std::string>& names) {
    // What a sender of syslog, or Windows, left at the end.
    while (line.ends_with("#012") || line.ends_with("#015")) line.remove_suffix(4);
    while (line.ends_with('\r')) line.remove_suffix(1);
    std::string_view message = line;
    const Beginning beginning = take_beginning(message, names);
    switch (beginning.writer) {
        case Writer::other:
            return {};
        case Writer::not_known:
            return read_strange(line);
        case Writer::namesake:
            return read_strange(line).dropped ? drop(Dropped::namesake) : LineResult{};
        case Writer::smtpd:
        case Writer::client:
        case Writer::unit:
            break;
    }
    if (!beginning.in_pieces) return read_message(message, beginning.writer, beginning.at);
    return read_message(message, beginning.writer, beginning.at).event ? drop(Dropped::cut) : LineResult{};
}

}  // namespace

std::string_view name_of(EventKind kind) {
    switch (kind) {
        case EventKind::miss:
            return "miss";
        case EventKind::asked:
            return "asked";
        case EventKind::bounced:
            return "bounced";
        case EventKind::delivered:
            break;
    }
    return "delivered";
}

LineResult read_line(std::string_view line, const std::vector<std::string>& syslog_names) {
    // Nearly all lines end here, before any of the work.
    if (line.find(kRejectMark) == std::string_view::npos &&
        line.find(kDeliveryMark) == std::string_view::npos)
        return {};
    return read_marked_line(line, syslog_names);
}

LineResult read_marked_line(std::string_view line, const std::vector<std::string>& syslog_names) {
    if (!line.starts_with('{')) return read_text(line, syslog_names);
    const JsonLine json = read_json_line(line);
    if (!json.line.empty()) return read_text(json.line, syslog_names);
    if (!json.at) return read_strange(line);
    const Writer writer = writer_of(json.tag, syslog_names);
    if (writer == Writer::other) return {};
    if (writer == Writer::namesake)
        return read_strange(line).dropped ? drop(Dropped::namesake) : LineResult{};
    return read_message(json.message, writer, *json.at);
}

}  // namespace postcensus::mail
