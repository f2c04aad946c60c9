// SPDX-License-Identifier: MIT
// What one SMTP reply means for a callout: by stage first, then code, then enhanced code, then text. Pure.
//
// The text of a refusal is the weakest witness (refusal.h): it can only take a verdict back, never make one.
// A reply that looks like "unknown" but speaks of relaying, blocking, policy or the sender is an answer about
// us, not about the recipient; and one that says it in other words than for the random control may mean
// anything.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "census/evidence.h"
#include "mail/address.h"
#include "mail/smtp_reply.h"

namespace postcensus::callout {

enum class Judgement {
    accepted,
    unknown,  // refused as a recipient that does not exist
    policy,   // refused as a recipient that exists and takes no mail from outside
    fault,    // the server refuses us, whoever the recipient is
    trouble,  // the server has trouble of its own, and knows nothing of the recipient
    retry,    // no answer now, or one that nothing here names
};

// The commands before RCPT, and the greeting.
enum class Stage { banner, hello, starttls, mail };

// accepted, fault (5yz) or retry (4yz and all else).
Judgement judge_before_rcpt(Stage stage, const mail::SmtpReply& reply);

// `recipient` is who was asked about: a server repeats the address, and its words are a stranger's, not the
// server's.
Judgement judge_rcpt(const mail::SmtpReply& reply, const mail::Address& recipient);

// What the session proved before it asked about recipients.
struct Controls {
    mail::Address random_control;
    mail::SmtpReply random;                   // its refusal, judged unknown
    std::optional<mail::Address> known_good;  // the known-good control that was accepted

    // "random refused 550 5.1.1; a@corp.example accepted", "random refused 550; no known-good control".
    std::string text() const;
};

// One recipient's reply beside the controls. Without a known-good control nothing that would refuse mail is
// concluded: unknown and policy become retry.
census::CalloutClass classify_recipient(const mail::SmtpReply& reply, const mail::Address& recipient,
                                        const Controls& controls);

// Nothing that would refuse mail stays concluded.
void take_back_refusals(std::vector<census::CalloutOutcome>& outcomes);

// Whether the server could not look anybody up: 4.3.x, 4.4.x, or 451 alone. Greylisting and a full mailbox
// are no such failure.
bool failed_for_now(const mail::SmtpReply& reply);

// Whether two refusals have the same code and the same enhanced code.
bool same_codes(const mail::SmtpReply& one, const mail::SmtpReply& other);

// "550 5.1.1", or "550" if there is no enhanced code.
std::string codes_of(const mail::SmtpReply& reply);

}  // namespace postcensus::callout
