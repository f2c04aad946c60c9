// SPDX-License-Identifier: MIT
// One callout session as a state machine without a socket: it is told what the server said or did, says what
// to do next, and ends with a SessionResult. session.cpp moves the bytes.
//
//     banner -> EHLO (HELO) -> [STARTTLS -> TLS -> EHLO] -> MAIL FROM -> random control -> known-good
//     controls -> recipients -> QUIT
//
// Whatever goes wrong on the way, what was answered by then counts, the rest is unanswered, and nothing is
// concluded before the controls have passed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "callout/classify.h"
#include "callout/session.h"
#include "mail/smtp_reply.h"

namespace postcensus::callout {

// What the caller does next.
struct Step {
    enum class Kind {
        read,       // feed the next line
        send,       // send `text`, then feed the next line
        handshake,  // discard what was read ahead, do the TLS handshake, then call tls_established() or
                    // tls_failed()
        finished,   // close, and take_result()
    };
    Kind kind = Kind::read;
    std::string text = {};  // with its line end
    std::optional<Milliseconds> deadline =
        {};  // for the whole step, up to the complete reply; none: the one before goes on
};

class Dialogue {
  public:
    explicit Dialogue(Questions questions);

    // Each returns the next step; after `finished` none may be called.
    Step connected();
    Step unreachable(const std::string& reason);
    Step line(std::string_view text);  // without its line end
    Step overlong_line();
    // The server has said more than it was asked for, before the next command went out.
    Step spoke_out_of_turn(std::string_view text);
    Step tls_established();
    Step tls_failed(const std::string& reason);
    Step timed_out();
    Step closed();

    SessionResult take_result();

  private:
    enum class State {
        banner,
        ehlo,
        helo,
        starttls,
        handshake,
        mail,
        random,
        known_good,
        recipient,
        quit,
        finished
    };

    Step answered(const mail::SmtpReply& reply);
    Step greeted(const mail::SmtpReply& reply);
    Step after_hello(const mail::SmtpReply& reply);
    Step starttls_answered(const mail::SmtpReply& reply);
    Step mail_answered(const mail::SmtpReply& reply);
    Step random_answered(const mail::SmtpReply& reply);
    Step known_good_answered(const mail::SmtpReply& reply);
    Step recipient_answered(const mail::SmtpReply& reply);
    Step quit_answered(const mail::SmtpReply& reply);

    Step say_hello();
    Step start_mail();
    Step ask_random();
    Step ask_known_good();
    Step ask_recipient();
    Step known_good_exhausted();

    Step send(State next, const std::string& command, Milliseconds deadline);
    Step ask(State next, const mail::Address& recipient);
    bool can_ask(const mail::Address& recipient) const { return smtputf8_ || recipient.is_ascii(); }
    void count(const mail::SmtpReply& reply);
    bool refusals_spent() const { return result_.refused >= questions_.most_refused; }
    void note(std::string_view who, std::string_view text);
    void record(census::CalloutClass klass, std::string reply);
    std::string asked() const;

    Step quit();
    Step quit(Health health, std::string reason);  // the session has its answer
    Step lost(const std::string& reason);          // there will be no more answers
    Step gone(const std::string& reason);          // lost, because the server went away
    Step nothing_counts(const std::string& reason);
    Step finish();

    Questions questions_;
    SessionResult result_;
    State state_ = State::banner;
    mail::ReplyReader reader_;
    std::size_t reply_bytes_ = 0;
    bool encrypted_ = false;
    bool starttls_ = false;
    bool smtputf8_ = false;
    Controls controls_;
    std::size_t next_control_ = 0;
    int controls_refused_ = 0;
    int controls_asked_ = 0;
    std::string control_replies_;
    std::size_t next_recipient_ = 0;
    int accepted_ = 0;
};

}  // namespace postcensus::callout
