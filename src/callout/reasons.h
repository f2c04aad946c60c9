// SPDX-License-Identifier: MIT
// The sentences that tell the operator why a session proved nothing, and what to do about it. The server's
// words in them are printable and cut.
#pragma once

#include <string>

#include "callout/classify.h"
#include "mail/address.h"
#include "mail/smtp_reply.h"

namespace postcensus::callout {

// The server's words, fit for a log and a terminal.
std::string shown(const mail::SmtpReply& reply);

std::string refused_greeting(const mail::SmtpReply& reply);
std::string refused_hello(const mail::SmtpReply& reply);
std::string refused_starttls(const mail::SmtpReply& reply);
std::string refused_sender(const std::string& mail_from, const mail::SmtpReply& reply);

// A control that was refused as nobody's recipient is refused: relaying, authentication, policy.
std::string refused_control(const mail::Address& control, const mail::SmtpReply& reply, Judgement judgement);

// `replies`: of the known-good controls that were refused.
std::string lost_directory(const std::string& replies);

std::string accepted_random(const mail::Address& control, const mail::SmtpReply& reply);
std::string no_starttls();

}  // namespace postcensus::callout
