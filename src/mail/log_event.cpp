// SPDX-License-Identifier: MIT
#include "mail/log_event.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <tl/expected.hpp>
#include <utility>

#include "base/printable.h"
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
constexpr std::size_t kLongestSender = 320;  // RFC 5321: 64 + 1 + 255
constexpr std::size_t kLongestReply = 512;   // RFC 5321, 4.5.3.1.5

enum class Daemon { smtpd, client };

// "postfix/smtpd", "postfix-out/smtpd", "postfix/submission/smtpd"; the clients are smtp(8) and lmtp(8).
std::optional<Daemon> daemon_of(std::string_view tag, const std::vector<std::string>& names) {
    const std::size_t slash = tag.rfind('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const std::string_view program = tag.substr(slash + 1);
    std::optional<Daemon> daemon;
    if (program == "smtpd") daemon = Daemon::smtpd;
    if (program == "smtp" || program == "lmtp") daemon = Daemon::client;
    tag = tag.substr(0, slash);
    const bool ours = std::any_of(names.begin(), names.end(), [tag](const std::string& name) {
        return tag == name || (tag.starts_with(name) && (tag[name.size()] == '-' || tag[name.size()] == '/'));
    });
    return ours ? daemon : std::nullopt;
}

struct Prefix {
    LogTime at;
    Daemon daemon = Daemon::smtpd;
};

// Time, host and program; what is left is Postfix's own message.
std::optional<Prefix> take_prefix(Scanner& in, const std::vector<std::string>& names) {
    const auto at = take_log_time(in.text);
    if (!at) return std::nullopt;
    const auto host = in.take_while([](char byte) { return byte != ' '; });
    if (host.empty() || !in.take(" ")) return std::nullopt;
    const auto take_tag = [&in] {
        return in.take_while([](char byte) { return byte != ' ' && byte != '[' && byte != ':'; });
    };
    auto tag = take_tag();
    // syslogd of BusyBox writes "mail.info" before it.
    if (tag.starts_with("mail.") && in.take(" ")) tag = take_tag();
    const auto daemon = daemon_of(tag, names);
    if (!daemon) return std::nullopt;
    if (in.take("[") && (in.take_while(is_digit).empty() || !in.take("]"))) return std::nullopt;
    if (!in.take(": ")) return std::nullopt;
    return Prefix{*at, *daemon};
}

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

// " proto=ESMTP helo=<h>" to the end of the line, with the sasl_ fields of Postfix 3.10. A client that never
// said HELO has no helo=, and cannot speak ESMTP.
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
    if (!in.take(" sasl_") || in.text.find_first_of("<>") != std::string_view::npos) return Dropped::hostile;
    return std::nullopt;
}

// What a reject text says of the recipient. The words end the text, so nothing that a stranger chose is
// behind them.
std::optional<EventKind> kind_of(std::string_view words, int code) {
    if (words == kUnknownRecipient) return EventKind::asked;
    if ((words == kMissed || words == kRelayTable) && (code == 450 || code == 550)) return EventKind::miss;
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
LineResult read_reject(Scanner in, std::size_t message_size, const LogTime& at) {
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
    if (message_size >= kLongestMessage) return drop(Dropped::cut);

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
    LogEvent& event = result.event.emplace(*kind, *std::move(address), at);
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
constexpr ByteSet kHostBytes(".-_[]:/");
constexpr ByteSet kFieldBytes("._/=, ");

// From behind "QID: to=<". A delivery that was sent is known before the server's words begin; the end of one
// that bounced has to be there.
LineResult read_delivery(Scanner in, std::size_t message_size, const LogTime& at) {
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
    // conn_use=, delay=, delays=, dsn=: numbers alone. So the status is the last word before its text.
    const std::string_view fields = kFieldBytes.take(in);
    const std::size_t last = fields.rfind(kDeliveryMark);
    const std::string_view status =
        last == std::string_view::npos || !in.text.starts_with('(') || !fields.ends_with(' ')
            ? std::string_view{}
            : fields.substr(last + kDeliveryMark.size(), fields.size() - last - kDeliveryMark.size() - 1);
    in.take("(");
    if (status.empty()) return drop(in.text.empty() ? Dropped::cut : Dropped::hostile);
    if (status != "sent" && status != "bounced") return {};
    auto address = sole_recipient_of(*recipient);
    if (!address) return drop(Dropped::invalid);
    LineResult result;
    LogEvent& event = result.event.emplace(EventKind::delivered, *std::move(address), at);
    event.original = std::move(original);
    event.host = host;
    if (status == "sent") return result;
    if (message_size >= kLongestMessage) return drop(Dropped::cut);
    const auto refusal = refusal_in(in.text);
    if (!refusal) return {};
    const auto code = Scanner{*refusal}.take_number(3);
    if (!code || *code < 500) return {};
    event.kind = EventKind::bounced;
    event.code = *code;
    event.reply = printable(*refusal, kLongestReply);
    return result;
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
    // A newline that a sender of syslog left at the end.
    if (line.ends_with("#012")) line.remove_suffix(4);
    Scanner in{line};
    const auto prefix = take_prefix(in, syslog_names);
    if (!prefix) return {};
    const std::size_t message_size = in.text.size();
    if (in.take_while(is_alnum).empty()) return {};  // queue ID or NOQUEUE
    if (prefix->daemon == Daemon::client)
        return in.take(": to=<") ? read_delivery(in, message_size, prefix->at) : LineResult{};
    if (!in.take(": reject: RCPT from ") && !in.take(": reject_warning: RCPT from ")) return {};
    return read_reject(in, message_size, prefix->at);
}

}  // namespace postcensus::mail
