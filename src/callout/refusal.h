// SPDX-License-Identifier: MIT
// The words of a refusal: what a server says beside its codes. Pure.
//
// They are the weakest witness: they can only take a verdict back, never give one. Two refusals say the same
// if their words are the same once all is cut out that differs from one recipient to the next: addresses,
// ids, dates, numbers. So it does not matter in which language a server speaks.
#pragma once

#include <string>
#include <vector>

#include "mail/address.h"
#include "mail/smtp_reply.h"

namespace postcensus::callout {

struct Refusal {
    std::string text;                // in lower case, without the recipient
    std::vector<std::string> words;  // of it, without names of hosts and web addresses
    std::vector<std::string> kept;   // to be compared: all words, what differs cut out
    std::vector<std::string>
        whole;  // the same, but for what may be the recipient's local part, or a word like it
    bool security_code = false;  // a 5.7.x anywhere in the text: "(#5.7.1)"

    // `recipient`: who was asked about. A server repeats the address, and its words are a stranger's.
    static Refusal of(const mail::SmtpReply& reply, const mail::Address& recipient);

    bool says_anything() const;  // beside codes, addresses and numbers
    // Whatever the recipient's local part is: "user" is a name and a word.
    bool says_the_same(const Refusal& other) const;
    // A server that does not relay refuses every recipient alike.
    bool speaks_of_relaying() const;
    // It may be about the sender, the client, a block list, a policy, or a mailbox that exists.
    bool doubtful() const;
    // It may be about a host or a domain that is not found.
    bool speaks_of_hosts() const;
    // The server cannot tell: it loops, finds no host, asks others in vain, or answers from a cache.
    bool speaks_of_trouble() const;
};

}  // namespace postcensus::callout
