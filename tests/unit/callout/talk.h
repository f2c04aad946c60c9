// SPDX-License-Identifier: MIT
// A Dialogue and a Peer that talk to each other, line by line, without a socket.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "callout/dialogue.h"
#include "callout/peer.h"
#include "catch.h"

namespace postcensus::callout {

enum class Cut { nothing, closed, timed_out, garbage, out_of_turn };

// Lets the dialogue talk to the peer; after `lines` lines of the server's, `cut` happens instead of the next.
inline SessionResult talk(Questions asked, Peer& peer, int lines = 100000, Cut cut = Cut::nothing) {
    Dialogue dialogue(std::move(asked));
    std::string reply = peer.banner;
    Step step = dialogue.connected();
    const auto cut_now = [&] {
        switch (cut) {
            case Cut::timed_out:
                return dialogue.timed_out();
            case Cut::garbage:
                return dialogue.line("\x01garbage");
            case Cut::out_of_turn:
                return dialogue.spoke_out_of_turn("250 and another one");
            default:
                return dialogue.closed();
        }
    };
    while (step.kind != Step::Kind::finished) {
        if (step.kind == Step::Kind::handshake) {
            peer.encrypted = true;
            step = dialogue.tls_established();
        }
        if (step.kind == Step::Kind::send) {
            REQUIRE(step.text.ends_with("\r\n"));
            REQUIRE(step.deadline);
            reply = peer.answer(step.text.substr(0, step.text.size() - 2));
        }
        if (reply.empty()) return dialogue.closed(), dialogue.take_result();
        for (const std::string& line : lines_of(reply)) {
            step = lines-- > 0 ? dialogue.line(line) : cut_now();
            if (step.kind != Step::Kind::read) break;
        }
    }
    for (const std::string& command : peer.commands) {
        CHECK_FALSE(command.starts_with("DATA"));
        CHECK_FALSE(command.starts_with("BDAT"));
        CHECK_FALSE(command.starts_with("AUTH"));
    }
    return dialogue.take_result();
}

inline SessionResult talk(const Questions& asked, Peer&& peer) {
    return talk(asked, peer);
}

inline bool mentions(const std::string& text, std::string_view word) {
    return text.find(word) != std::string::npos;
}

}  // namespace postcensus::callout
