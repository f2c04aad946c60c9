// SPDX-License-Identifier: MIT
// A mail server for the callout tests: what it says to each command. Without a socket; whoever uses it moves
// the lines.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "callout/session.h"

namespace postcensus::callout {

inline mail::Address address(std::string_view text) {
    return mail::Address::from_internal(text).value();
}

inline const std::string kUnknownReply = "550 5.1.1 User unknown";
inline const std::string kAcceptedReply = "250 2.1.5 Recipient OK";

// Each reply is one line, or several divided by |. An empty one: the server closes instead.
struct Peer {
    std::string banner = "220 ex1.corp.example Microsoft ESMTP MAIL Service ready";
    std::string ehlo = "250-ex1.corp.example Hello|250-SIZE|250-PIPELINING|250 ENHANCEDSTATUSCODES";
    std::string ehlo_in_tls = "250-ex1.corp.example Hello|250 SIZE";
    std::string helo = "250 ex1.corp.example";
    std::string starttls = "220 2.0.0 SMTP server ready";
    std::string mail = "250 2.1.0 Sender OK";
    std::string nobody = kUnknownReply;  // for recipients that are not listed below
    std::map<std::string, std::string> recipients = {
        // by what stands between < and >
        {"known@corp.example", kAcceptedReply},
        {"a@corp.example", kAcceptedReply},
    };
    std::string quit = "221 2.0.0 Service closing transmission channel";
    int errors_until_421 = 1000;

    bool encrypted = false;
    int errors = 0;
    std::vector<std::string> commands = {};

    std::string answer(const std::string& command) {
        commands.push_back(command);
        if (command.starts_with("EHLO ")) return encrypted ? ehlo_in_tls : ehlo;
        if (command.starts_with("HELO ")) return helo;
        if (command == "STARTTLS") return starttls;
        if (command.starts_with("MAIL FROM:<")) return mail;
        if (command == "QUIT") return quit;
        if (!command.starts_with("RCPT TO:<")) return "500 5.5.1 Command unrecognized";
        if (errors >= errors_until_421)
            return "421 4.7.0 Too many errors on this connection, closing transmission channel";
        const auto found = recipients.find(command.substr(9, command.size() - 10));
        const std::string& reply = found == recipients.end() ? nobody : found->second;
        if (!reply.starts_with('2')) ++errors;
        return reply;
    }
};

inline std::vector<std::string> lines_of(const std::string& reply) {
    std::vector<std::string> lines;
    std::size_t start = 0;
    for (std::size_t end = reply.find('|'); end != std::string::npos; end = reply.find('|', start)) {
        lines.push_back(reply.substr(start, end - start));
        start = end + 1;
    }
    lines.push_back(reply.substr(start));
    return lines;
}

// One deliverable and one unknown recipient, and the controls for both.
inline Questions questions() {
    Questions out{.target = {"ex1.corp.example", 2525},
                  .helo = "gw.corp.example",
                  .mail_from = "",
                  .tls = Tls::off,
                  .random_control = address("xk3q9@corp.example"),
                  .known_good = {address("known@corp.example")},
                  .recipients = {address("a@corp.example"), address("b@corp.example")}};
    return out;
}

}  // namespace postcensus::callout
