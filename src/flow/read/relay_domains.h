// SPDX-License-Identifier: MIT
// `domains = postfix`: the domains of that route are what Postfix's relay_domains says, whatever panel or
// database fills it. The state holds the last good answers: "don't know" is no "no", and two "no" in a row
// end a domain, through the gate like any other.
#pragma once

#include <string>
#include <vector>

#include "config/configuration.h"
#include "postfix/relay_domains.h"
#include "store/database.h"

namespace postcensus::flow {

// Gives the configuration the domains that the state knows. Nothing to do where no route asks Postfix.
Result<void> take_relay_domains(config::Configuration& configuration, store::Database& state);

// The same after Postfix was asked: for whoever may become the decider. Blocks. Where Postfix's tables do not
// answer, what was known stays, and the log says so.
Result<void> learn_relay_domains(config::Configuration& configuration, store::Database& state, Time now);

// In steps, for who must not block: what to ask about, to ask (in a worker), and to note what came of it.
// `strange`: domains that strangers named.
struct DomainQuestions {
    std::vector<std::string> known;  // to the state: relayed so far, or of addresses that it knows
    std::vector<std::string> strange;
};
Result<DomainQuestions> domains_to_ask(store::Database& state, std::vector<std::string> strange);
postfix::RelayDomains::Answers ask_postfix(const config::Configuration& configuration,
                                           const DomainQuestions& questions);
// True: the domains of the route are others now.
Result<bool> note_answers(store::Database& state, const postfix::RelayDomains::Answers& answers, Time now);

}  // namespace postcensus::flow
