// SPDX-License-Identifier: MIT
#include "callout/dialogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "base/printable.h"

namespace postcensus::callout {
namespace {

using census::CalloutClass;

// So many known-good controls refused in a row: the server has lost its directory.
constexpr int kLostDirectory = 3;
// RFC 5321, 4.5.3.1.8: every server takes a hundred recipients; Exchange's own limit is 200.
constexpr int kMostAccepted = 100;
// Exim drops a session with its eleventh command that is no part of a mail (smtp_accept_max_nonmail).
constexpr int kMostAgain = 8;
constexpr std::size_t kLongestReply = 8 * std::size_t{1024};
constexpr std::size_t kMostTranscript = 500;
// With fewer the random control alone would end each session.
constexpr int kFewestRefused = 2;

// Keywords are compared without case (RFC 5321, 2.4).
bool offers(const mail::SmtpReply& reply, std::string_view keyword) {
    // The first line is the greeting, where anything may stand.
    return std::any_of(reply.lines.begin() + 1, reply.lines.end(), [&](const std::string& line) {
        return mail::fold(line.substr(0, line.find_first_of(" \t"))) == keyword;
    });
}

}  // namespace

Dialogue::Dialogue(Questions questions)
    : questions_(std::move(questions)), controls_{.random_control = questions_.random_control} {
    questions_.most_refused = std::max(questions_.most_refused, kFewestRefused);
}

// Events

Step Dialogue::connected() {
    return {Step::Kind::read, {}, questions_.deadlines.greeting};
}

Step Dialogue::ask(std::vector<mail::Address> recipients, std::optional<mail::Address> random) {
    if (state_ != State::waiting) throw std::logic_error("callout: asked while the session is busy");
    questions_.recipients = std::move(recipients);
    next_recipient_ = 0;
    rested_ = true;
    random_again_ = std::move(random);
    // A transaction that was begun without SMTPUTF8 takes no such recipient.
    if (needs_smtputf8() && smtputf8_ && !mail_smtputf8_)
        return send(State::again, "EHLO " + questions_.helo, questions_.deadlines.greeting);
    return ask_recipient();
}

void Dialogue::ask_no_more() {
    questions_.most_refused = std::min(questions_.most_refused, result_.refused);
}

Step Dialogue::end() {
    if (state_ != State::waiting) throw std::logic_error("callout: ended while the session is busy");
    return quit();
}

Step Dialogue::unreachable(const std::string& reason) {
    return lost(reason);
}

Step Dialogue::line(std::string_view text) {
    note("S: ", text);
    reply_bytes_ += text.size();
    const auto read = reply_bytes_ > kLongestReply ? mail::ReplyReader::State::malformed : reader_.feed(text);
    if (read == mail::ReplyReader::State::more) return {};
    if (read == mail::ReplyReader::State::malformed)
        return lost(fmt::format("the server answered {} with something that is no SMTP: {}", asked(),
                                printable(text, 80)));
    reply_bytes_ = 0;
    return answered(reader_.take());
}

Step Dialogue::overlong_line() {
    return lost(fmt::format("the server answered {} with an endless line", asked()));
}

Step Dialogue::spoke_out_of_turn(std::string_view text) {
    note("S: ", text);
    // Exchange says good-bye behind the refusal that was one too many.
    if (text.starts_with("421"))
        return gone("the server ended the session: " + printable(text), Gone::said_before);
    return nothing_counts("the server said more than it was asked for: " + printable(text));
}

Step Dialogue::tls_established() {
    encrypted_ = true;
    note("", "(TLS)");
    return say_hello();
}

Step Dialogue::tls_failed(const std::string& reason) {
    note("", "(TLS failed)");
    if (questions_.tls != Tls::required) return lost("TLS failed: " + printable(reason));
    result_.health = Health::fault;
    result_.reason = fmt::format(
        "TLS failed: {}. Give the server a certificate for {} that this machine trusts, or set tls = "
        "opportunistic",
        printable(reason), printable(questions_.target.host));
    return finish();
}

Step Dialogue::timed_out() {
    note("", "(timed out)");
    return lost(fmt::format("no answer to {} in time", asked()));
}

Step Dialogue::closed() {
    note("", "(closed)");
    if (state_ == State::waiting) return lost("the server ended the session while nothing was asked");
    // Many servers close behind QUIT without another word.
    if (state_ == State::quit) return finish();
    return gone(fmt::format("the server closed the connection instead of answering {}", asked()),
                Gone::closed);
}

// Replies, in the order of a session

Step Dialogue::answered(const mail::SmtpReply& reply) {
    if (state_ == State::quit) return quit_answered(reply);
    if (reply.code == 421) return gone("the server ended the session: " + shown(reply), Gone::said);
    switch (state_) {
        case State::banner:
            return greeted(reply);
        case State::ehlo:
        case State::helo:
            return after_hello(reply);
        case State::starttls:
            return starttls_answered(reply);
        case State::mail:
            return mail_answered(reply);
        case State::random:
            return random_answered(reply);
        case State::known_good:
            return known_good_answered(reply);
        case State::recipient:
            return recipient_answered(reply);
        case State::random_again:
            return random_again_answered(reply);
        case State::confirm:
            return confirm_answered(reply);
        case State::again:
            return again_answered(reply);
        case State::handshake:
        case State::waiting:
        case State::quit:
        case State::finished:
            break;
    }
    throw std::logic_error("callout: a reply where none is read");
}

Step Dialogue::greeted(const mail::SmtpReply& reply) {
    switch (judge_before_rcpt(Stage::banner, reply)) {
        case Judgement::accepted:
            return say_hello();
        case Judgement::fault:
            return quit(Health::fault, refused_greeting(reply));
        default:
            result_.turned_away = true;
            return quit(Health::retry, {"the server is not ready: " + shown(reply)});
    }
}

Step Dialogue::say_hello() {
    starttls_ = smtputf8_ = false;  // what was said in clear does not count inside TLS
    return send(State::ehlo, "EHLO " + questions_.helo, questions_.deadlines.greeting);
}

Step Dialogue::after_hello(const mail::SmtpReply& reply) {
    const Judgement judgement = judge_before_rcpt(Stage::hello, reply);
    if (judgement == Judgement::retry) {
        result_.turned_away = true;
        return quit(Health::retry, {"the server is not ready: " + shown(reply)});
    }
    if (judgement == Judgement::fault) {
        if (state_ == State::helo) return quit(Health::fault, refused_hello(reply));
        return send(State::helo, "HELO " + questions_.helo, questions_.deadlines.greeting);
    }
    if (state_ == State::ehlo) {
        starttls_ = offers(reply, "starttls");
        smtputf8_ = offers(reply, "smtputf8");
        hello_ = reply.lines;
    }
    if (encrypted_ || questions_.tls == Tls::off) return start_mail();
    if (starttls_) return send(State::starttls, "STARTTLS", questions_.deadlines.greeting);
    return questions_.tls == Tls::required ? quit(Health::fault, no_starttls()) : start_mail();
}

Step Dialogue::starttls_answered(const mail::SmtpReply& reply) {
    const Judgement judgement = judge_before_rcpt(Stage::starttls, reply);
    if (judgement == Judgement::accepted) {
        state_ = State::handshake;
        return {Step::Kind::handshake, {}, questions_.deadlines.greeting};
    }
    if (questions_.tls == Tls::opportunistic) return start_mail();
    return quit(judgement == Judgement::fault ? Health::fault : Health::retry, refused_starttls(reply));
}

bool Dialogue::needs_smtputf8() const {
    const auto foreign = [](const mail::Address& address) { return !address.is_ascii(); };
    return foreign(questions_.random_control) ||
           std::any_of(questions_.known_good.begin(), questions_.known_good.end(), foreign) ||
           std::any_of(questions_.recipients.begin(), questions_.recipients.end(), foreign);
}

Step Dialogue::start_mail() {
    mail_smtputf8_ = smtputf8_ && needs_smtputf8();
    return send(State::mail,
                fmt::format("MAIL FROM:<{}>{}", questions_.mail_from, mail_smtputf8_ ? " SMTPUTF8" : ""),
                questions_.deadlines.mail);
}

Step Dialogue::mail_answered(const mail::SmtpReply& reply) {
    switch (judge_before_rcpt(Stage::mail, reply)) {
        case Judgement::accepted:
            result_.sender_accepted = true;
            return controls_passed_ ? ask_recipient() : ask_random();
        case Judgement::fault:
            // Behind recipients: what they were answered stands, the next session will see.
            return quit(controls_passed_ ? Health::passed : Health::fault,
                        refused_sender(printable(questions_.mail_from), reply));
        default:
            return quit(controls_passed_ ? Health::passed : Health::retry,
                        {"the server takes no mail now: " + shown(reply)});
    }
}

Step Dialogue::ask_random() {
    if (!can_ask(questions_.random_control))
        return quit(Health::retry,
                    {"unverifiable: the server does not offer SMTPUTF8, and the domain needs it"});
    return ask(State::random, questions_.random_control);
}

Step Dialogue::random_answered(const mail::SmtpReply& reply) {
    count(reply);
    const mail::Address& control = questions_.random_control;
    // 252 too: what a server passes on unseen, it has accepted.
    if (reply.positive()) return random_accepted(control, reply);
    if (judge_rcpt(reply, control) != Judgement::unknown) return random_refused_otherwise(control, reply);
    ++unknown_;
    controls_.random = reply;
    std::erase_if(questions_.known_good, [this](const mail::Address& one) { return !can_ask(one); });
    drawn_ = questions_.known_good.size();
    return ask_known_good();
}

Step Dialogue::random_accepted(const mail::Address& control, const mail::SmtpReply& reply) {
    return quit(Health::accept_all, accepted_random(control, reply));
}

Step Dialogue::random_refused_otherwise(const mail::Address& control, const mail::SmtpReply& reply) {
    if (!reply.permanent()) return quit(Health::retry, {"the random control was put off: " + shown(reply)});
    return quit(Health::fault, refused_control(control, reply, judge_rcpt(reply, control)));
}

// Of those that were drawn: behind next_control_ stands who was not asked yet; who is no control has left.
Step Dialogue::ask_known_good() {
    if (next_control_ < questions_.known_good.size() && !refusals_spent())
        return ask(State::known_good, questions_.known_good[next_control_]);
    return known_good_exhausted();
}

Step Dialogue::known_good_answered(const mail::SmtpReply& reply) {
    count(reply);
    const mail::Address control = questions_.known_good[next_control_];
    const Judgement judgement = judge_rcpt(reply, control);
    if (judgement == Judgement::fault || judgement == Judgement::trouble)
        return quit(Health::fault, refused_control(control, reply, judgement));
    jury_.heard(reply, judgement);
    if (judgement == Judgement::accepted) {
        ++next_control_;
        if (!jury_.agrees()) return ask_known_good();
        result_.control_accepted = control;
        if (!no_refusal_counts()) controls_.known_good = control;
        return ask_recipient();
    }
    drop_control(reply, judgement);
    if (jury_.in_a_row_unknown == kLostDirectory)
        return quit(Health::fault, lost_directory(control_replies_));
    return ask_known_good();
}

// Closed to strangers and put off say nothing: another is asked.
void Dialogue::Jury::heard(const mail::SmtpReply& reply, Judgement judgement) {
    ++asked;
    doubted = doubted || judgement == Judgement::unknown || failed_for_now(reply);
    if (judgement == Judgement::accepted) {
        ++good;
        ++in_a_row_good;
        in_a_row_unknown = 0;
    } else if (judgement == Judgement::unknown) {
        ++unknown;
        ++in_a_row_unknown;
        in_a_row_good = 0;
    } else if (failed_for_now(reply)) {
        in_a_row_good = 0;
    }
}

void Dialogue::drop_control(const mail::SmtpReply& reply, Judgement judgement) {
    if (judgement == Judgement::policy)
        --drawn_;
    else
        known_good_missing_ = true;
    const auto control = questions_.known_good.begin() + static_cast<std::ptrdiff_t>(next_control_);
    control_replies_ +=
        fmt::format("{}{}: {}", control_replies_.empty() ? "" : "; ", control->text(), shown(reply));
    if (judgement == Judgement::unknown) {
        known_good_refused_ = true;
        result_.controls_refused.push_back(*control);
    }
    questions_.known_good.erase(control);
}

// A server that refuses one who exists may have lost the next one as well.
bool Dialogue::no_refusal_counts() const {
    return known_good_refused_ || (questions_.wary && known_good_missing_);
}

bool Dialogue::controls_agree() const {
    if (no_refusal_counts()) return false;
    return questions_.wary ? next_control_ >= questions_.known_good.size() : jury_.agrees();
}

// One known-good address may have been deleted since; all of them at once means that the server has lost its
// directory. Where too few agree, no refusal counts: what is accepted does.
Step Dialogue::known_good_exhausted() {
    if (jury_.unknown == 0 || next_control_ > 0) return ask_recipient();
    if (jury_.unknown == jury_.asked && questions_.known_good.empty())
        return quit(Health::fault, lost_directory(control_replies_));
    return quit(Health::retry, {fmt::format("no known-good control was accepted ({})", control_replies_)});
}

Step Dialogue::ask_recipient() {
    result_.health = Health::passed;
    controls_passed_ = true;
    while (next_recipient_ < questions_.recipients.size() && !refusals_spent() && accepted_ < kMostAccepted) {
        const mail::Address& recipient = questions_.recipients[next_recipient_];
        if (can_ask(recipient)) return ask(State::recipient, recipient);
        record(CalloutClass::retry, "unverifiable: the server does not offer SMTPUTF8");
    }
    return recipients_done();
}

Step Dialogue::recipients_done() {
    if (unproven_ && random_again_) return ask(State::random_again, *random_again_);
    if (controls_.known_good && std::exchange(unconfirmed_, false)) {
        jury_ = {.doubted = jury_.doubted};
        control_replies_.clear();
        return ask_to_confirm();
    }
    // Whose refusals do not count: the next session draws anew.
    const bool of_no_use = no_refusal_counts() && !result_.outcomes.empty();
    if (!questions_.stay || refusals_spent() || controls_spent_ || of_no_use || accepted_ >= kMostAccepted)
        return quit();
    if (!in_step_) {
        // A server whose EHLO has one line of reply, or none, can show only with QUIT that it is in step.
        if (hello_.size() < 2 || ++said_again_ > kMostAgain) return quit();
        return send(State::again, "EHLO " + questions_.helo, questions_.deadlines.greeting);
    }
    state_ = State::waiting;
    result_.stays_open = true;
    return {Step::Kind::waiting};
}

Step Dialogue::random_again_answered(const mail::SmtpReply& reply) {
    count(reply);
    const mail::Address control = *std::exchange(random_again_, std::nullopt);
    if (judge_rcpt(reply, control) == Judgement::unknown && same_codes(reply, controls_.random)) {
        ++unknown_;
        unproven_ = false;
        return recipients_done();
    }
    drop_outcomes();
    return reply.positive() ? random_accepted(control, reply) : random_refused_otherwise(control, reply);
}

// A server that has lost its directory since the controls passed would call everybody unknown, but for whom
// it was asked about already: its cache may know him. So others are asked.
Step Dialogue::ask_to_confirm() {
    const std::vector<mail::Address>& controls = questions_.known_good;
    if (no_refusal_counts() && (jury_.good > 0 || refusals_spent())) return not_confirmed();
    if (next_control_ >= controls.size()) {
        // Who opened the session is no second witness, unless nobody else was drawn; but where all others are
        // refused he shows whether anybody is known still.
        if (controls.empty() || jury_.good > 0 || (drawn_ > 1 && jury_.unknown == 0)) return not_confirmed();
        next_control_ = 0;
    }
    return ask(State::confirm, controls[next_control_]);
}

Step Dialogue::confirm_answered(const mail::SmtpReply& reply) {
    count(reply);
    const Judgement judgement = judge_rcpt(reply, questions_.known_good[next_control_]);
    jury_.heard(reply, judgement);
    if (judgement == Judgement::accepted) {
        // Once all have been asked, a new session draws anew.
        controls_spent_ = ++next_control_ >= questions_.known_good.size() && drawn_ > 1;
        return controls_agree() ? recipients_done() : ask_to_confirm();
    }
    drop_control(reply, judgement);
    const bool broken = judgement == Judgement::fault || judgement == Judgement::trouble;
    if (!broken && jury_.in_a_row_unknown < kLostDirectory) return ask_to_confirm();
    return lost_since();
}

// They do not agree: no refusal counts, what was accepted does. A new session draws anew.
Step Dialogue::not_confirmed() {
    if (jury_.good == 0 && jury_.unknown > 0 && questions_.known_good.empty()) return lost_since();
    take_back_refusals(result_.outcomes);
    controls_.known_good.reset();
    controls_spent_ = true;
    return recipients_done();
}

Step Dialogue::lost_since() {
    drop_outcomes();
    return quit(Health::retry,
                {fmt::format("the known-good controls are not accepted any more ({})", control_replies_)});
}

// Some servers put the time or a number into the greeting: its first line is not compared.
Step Dialogue::again_answered(const mail::SmtpReply& reply) {
    if (!reply.positive() || reply.lines.size() != hello_.size() ||
        !std::equal(reply.lines.begin() + 1, reply.lines.end(), hello_.begin() + 1))
        return quit();  // which proves it, or not
    in_step_ = true;
    return start_mail();
}

Step Dialogue::recipient_answered(const mail::SmtpReply& reply) {
    in_step_ = false;
    count(reply);
    record(classify_recipient(reply, questions_.recipients[next_recipient_], controls_), shown(reply));
    return ask_recipient();
}

// A reply that belongs to an earlier command shows here at the latest: then each recipient may have got its
// neighbour's.
Step Dialogue::quit_answered(const mail::SmtpReply& reply) {
    if (reply.code == 421) return gone({}, Gone::said_before);
    if (reply.code == 221) return finish();
    return nothing_counts("the server's replies are out of step: it answered QUIT with " + shown(reply));
}

// Sending

Step Dialogue::send(State next, const std::string& command, Milliseconds deadline) {
    // Configuration and addresses hold no line ends; one that slipped through would be a command of its own.
    if (command.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
        throw std::logic_error("callout: a line end inside a command");
    note("C: ", command);
    state_ = next;
    return {Step::Kind::send, command + "\r\n", deadline};
}

Step Dialogue::ask(State next, const mail::Address& recipient) {
    return send(next, "RCPT TO:<" + recipient.external() + ">", questions_.deadlines.rcpt);
}

void Dialogue::count(const mail::SmtpReply& reply) {
    if (reply.positive())
        ++accepted_;
    else
        ++result_.refused;
}

void Dialogue::note(std::string_view who, std::string_view text) {
    if (result_.transcript.size() > kMostTranscript) return;
    const bool full = result_.transcript.size() == kMostTranscript;
    result_.transcript.push_back(full ? "..." : std::string(who) + printable(text));
}

void Dialogue::record(CalloutClass klass, std::string reply) {
    if (klass == CalloutClass::unknown || klass == CalloutClass::policy) unconfirmed_ = true;
    if (klass == CalloutClass::deliverable) unproven_ = true;
    if (klass == CalloutClass::unknown) {
        ++unknown_;
        unproven_ = false;
    }
    result_.outcomes.push_back({questions_.recipients[next_recipient_], klass, questions_.target.text(),
                                std::move(reply), controls_.text()});
    ++next_recipient_;
}

std::string Dialogue::asked() const {
    switch (state_) {
        case State::banner:
            return "the connection";
        case State::ehlo:
            return "EHLO";
        case State::helo:
            return "HELO";
        case State::starttls:
            return "STARTTLS";
        case State::handshake:
            return "the TLS handshake";
        case State::mail:
            return "MAIL FROM";
        case State::random:
            return "RCPT TO for the random control";
        case State::known_good:
            return "RCPT TO for a known-good control";
        case State::random_again:
            return "RCPT TO for another random control";
        case State::confirm:
            return "RCPT TO for the known-good control";
        case State::recipient:
            return "RCPT TO";
        case State::again:
            return "EHLO behind recipients";
        case State::waiting:
            return "nothing";
        case State::quit:
        case State::finished:
            break;
    }
    return "QUIT";
}

// Ending

Step Dialogue::quit() {
    return send(State::quit, "QUIT", questions_.deadlines.quit);
}

Step Dialogue::quit(Health health, Reason reason) {
    result_.health = health;
    result_.fault = reason.fault;
    result_.reason = std::move(reason.text);
    return quit();
}

Step Dialogue::lost(const std::string& reason) {
    if (state_ == State::recipient) result_.broke_at = questions_.recipients[next_recipient_];
    if (state_ == State::random_again || state_ == State::confirm) drop_outcomes();
    // The controls of a session that was open for a while say nothing of what it was refused now; of a wary
    // one not all were asked.
    if ((rested_ || questions_.wary) && unconfirmed_) take_back_refusals(result_.outcomes);
    if (state_ != State::quit)
        result_.reason = reason;  // health stays: retry before the controls passed, else passed
    return finish();
}

// A refusal in place of which the server went away was one too many; else it was the one before.
Step Dialogue::gone(const std::string& reason, Gone how) {
    const bool asking = state_ == State::random || state_ == State::known_good ||
                        state_ == State::recipient || state_ == State::random_again ||
                        state_ == State::confirm;
    if (state_ == State::banner || state_ == State::ehlo || state_ == State::helo) result_.turned_away = true;
    const bool behind =
        how != Gone::closed && (state_ == State::again || (state_ == State::quit && refusals_spent()));
    if ((asking || behind) && result_.refused > 0) {
        result_.limit = result_.refused + (asking && how != Gone::said_before ? 1 : 0);
        result_.limit_said = how != Gone::closed;
    }
    lost(reason);
    // That one had not been asked yet.
    if (how == Gone::said_before) result_.broke_at.reset();
    return {Step::Kind::finished};
}

Step Dialogue::nothing_counts(const std::string& reason) {
    // A server that refuses us may answer what it likes.
    if (result_.health == Health::fault) return finish();
    result_.health = Health::retry;
    result_.reason = reason;
    drop_outcomes();
    return finish();
}

void Dialogue::drop_outcomes() {
    result_.control_accepted.reset();
    result_.outcomes.clear();
    next_recipient_ = 0;
}

Step Dialogue::finish() {
    state_ = State::finished;
    result_.stays_open = false;
    const auto first = questions_.recipients.begin() + static_cast<std::ptrdiff_t>(next_recipient_);
    result_.unanswered.assign(first, questions_.recipients.end());
    return {Step::Kind::finished};
}

void Dialogue::heard_at(const Moment& moment) {
    // They may have been dropped since.
    for (dated_ = std::min(dated_, result_.outcomes.size()); dated_ < result_.outcomes.size(); ++dated_)
        result_.outcomes[dated_].heard = moment;
}

SessionResult Dialogue::take_result() {
    result_.all_accepted =
        !known_good_missing_ && drawn_ > 0 && next_control_ >= questions_.known_good.size();
    SessionResult taken = result_;
    dated_ = 0;
    result_.controls_refused.clear();
    result_.outcomes.clear();
    result_.unanswered.clear();
    result_.transcript.clear();
    result_.reason.clear();
    if (state_ == State::waiting) {
        questions_.recipients.clear();
        next_recipient_ = 0;
        unproven_ = unconfirmed_ = false;  // of those that are taken
    }
    return taken;
}

}  // namespace postcensus::callout
