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
#include "mail/log_fields.h"
#include "mail/log_json.h"
#include "mail/scanner.h"

namespace postcensus::mail {
namespace {

// What smtpd_check.c of Postfix writes around the recipient.
constexpr std::string_view kRejected = ">: Recipient address rejected: ";
constexpr std::string_view kMissed = "User unknown";
constexpr std::string_view kRelayTable = "User unknown in relay recipient table";
constexpr std::string_view kFrom = "; from=<";

constexpr std::size_t kLongestRepeated = 780;  // rsyslog's own limit, and some
constexpr std::size_t kMostRepetitionDigits = 6;
constexpr std::size_t kLongestSender = 320;  // RFC 5321: 64 + 1 + 255

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
