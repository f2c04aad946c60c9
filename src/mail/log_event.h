// SPDX-License-Identifier: MIT
// Reads one line of a Postfix log: as a syslog daemon, journalctl(1) or a container writes it
// (log_beginning.h), or in JSON. Pure: no I/O, no clock.
//
// Every address, name and text in such a line was chosen by a stranger; Postfix's own words are the only
// anchors. The parser reads from the left, minds quotes, compares what is said twice, and takes a doubtful
// line for no event.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mail/address.h"
#include "mail/log_time.h"

namespace postcensus::mail {

// What a table of ours answers for an unknown recipient, behind the codes: by these words our own rejections
// are known in the log, whatever code they went out with (soft_bounce makes 550 a 450).
inline constexpr std::string_view kUnknownRecipient = "User unknown: there is no such recipient here";

enum class EventKind {
    miss,       // smtpd refused, or would have refused, a recipient that relay_recipient_maps does not have
    asked,      // smtpd refused one because a table of ours says so
    bounced,    // a delivery was refused for good, at RCPT TO or at the end of DATA
    delivered,  // a server took the mail
};
std::string_view name_of(EventKind kind);

struct LogEvent {
    LogEvent(EventKind what, Address who, const LogTime& when)
        : kind(what), recipient(std::move(who)), at(when) {}

    EventKind kind;
    Address recipient;
    LogTime at;
    std::string client;  // miss, asked: the IP address, without port; "unknown" if Postfix has none
    std::string sender;  // miss, asked: as logged, untrusted and bounded
    std::optional<Address> original;  // bounced, delivered: what the recipient was before Postfix rewrote it
    std::string host;                 // bounced, delivered: "ex1.corp.example[192.0.2.10]:2525"
    int code = 0;                     // of the reply; delivered: 0
    int times = 1;                    // more where syslog says that the message was repeated
    std::string reply;                // bounced: what the server said; asked, miss: Postfix's words; bounded
};

// Why a line that looked like an event was not taken for one: counted, never guessed at.
enum class Dropped {
    hostile,   // a stranger's text is in a place where Postfix puts none
    cut,       // its end is missing
    invalid,   // the recipient is no valid address
    strange,   // it looks like one of Postfix's, and its form is not known: that has to be said
    namesake,  // a Postfix under a syslog name that is not ours wrote it
};

struct LineResult {
    std::optional<LogEvent> event;
    std::optional<Dropped> dropped;  // neither is set for a line that is no event
};

// `syslog_names`: the first part of the program name, normally {"postfix"}; postfix-NAME/smtpd and
// postfix/SERVICE/smtpd count too. `line` is without its newline.
LineResult read_line(std::string_view line, const std::vector<std::string>& syslog_names);
// The same for a line in which one of the marks below stands.
LineResult read_marked_line(std::string_view line, const std::vector<std::string>& syslog_names);

// Whether a line can be an event at all: one of these stands in each. For a search over whole blocks.
inline constexpr std::string_view kRejectMark = "User unknown";
inline constexpr std::string_view kDeliveryMark = ", status=";

}  // namespace postcensus::mail
