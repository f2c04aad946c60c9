// SPDX-License-Identifier: MIT
// The sentences that tell the operator why a session proved nothing, and what to do about it. The server's
// words in them are printable and cut.
#pragma once

#include <string>

#include "callout/classify.h"
#include "callout/session.h"
#include "mail/address.h"
#include "mail/smtp_reply.h"

namespace postcensus::callout {

struct Reason {
    std::string text;
    Fault fault = Fault::other;
};

// The server's words, fit for a log and a terminal.
std::string shown(const mail::SmtpReply& reply);

Reason refused_greeting(const mail::SmtpReply& reply);
Reason refused_hello(const mail::SmtpReply& reply);
Reason refused_starttls(const mail::SmtpReply& reply);
Reason refused_sender(const std::string& mail_from, const mail::SmtpReply& reply);

// A control that was refused as nobody's recipient is refused: relaying, authentication, policy.
Reason refused_control(const mail::Address& control, const mail::SmtpReply& reply, Judgement judgement);

// `replies`: of the known-good controls that were refused.
Reason lost_directory(const std::string& replies);

Reason accepted_random(const mail::Address& control, const mail::SmtpReply& reply);
Reason no_starttls();

}  // namespace postcensus::callout
