// SPDX-License-Identifier: MIT
#include "callout/classify.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "callout/refusal.h"

namespace postcensus::callout {
namespace {

using mail::EnhancedCode;

// 5.7.x codes with which Exchange says that a recipient exists and is closed to this sender
// (docs/exchange.md).
constexpr std::array<int, 9> kClosedDetails = {12, 13, 124, 129, 133, 134, 135, 136, 193};

bool says_unknown(const mail::SmtpReply& reply, Refusal refusal) {
    // Without 5.1.1 these may mean anything.
    if (reply.code == 511 || reply.code == 554)
        return reply.enhanced == EnhancedCode{5, 1, 1} && !refusal.doubtful();
    if (reply.code != 550 && reply.code != 551 && reply.code != 553) return false;
    if (!reply.enhanced || *reply.enhanced == EnhancedCode{5, 1, 1} ||
        *reply.enhanced == EnhancedCode{5, 1, 10})
        return !refusal.doubtful();
    // That is a system that does not exist; some servers say it of a mailbox (Stalwart).
    if (*reply.enhanced == EnhancedCode{5, 1, 2}) return !refusal.doubtful() && !refusal.speaks_of_hosts();
    if (*reply.enhanced != EnhancedCode{5, 4, 1}) return false;
    // Exchange Online's edge blocking: "Recipient address rejected: Access denied". Only there is "denied" no
    // doubt.
    if (refusal.text.find("recipient address rejected: access denied") == std::string::npos) return false;
    std::erase(refusal.words, "denied");
    return !refusal.doubtful();
}

// 5.7.x is mostly about the sender, the client or the content. Only what names the recipient's own
// restriction counts.
bool says_closed(const EnhancedCode& code, const Refusal& refusal) {
    if (code.subject != 7) return false;
    if (std::find(kClosedDetails.begin(), kClosedDetails.end(), code.detail) != kClosedDetails.end())
        return true;
    return code.detail == 1 && refusal.text.find("resolver.rst.") != std::string::npos;
}

// The random control's refusal is the pattern of "unknown": any other words may mean anything. Where there
// are neither words nor an enhanced code, nothing is said that another refusal would not say as well.
bool is_refused_like(const mail::SmtpReply& reply, const mail::Address& recipient, const Controls& controls) {
    if (!same_codes(reply, controls.random)) return false;
    const Refusal refusal = Refusal::of(reply, recipient);
    if (!refusal.says_anything() && !reply.enhanced) return false;
    return refusal.says_the_same(Refusal::of(controls.random, controls.random_control));
}

}  // namespace

Judgement judge_before_rcpt(Stage stage, const mail::SmtpReply& reply) {
    const int wanted = stage == Stage::banner || stage == Stage::starttls ? 220 : 250;
    if (reply.code == wanted) return Judgement::accepted;
    return reply.permanent() ? Judgement::fault : Judgement::retry;
}

Judgement judge_rcpt(const mail::SmtpReply& reply, const mail::Address& recipient) {
    if (reply.code == 250 || reply.code == 251) return Judgement::accepted;
    if (!reply.permanent()) return Judgement::retry;
    if (reply.code == 530 || reply.code == 535 || reply.code == 538) return Judgement::fault;
    const Refusal refusal = Refusal::of(reply, recipient);
    if (refusal.speaks_of_relaying()) return Judgement::fault;
    if (reply.enhanced && says_closed(*reply.enhanced, refusal)) return Judgement::policy;
    if (refusal.speaks_of_trouble()) return Judgement::trouble;
    return says_unknown(reply, refusal) ? Judgement::unknown : Judgement::retry;
}

std::string Controls::text() const {
    return fmt::format("random refused {}; {}", codes_of(random),
                       known_good ? known_good->text() + " accepted" : "no known-good control");
}

census::CalloutClass classify_recipient(const mail::SmtpReply& reply, const mail::Address& recipient,
                                        const Controls& controls) {
    using census::CalloutClass;
    switch (judge_rcpt(reply, recipient)) {
        case Judgement::accepted:
            return CalloutClass::deliverable;
        case Judgement::unknown:
            return controls.known_good && is_refused_like(reply, recipient, controls) ? CalloutClass::unknown
                                                                                      : CalloutClass::retry;
        case Judgement::policy:
            return controls.known_good ? CalloutClass::policy : CalloutClass::retry;
        case Judgement::fault:
        case Judgement::trouble:
            return CalloutClass::fault;
        case Judgement::retry:
            break;
    }
    return CalloutClass::retry;
}

void take_back_refusals(std::vector<census::CalloutOutcome>& outcomes) {
    using census::CalloutClass;
    for (census::CalloutOutcome& outcome : outcomes)
        if (outcome.klass == CalloutClass::unknown || outcome.klass == CalloutClass::policy)
            outcome.klass = CalloutClass::retry;
}

bool failed_for_now(const mail::SmtpReply& reply) {
    if (!reply.transient()) return false;
    if (!reply.enhanced) return reply.code == 451;
    return reply.enhanced->subject == 3 || reply.enhanced->subject == 4;
}

bool same_codes(const mail::SmtpReply& one, const mail::SmtpReply& other) {
    return one.code == other.code && one.enhanced == other.enhanced;
}

std::string codes_of(const mail::SmtpReply& reply) {
    return reply.enhanced ? fmt::format("{} {}", reply.code, reply.enhanced->text())
                          : fmt::format("{}", reply.code);
}

}  // namespace postcensus::callout
