// SPDX-License-Identifier: MIT
// What the log says of recipients that we answered for: mail that was delivered, mail that bounced, and our
// own rejections that were used. Only addresses that the state knows; a stranger's text adds none. Every
// function here runs inside Database::write() and may throw SQLite::Exception.
#pragma once

#include <string>
#include <vector>

#include "store/addresses.h"
#include "store/database.h"

namespace postcensus::store {

struct StoredBounce {
    mail::Address recipient;
    std::string host;   // that refused it
    std::string reply;  // its words
    Time at;
    bool ask = true;  // whether a callout can answer for it
};

// Notes them for the report, and asks about those that are accepted, unless a callout has just answered. A
// bounce proves nothing: the server may have refused the mail, not the recipient. True if something is asked.
bool record_bounces(Writer& writer, const std::vector<StoredBounce>& bounces, Time now);

struct StoredDelivery {
    mail::Address recipient;
    std::string host;  // its name alone
    Time at;
    Milliseconds refresh{};  // how long a proof is good before it is asked for again
};

// A delivery renews what a callout to that very host had proved: the callout that would renew it is put off,
// by as long as a proof is good, and never beyond four times that after the last callout, as only a callout
// shows whether the host refuses anybody. Where the host accepts every recipient it renews nothing; it
// creates nothing.
void renew_proofs(Writer& writer, const std::vector<StoredDelivery>& deliveries);

struct StoredAsk {
    mail::Address recipient;
    Time at;
};

// Rejections that were used stay in the table longest.
void note_asked(Writer& writer, const std::vector<StoredAsk>& asked);

}  // namespace postcensus::store
