// SPDX-License-Identifier: MIT
#include "mail/log_beginning.h"

#include <algorithm>
#include <cstddef>

#include "mail/scanner.h"

namespace postcensus::mail {
namespace {

constexpr int kMostHeaders = 4;             // a line may have been passed on, and wrapped by a container
constexpr std::size_t kReachOfHints = 160;  // bytes in which a program's name stands, whatever the form

// What a daemon's name ends in; smtpd(8), and the clients smtp(8) and lmtp(8).
constexpr std::string_view kDaemons[] = {"/smtpd", "/smtp", "/lmtp"};

constexpr auto is_graphic = [](char byte) { return static_cast<unsigned char>(byte) > ' ' && byte != 0x7F; };
constexpr auto is_blank = [](char byte) { return byte == ' '; };

// As it is, or as rsyslog escapes it.
void take_byte_order_mark(Scanner& in) {
    if (in.text.empty() || is_alnum(in.text.front())) return;
    if (!in.take("\xEF\xBB\xBF")) in.take("#357#273#277");
}

void take_colour(Scanner& in) {
    Scanner here = in;
    if (!here.take("\x1b[")) return;
    here.take_while([](char byte) { return is_digit(byte) || byte == ';'; });
    if (here.take("m")) in = here;
}

// "postfix-1  | " (docker compose logs), "[pod/mail-0/postfix] " (kubectl logs --prefix).
bool take_label(Scanner& in) {
    // "mail.log.1:", "12:": grep(1).
    const std::string_view word = in.text.substr(0, std::min(in.text.find(' '), kReachOfHints));
    for (std::size_t colon = word.find(':'); colon != std::string_view::npos;
         colon = word.find(':', colon + 1)) {
        Scanner behind{in.text.substr(colon + 1)};
        if (!take_log_time(behind.text)) continue;
        in.text.remove_prefix(colon + 1);
        return true;
    }
    Scanner here = in;
    take_colour(here);
    if (here.take("[pod/")) {
        here.take_while([](char byte) { return is_graphic(byte) && byte != ']'; });
        if (!here.take("] ")) return false;
    } else {
        const auto name = here.take_while([](char byte) {
            return is_alnum(byte) || std::string_view("._-@/:").find(byte) != std::string_view::npos;
        });
        if (name.empty() || here.take_while(is_blank).empty() || !here.take("|")) return false;
        if (!here.take(" ")) return false;
        take_colour(here);
    }
    in = here;
    return true;
}

// "<22>", with the version of RFC 5424 behind it and the count of RFC 6587 before it; that version alone.
void take_priority(Scanner& in) {
    Scanner here = in;
    if (const auto count = here.take_while(is_digit); !count.empty() && !here.take(" ")) here = in;
    if (here.take("<")) {
        const auto priority = here.take_while(is_digit);
        if (priority.empty() || priority.size() > 3 || !here.take(">")) return;
        in = here;
        here.take_while(is_blank);
    } else {
        here = in;
    }
    if (here.take("1 ") && here.text.size() > 4 && here.text[4] == '-') in = here;
}

// "-", "[meta sequenceId=\"7\"][x y=\"a\\]b\"]" (RFC 5424, 6.3).
bool take_structured_data(Scanner& in) {
    if (in.take("-")) return true;
    if (!in.text.starts_with('[')) return false;
    while (in.take("[")) {
        bool quoted = false;
        std::size_t at = 0;
        for (; at < in.text.size() && (quoted || in.text[at] != ']'); ++at) {
            if (quoted && in.text[at] == '\\')
                ++at;
            else if (in.text[at] == '"')
                quoted = !quoted;
        }
        if (at >= in.text.size()) return false;
        in.text.remove_prefix(at + 1);
    }
    return true;
}

// What stands between the program's name and its message: "[1]: ", ": ", "[1] ", " 1 - - ".
bool take_tag_end(Scanner& in) {
    const bool process = in.take("[");
    if (process && (in.take_while(is_digit).empty() || !in.take("]"))) return false;
    if (!in.take(":")) {
        if (!in.take(" ")) return false;
        if (!process) {
            if (in.take_while(is_graphic).empty() || !in.take(" ")) return false;
            if (in.take_while(is_graphic).empty() || !in.take(" ")) return false;
            if (!take_structured_data(in) || !(in.text.empty() || in.take(" "))) return false;
        }
    }
    in.take_while(is_blank);
    if (in.text.starts_with('[')) {  // Solaris
        Scanner here = in;
        if (here.take("[ID ") && !here.take_while([](char byte) { return byte != ']'; }).empty() &&
            here.take("] "))
            in = here;
    }
    take_byte_order_mark(in);
    return true;
}

std::string_view take_tag(Scanner& in) {
    return in.take_while([](char byte) { return byte != ' ' && byte != '[' && byte != ':' && byte != ']'; });
}

// Whether a program that is named so is what the names say, as a whole: "postfix", "postfix-1".
bool is_named(std::string_view tag, const std::vector<std::string>& names) {
    return std::any_of(names.begin(), names.end(), [tag](const std::string& name) {
        return tag == name || (tag.starts_with(name) && (tag[name.size()] == '-' || tag[name.size()] == '_'));
    });
}

// "mail.info" or "mail:info", which the syslogd of BusyBox or AIX writes before the program's name.
void take_facility(Scanner& in) {
    Scanner here = in;
    if (!here.take_while(is_alnum).empty() && (here.take(".") || here.take(":")) &&
        !here.take_while(is_alnum).empty() && here.take(" "))
        in = here;
}

// A host, or nothing: "web[7]:" is another program's name where a log has no hosts.
bool take_host(Scanner& in) {
    const auto host = in.take_while([](char byte) { return byte != ' '; });
    return !host.empty() && !host.ends_with(':') && host.find('[') == std::string_view::npos && in.take(" ");
}

// The program's name, at its very place, if it is one that Postfix's daemons have.
std::optional<Writer> take_postfix(Scanner& in, const std::vector<std::string>& names) {
    Scanner here = in;
    const bool bracket = here.take("[");  // metalog
    const Writer writer = writer_of(take_tag(here), names);
    if (writer == Writer::other) return std::nullopt;
    const bool ended = bracket ? here.take("] ") : take_tag_end(here);
    in = here;
    return ended ? writer : Writer::not_known;
}

bool time_follows(Scanner in) {
    take_priority(in);
    return take_log_time(in.text).has_value();
}

// Another program's line. Its message may be a line of Postfix that a container's log driver wrapped: that is
// taken only under a name of ours, as its text may be anybody's. And a name of ours may stand in a form that
// is not known. Neither may go unnoticed.
bool may_be_postfix(Scanner in, const std::vector<std::string>& names) {
    const std::size_t end = in.text.substr(0, kReachOfHints).find(": ");
    const std::string_view head = in.text.substr(0, std::min(end, kReachOfHints));
    const bool daemon = std::any_of(std::begin(kDaemons), std::end(kDaemons), [&](std::string_view name) {
        for (std::size_t at = head.find(name); at != std::string_view::npos; at = head.find(name, at + 1))
            if (at + name.size() >= head.size() || !is_alnum(head[at + name.size()])) return true;
        return false;
    });
    if (daemon && std::any_of(names.begin(), names.end(), [&](const std::string& name) {
            return head.find(name) != std::string_view::npos;
        }))
        return true;
    if (end == std::string_view::npos) return false;
    in.text.remove_prefix(end + 2);
    take_priority(in);
    if (!take_log_time(in.text)) return false;
    if (const auto writer = take_postfix(in, names)) return *writer != Writer::namesake;
    if (!take_host(in)) return false;
    const auto writer = take_postfix(in, names);
    return writer && *writer != Writer::namesake;
}

// "Nov  4 01:02:03 gw postfix/smtpd[1]: ", and with another time: nearly every line of a log begins so. This
// is the part that is fast; a line that is anything else is left as it is.
bool take_usual(Scanner& in, const std::vector<std::string>& names, Beginning& beginning) {
    Scanner here = in;
    const auto time = take_log_time(here.text);
    if (!time) return false;
    const std::size_t host = here.text.find(' ');
    const std::size_t end = here.text.find('[');
    if (host == 0 || host >= end || end == std::string_view::npos || here.text[host - 1] == ':') return false;
    const std::string_view tag = here.text.substr(host + 1, end - host - 1);
    if (tag.find(' ') != std::string_view::npos || tag.find(':') != std::string_view::npos) return false;
    const Writer writer = writer_of(tag, names);
    if (writer != Writer::smtpd && writer != Writer::client) return false;
    here.text.remove_prefix(end + 1);
    if (here.take_while(is_digit).empty() || !here.take("]: ") || here.text.empty() ||
        !is_alnum(here.text.front()))
        return false;
    in = here;
    beginning.at = *time;
    beginning.writer = writer;
    return true;
}

enum class Found { writer, header };

// From behind a time: the writer, or where another header begins.
Found take_writer(Scanner& in, const std::vector<std::string>& names, Writer& writer) {
    Scanner here = in;
    if (here.take("<")) {  // FreeBSD's "<mail.info>"
        here.take_while([](char byte) { return is_alnum(byte) || byte == '.'; });
        if (here.take("> ")) in = here;
    }
    for (const bool host : {true, false}) {
        here = in;
        if (host && !take_host(here)) continue;
        take_facility(here);
        if (const auto found = take_postfix(here, names)) {
            writer = *found;
            in = here;
            return Found::writer;
        }
    }
    if (time_follows(in)) return Found::header;
    here = in;
    if (take_host(here)) {
        if (time_follows(here)) {
            in = here;
            return Found::header;
        }
        if (is_named(take_tag(here), names) && take_tag_end(here) && time_follows(here)) {
            in = here;
            return Found::header;
        }
    }
    writer = may_be_postfix(in, names) ? Writer::not_known : Writer::other;
    return Found::writer;
}

}  // namespace

Writer writer_of(std::string_view tag, const std::vector<std::string>& names) {
    const std::size_t slash = tag.rfind('/');
    if (slash == std::string_view::npos) {
        // journalctl -o with-unit.
        const bool unit = tag.starts_with("postfix") && tag.ends_with(".service") &&
                          std::string_view(".@-").find(tag[7]) != std::string_view::npos;
        return unit ? Writer::unit : Writer::other;
    }
    const std::string_view program = tag.substr(slash);
    const bool client = program == "/smtp" || program == "/lmtp";
    if (!client && program != "/smtpd") return Writer::other;
    tag = tag.substr(0, slash);
    for (const std::string& name : names)
        if (tag.starts_with(name) &&
            (tag.size() == name.size() || tag[name.size()] == '-' || tag[name.size()] == '/'))
            return client ? Writer::client : Writer::smtpd;
    return Writer::namesake;
}

Beginning take_beginning(std::string_view& text, const std::vector<std::string>& names) {
    Beginning beginning;
    Scanner in{text};
    if (take_usual(in, names, beginning)) {
        text = in.text;
        return beginning;
    }
    take_byte_order_mark(in);
    bool timed = false;
    for (int headers = 0; headers < kMostHeaders; ++headers) {
        take_priority(in);
        Scanner here = in;
        if (const auto time = take_log_time(here.text)) {
            in = here;
            beginning.at = *time;
            timed = true;
        } else if (!timed) {
            if (headers > 0 || !take_label(in)) break;
            continue;
        }
        // CRI: "2026-11-04T01:02:03.123456789Z stdout F ".
        if (in.take("stdout ") || in.take("stderr ")) {
            beginning.in_pieces = in.text.starts_with('P');
            in.take_while(is_graphic);
            in.take(" ");
            continue;
        }
        if (take_writer(in, names, beginning.writer) == Found::header) continue;
        text = in.text;
        return beginning;
    }
    beginning.writer = Writer::not_known;
    return beginning;
}

std::optional<LogTime> time_of_line(std::string_view line) {
    Scanner in{line};
    take_byte_order_mark(in);
    take_priority(in);
    Scanner here = in;
    if (auto time = take_log_time(here.text)) return time;
    if (!take_label(in)) return std::nullopt;
    return take_log_time(in.text);
}

}  // namespace postcensus::mail
