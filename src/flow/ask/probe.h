// SPDX-License-Identifier: MIT
// One live callout by hand: each address is asked about with its controls, at its route's servers in turn
// until one answers. Blocks. Nothing is stored; store_probed() does that.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "store/database.h"

namespace postcensus::flow {

struct Probed {
    mail::Address address;
    census::CalloutClass klass = census::CalloutClass::retry;
    std::string target;                   // host:port that was asked last
    std::string reply;                    // the server's words, printable; empty if there was none
    std::string controls;                 // what stood beside it; empty if the session did not get there
    std::string reason;                   // why nothing was concluded; empty if something was
    std::vector<std::string> transcript;  // "C: …", "S: …", printable
    store::Seq began = 0;
    Moment heard = {};  // when the server said it
};

// What a class means for the recipient, in one line.
std::string meaning_of(const Probed& probed);

// Known-good controls for questions about this address, itself left out.
std::vector<mail::Address> controls_for(const config::Route& route, store::Database* state,
                                        const mail::Address& asked);

// Failures are mistakes of the caller: an address in no route, or in one that asks nobody. `state`: for
// known-good controls; there may be none yet.
Result<std::vector<Probed>> probe(const config::Configuration& configuration, store::Database* state,
                                  const std::vector<mail::Address>& addresses);

// Keeps what was concluded as evidence, like any other callout's.
Result<void> store_probed(store::Database& state, const std::vector<Probed>& probed, const Moment& now);

}  // namespace postcensus::flow
