// SPDX-License-Identifier: MIT
#include "mail/log_event.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <tl/expected.hpp>
#include <utility>

#include "base/printable.h"

namespace postcensus::mail {
namespace {

// What smtpd_check.c of Postfix writes around the recipient.
constexpr std::string_view kUnknown = ">: Recipient address rejected: User unknown";
constexpr std::string_view kRelayTable = " in relay recipient table";
constexpr std::string_view kFrom = "; from=<";

// Postfix cuts at 2000 bytes, receivers that follow RFC 3164 at 1024 with the prefix. A stranger who pads a
// recipient or a sender can place the cut behind a whole forged tail, so no message that may have been cut
// counts. Real ones have 250.
constexpr std::size_t kLongestMessage = 960;
constexpr std::size_t kLongestSender = 320;  // RFC 5321: 64 + 1 + 255

bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}
bool is_alnum(char byte) {
    return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

// Reads from the left; what a function does not find it leaves.
struct Scanner {
    std::string_view text;

    bool take(std::string_view word) {
        if (!text.starts_with(word)) return false;
        text.remove_prefix(word.size());
        return true;
    }

    template <typename Wanted>
    std::string_view take_while(Wanted wanted) {
        const auto end = std::find_if_not(text.begin(), text.end(), wanted);
        const auto taken = text.substr(0, static_cast<std::size_t>(end - text.begin()));
        text.remove_prefix(taken.size());
        return taken;
    }

    std::optional<int> take_number(std::size_t digits) {
        if (text.size() < digits ||
            !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(digits), is_digit))
            return std::nullopt;
        int number = 0;
        for (const char byte : text.substr(0, digits)) number = number * 10 + (byte - '0');
        text.remove_prefix(digits);
        return number;
    }
};

// "01:02:03"; a leap second counts as the one before.
std::optional<std::chrono::seconds> take_clock(Scanner& in) {
    const auto hour = in.take_number(2);
    if (!hour || !in.take(":")) return std::nullopt;
    const auto minute = in.take_number(2);
    if (!minute || !in.take(":")) return std::nullopt;
    const auto second = in.take_number(2);
    if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    return std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
           std::chrono::seconds{std::min(*second, 59)};
}

// "Z", "+01:00", "-0330": what to subtract to get UTC.
std::optional<std::chrono::minutes> take_zone(Scanner& in) {
    if (in.take("Z")) return std::chrono::minutes{0};
    const bool east = in.take("+");
    if (!east && !in.take("-")) return std::nullopt;
    const auto hours = in.take_number(2);
    in.take(":");
    const auto minutes = in.take_number(2);
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    const std::chrono::minutes offset = std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
    return east ? offset : -offset;
}

// RFC 3339: "2026-11-04T01:02:03.123456+01:00". False if it is none; `at` stays empty without a zone.
bool take_full_time(Scanner& in, std::optional<Time>& at) {
    const auto year = in.take_number(4);
    if (!year || !in.take("-")) return false;
    const auto month = in.take_number(2);
    if (!month || !in.take("-")) return false;
    const auto day = in.take_number(2);
    if (!day || !in.take("T")) return false;
    const std::chrono::year_month_day date{std::chrono::year{*year},
                                           std::chrono::month{static_cast<unsigned>(*month)},
                                           std::chrono::day{static_cast<unsigned>(*day)}};
    const auto clock = take_clock(in);
    if (!clock || !date.ok()) return false;
    Milliseconds fraction{0};
    if (in.take(".")) {
        int weight = 100;
        for (const char digit : in.take_while(is_digit)) {
            fraction += Milliseconds{(digit - '0') * weight};
            weight /= 10;
        }
    }
    if (in.take(" ")) return true;
    const auto zone = take_zone(in);
    if (!zone || !in.take(" ")) return false;
    at = Time{std::chrono::sys_days{date}} + *clock + fraction - *zone;
    return true;
}

// RFC 3164 "Nov  4 01:02:03 " and postlogd's "Nov 04 01:02:03 ": neither year nor zone.
bool take_short_time(Scanner& in) {
    constexpr std::array<std::string_view, 12> kMonths{"Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ",
                                                       "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec "};
    if (std::none_of(kMonths.begin(), kMonths.end(),
                     [&in](std::string_view month) { return in.take(month); }))
        return false;
    in.take(" ");
    const std::string_view day = in.take_while(is_digit);
    return !day.empty() && day.size() <= 2 && in.take(" ") && take_clock(in) && in.take(" ");
}

// "postfix/smtpd", "postfix-out/smtpd", "postfix/submission/smtpd".
bool is_smtpd(std::string_view tag, const std::vector<std::string>& names) {
    constexpr std::string_view kDaemon = "/smtpd";
    if (!tag.ends_with(kDaemon)) return false;
    tag.remove_suffix(kDaemon.size());
    return std::any_of(names.begin(), names.end(), [tag](const std::string& name) {
        return tag == name || (tag.starts_with(name) && (tag[name.size()] == '-' || tag[name.size()] == '/'));
    });
}

// Time, host and program; what is left is Postfix's own message.
bool take_prefix(Scanner& in, const std::vector<std::string>& names, std::optional<Time>& at) {
    const bool full = !in.text.empty() && is_digit(in.text.front());
    if (full ? !take_full_time(in, at) : !take_short_time(in)) return false;
    const auto host = in.take_while([](char byte) { return byte != ' '; });
    if (host.empty() || !in.take(" ")) return false;
    const auto tag = in.take_while([](char byte) { return byte != ' ' && byte != '[' && byte != ':'; });
    if (!is_smtpd(tag, names)) return false;
    if (in.take("[") && (in.take_while(is_digit).empty() || !in.take("]"))) return false;
    return in.take(": ");
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

// From behind "RCPT from ". `kFrom` occurs once in an honest line: a recipient that forges the fields brings
// a second one, and so does a sender that reaches back. So the first one ends Postfix's own reject text, and
// what is before and behind is known.
LineResult read_reject(Scanner in, std::size_t message_size, std::optional<Time> at) {
    const auto drop = [](Dropped why) { return LineResult{std::nullopt, why}; };
    const auto client = take_client(in);
    if (!client) return drop(Dropped::hostile);
    if (!in.take("450 4.1.1 <") && !in.take("550 5.1.1 <")) return {};
    const std::size_t from = in.text.find(kFrom);
    if (from == std::string_view::npos) return drop(Dropped::cut);
    std::string_view rejected = in.text.substr(0, from);
    if (rejected.ends_with(kRelayTable)) rejected.remove_suffix(kRelayTable.size());
    if (!rejected.ends_with(kUnknown)) return {};  // another table, or another reason
    rejected.remove_suffix(kUnknown.size());
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
    auto address = Address::from_external(*recipient);
    if (!address) return drop(Dropped::invalid);
    return {Miss{std::move(*address), *client, printable(*sender, kLongestSender), at}, std::nullopt};
}

}  // namespace

LineResult read_line(std::string_view line, const std::vector<std::string>& syslog_names) {
    // Nearly all lines end here, before any of the work.
    if (line.find(kUnknown) == std::string_view::npos) return {};
    Scanner in{line};
    std::optional<Time> at;
    if (!take_prefix(in, syslog_names, at)) return {};
    const std::size_t message_size = in.text.size();
    if (in.take_while(is_alnum).empty()) return {};  // queue ID or NOQUEUE
    if (!in.take(": reject: RCPT from ") && !in.take(": reject_warning: RCPT from ")) return {};
    return read_reject(in, message_size, at);
}

}  // namespace postcensus::mail
