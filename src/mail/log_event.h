// SPDX-License-Identifier: MIT
// Reads one line of a Postfix log. Pure: no I/O, no clock.
//
// Every address, name and text in such a line was chosen by a stranger; Postfix's own words are the only
// anchors. The parser reads from the left, minds quotes, compares what is said twice, and takes a doubtful
// line for no event.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "mail/address.h"

namespace postcensus::mail {

// Postfix's smtpd refused, or would have refused (reject_warning), a recipient that relay_recipient_maps does
// not have.
struct Miss {
    Address recipient;
    std::string client;      // the client's IP address, without port; "unknown" if Postfix has none
    std::string sender;      // as logged, untrusted and bounded
    std::optional<Time> at;  // only from a prefix that says year and zone (RFC 3339)
};

// Why a line that names a miss was not taken for one: counted, never guessed at.
enum class Dropped { hostile, cut, invalid };

struct LineResult {
    std::optional<Miss> miss;
    std::optional<Dropped> dropped;  // neither is set for a line that is no event
};

// `syslog_names`: the first part of the program name, normally {"postfix"}; postfix-NAME/smtpd and
// postfix/SERVICE/smtpd count too. `line` is without its newline.
LineResult read_line(std::string_view line, const std::vector<std::string>& syslog_names);

}  // namespace postcensus::mail
