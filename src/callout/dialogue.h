// SPDX-License-Identifier: MIT
// One callout session as a state machine without a socket: it is told what the server said or did, says what
// to do next, and ends with a SessionResult. session.cpp moves the bytes.
//
//     banner -> EHLO (HELO) -> [STARTTLS -> TLS -> EHLO] -> MAIL FROM -> random control -> known-good
//     controls -> recipients -> QUIT
//
// Behind refusals another known-good control is asked, and behind acceptances a random one (if it is told
// to): a server may lose its directory, or begin to accept all, in the middle of a session. One that stays
// open then says EHLO and MAIL FROM again instead of QUIT, and waits for more recipients. The reply to EHLO
// is like no other: it proves that each reply before it belonged to the command it was taken for, as the
// reply to QUIT does at the end.
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
#include "callout/reasons.h"
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
        waiting,    // take_result(), then ask() or end(); or closed(), spoke_out_of_turn()
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
    // `random`: a fresh control, asked behind them if one was accepted and none refused as unknown since.
    Step ask(std::vector<mail::Address> recipients, std::optional<mail::Address> random);
    Step end();
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

    // When what was answered since the last call was said: the dialogue has no clock.
    void heard_at(const Moment& moment);
    // What was answered since the last call.
    SessionResult take_result();
    // The session ends behind the reply that it waits for.
    void ask_no_more();
    // RCPTs that were refused so far.
    int refused() const { return result_.refused; }
    // Those of them that were refused as recipients that do not exist.
    int unknown() const { return unknown_; }

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
        random_again,  // behind acceptances
        confirm,       // the known-good control, behind refusals
        again,         // EHLO, behind recipients
        waiting,
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
    Step random_again_answered(const mail::SmtpReply& reply);
    Step confirm_answered(const mail::SmtpReply& reply);
    Step again_answered(const mail::SmtpReply& reply);
    Step quit_answered(const mail::SmtpReply& reply);

    Step say_hello();
    Step start_mail();
    Step ask_random();
    Step ask_known_good();
    Step ask_to_confirm();
    void drop_control(const mail::SmtpReply& reply, Judgement judgement);
    bool no_refusal_counts() const;
    bool controls_agree() const;
    Step not_confirmed();
    Step lost_since();
    Step ask_recipient();
    Step recipients_done();
    Step known_good_exhausted();
    Step random_accepted(const mail::Address& control, const mail::SmtpReply& reply);
    Step random_refused_otherwise(const mail::Address& control, const mail::SmtpReply& reply);

    Step send(State next, const std::string& command, Milliseconds deadline);
    Step ask(State next, const mail::Address& recipient);
    bool can_ask(const mail::Address& recipient) const { return smtputf8_ || recipient.is_ascii(); }
    bool needs_smtputf8() const;
    void count(const mail::SmtpReply& reply);
    bool refusals_spent() const { return result_.refused >= questions_.most_refused; }
    void note(std::string_view who, std::string_view text);
    void record(census::CalloutClass klass, std::string reply);
    std::string asked() const;

    Step quit();
    Step quit(Health health, Reason reason);  // the session has its answer
    Step lost(const std::string& reason);     // there will be no more answers
    enum class Gone {
        said,
        said_before,
        closed
    };  // 421 in place of a reply, behind the one before; without a word
    Step gone(const std::string& reason, Gone how);  // lost, because the server went away
    Step nothing_counts(const std::string& reason);
    void drop_outcomes();  // all are unanswered again
    Step finish();

    Questions questions_;
    SessionResult result_;
    std::size_t dated_ = 0;  // of its outcomes
    State state_ = State::banner;
    mail::ReplyReader reader_;
    std::size_t reply_bytes_ = 0;
    bool encrypted_ = false;
    bool starttls_ = false;
    bool smtputf8_ = false;
    bool mail_smtputf8_ = false;           // said with MAIL FROM
    std::vector<std::string> hello_ = {};  // the server's reply to EHLO; empty: it knows only HELO
    bool controls_passed_ = false;
    bool unconfirmed_ = false;                   // one was refused since a known-good control was accepted
    bool unproven_ = false;                      // one was accepted since anybody was refused as unknown
    std::optional<mail::Address> random_again_;  // to prove it by
    int unknown_ = 0;
    bool in_step_ = true;  // nothing was answered since the last proof of it
    Controls controls_;
    // What the known-good controls said. A favourite may be all that a broken server still knows: where one
    // could not be looked up, two others have to agree. Where one was refused as unknown, none does.
    struct Jury {
        int asked = 0;
        std::size_t good = 0;
        int unknown = 0;
        int in_a_row_unknown = 0;
        int in_a_row_good = 0;
        bool doubted = false;  // also for what was heard earlier in this session
        void heard(const mail::SmtpReply& reply, Judgement judgement);
        bool agrees() const { return in_a_row_good >= (doubted ? 2 : 1); }
    };
    Jury jury_;
    std::size_t drawn_ = 0;  // known-good controls that can be asked, and are not closed to strangers
    bool known_good_refused_ = false;  // one of them, as unknown
    bool known_good_missing_ = false;  // one of them was not accepted
    std::size_t next_control_ = 0;     // of questions_.known_good
    bool controls_spent_ = false;      // all of them were asked
    bool rested_ = false;              // asked again, behind its first recipients
    std::string control_replies_;
    std::size_t next_recipient_ = 0;
    int accepted_ = 0;
    int said_again_ = 0;
};

}  // namespace postcensus::callout
