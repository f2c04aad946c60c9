// SPDX-License-Identifier: MIT
#include "callout/reasons.h"

#include <fmt/format.h>

#include "base/printable.h"

namespace postcensus::callout {
namespace {

constexpr std::string_view kConnectorRemedy =
    "Give Exchange a receive connector of its own for callouts, restricted to this gateway's addresses, that "
    "permits "
    "anonymous users";

bool wants_authentication(const mail::SmtpReply& reply) {
    if (reply.code == 530 || reply.code == 535 || reply.code == 538) return true;
    return reply.enhanced && reply.enhanced->subject == 7;
}

}  // namespace

std::string shown(const mail::SmtpReply& reply) {
    return printable(reply.text());
}

Reason refused_greeting(const mail::SmtpReply& reply) {
    return {fmt::format("the server refuses our connection: {}. Allow this gateway's address there",
                        shown(reply)),
            Fault::connection};
}

Reason refused_hello(const mail::SmtpReply& reply) {
    return {
        fmt::format("the server refuses EHLO and HELO: {}. Set helo to a name that it takes", shown(reply))};
}

Reason refused_starttls(const mail::SmtpReply& reply) {
    return {fmt::format("the server refuses STARTTLS: {}. Give it a certificate, or set tls = opportunistic",
                        shown(reply))};
}

Reason refused_sender(const std::string& mail_from, const mail::SmtpReply& reply) {
    if (wants_authentication(reply))
        return {fmt::format("the server refuses MAIL FROM without authentication: {}. {}", shown(reply),
                            kConnectorRemedy),
                Fault::connector};
    return {fmt::format("the server refuses MAIL FROM:<{}>: {}. Set mail-from to a sender that it takes",
                        mail_from, shown(reply))};
}

Reason refused_control(const mail::Address& control, const mail::SmtpReply& reply, Judgement judgement) {
    const std::string what = fmt::format("the server refuses the control {} otherwise than as unknown: {}",
                                         control.text(), shown(reply));
    if (judgement == Judgement::trouble)
        return {what +
                ". That is trouble of its own, and while it has it its refusals prove nothing. Look at its "
                "routing and its name service; of a Postfix that verifies recipients itself "
                "(reject_unverified_recipient) ask the server behind it"};
    if (judgement != Judgement::fault) return {what + ". Until that changes its refusals prove nothing"};
    if (reply.code == 530 || reply.code == 535 || reply.code == 538)
        return {fmt::format("{}. {}", what, kConnectorRemedy), Fault::connector};
    return {fmt::format("{}. Make {} an accepted domain there, or correct the route", what, control.domain()),
            Fault::domain};
}

Reason lost_directory(const std::string& replies) {
    return {
        fmt::format("the server refuses recipients that are known to exist ({}). Look at its directory and "
                    "its recipient filter, or name another control",
                    replies),
        Fault::directory};
}

Reason accepted_random(const mail::Address& control, const mail::SmtpReply& reply) {
    return {fmt::format(
        "the server accepts any recipient of {}: {} for a made-up one. Turn on recipient validation "
        "(Recipient Filter agent, AddressBookEnabled) and ask the hub transport's port 2525, not 25",
        control.domain(), shown(reply))};
}

Reason no_starttls() {
    return {
        "tls = required, but the server does not offer STARTTLS. Give it a certificate, or set tls = "
        "opportunistic"};
}

}  // namespace postcensus::callout
