// SPDX-License-Identifier: MIT
// Parts that the messages of smtpd and of the clients have in common. Pure. Only for log_event.cpp and
// log_delivery.cpp.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <tl/expected.hpp>

#include "mail/log_event.h"
#include "mail/scanner.h"

namespace postcensus::mail {

// Postfix cuts at 2000 bytes, receivers that follow RFC 3164 at 1024 with the prefix. A stranger who pads a
// recipient or a sender can place the cut behind a whole forged tail, so no message that may have been cut
// counts. Real ones have 250.
inline constexpr std::size_t kLongestMessage = 960;

// What is known of a message before it is read.
struct Message {
    const LogTime& at;
    std::size_t size;
    int times;
};

inline LineResult drop(Dropped why) {
    return {std::nullopt, why};
}

// An address in quoted form up to the > that closes it: in quotes, < > and blanks mean nothing.
tl::expected<std::string_view, Dropped> take_quoted(Scanner& in);

// Nothing also for one whose bytes syslog has escaped.
std::optional<Address> recipient_of(std::string_view quoted);

// From behind "QID: to=<" of a client's message.
LineResult read_delivery(Scanner in, const Message& message);

}  // namespace postcensus::mail
