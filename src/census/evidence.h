// SPDX-License-Identifier: MIT
// What is known of one recipient, and the words for it: the values that directory, maillog, callout, store
// and decide() exchange. Nothing here does I/O or asks a clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "mail/address.h"

namespace postcensus::census {

// The number of a write transaction of the state. Order of evidence is order of Seq, never of clocks.
using Seq = std::int64_t;

enum class Answer { accept, closed, reject, unsure };
std::string_view name_of(Answer answer);
std::optional<Answer> parse_answer(std::string_view name);

// What one callout says of one recipient (docs/exchange.md has the replies behind each).
enum class CalloutClass {
    deliverable,  // accepted, and the random control was refused as unknown in the same session
    unknown,     // refused as unknown, the random control likewise, a known-good control accepted in the same
                 // session
    policy,      // exists and refuses outside senders; the controls passed
    accept_all,  // the random control was accepted: this server proves nothing for the domain
    fault,       // the server refuses us, or its controls failed: nothing is learned
    retry,       // no answer now
};
std::string_view name_of(CalloutClass klass);
std::optional<CalloutClass> parse_callout_class(std::string_view name);

// Only these count for or against a recipient.
constexpr bool conclusive(CalloutClass klass) {
    return klass == CalloutClass::deliverable || klass == CalloutClass::unknown ||
           klass == CalloutClass::policy;
}

// One callout's answer about one recipient, as it is kept and shown.
struct CalloutOutcome {
    mail::Address recipient;
    CalloutClass klass = CalloutClass::retry;
    std::string target;    // host:port that was asked
    std::string reply;     // the server's words, printable and bounded; empty if there was none
    std::string controls;  // "random refused 550 5.1.1; a@corp.example accepted": what stood beside it
    Moment heard = {};     // when the server said it
};

}  // namespace postcensus::census
