// SPDX-License-Identifier: MIT
// What stands before Postfix's own message in a line of a log: the time, the host and the program, in the
// forms of the syslog daemons, of journalctl(1), and of RFC 5424, behind what containers put before a line.
// Pure.
//
// Each thing has its place. A program's name that a stranger wrote into another program's message is behind
// that program's own, and never read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/log_time.h"

namespace postcensus::mail {

enum class Writer {
    smtpd,      // Postfix's
    client,     // its smtp or lmtp
    unit,       // some daemon of it: the line names its unit alone (journalctl -o with-unit)
    other,      // another daemon, or another program
    namesake,   // smtpd, smtp or lmtp under a syslog name that is not ours
    not_known,  // the beginning is in no form that is known
};

struct Beginning {
    Writer writer = Writer::not_known;
    LogTime at;              // where two stand in a line, Postfix's own
    bool in_pieces = false;  // the line goes on in another one (CRI)
};

// Takes it from the front of `text`; what is left is Postfix's own message. `names`: see read_line().
Beginning take_beginning(std::string_view& text, const std::vector<std::string>& names);

// Who a program is by its name in the log: "postfix/smtpd", "postfix-out/smtpd", "postfix/submission/smtpd".
Writer writer_of(std::string_view tag, const std::vector<std::string>& names);

// When the line was written, whoever wrote it.
std::optional<LogTime> time_of_line(std::string_view line);

}  // namespace postcensus::mail
