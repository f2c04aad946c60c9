// SPDX-License-Identifier: MIT
// One callout session with one server, about recipients of one domain: connect, banner, EHLO, STARTTLS, MAIL
// FROM, the random control, a known-good control, the recipients, QUIT. Never DATA, BDAT or AUTH; one RCPT
// per round trip (Exchange 2010 answers pipelined RCPTs wrongly). It may stay open for more recipients, its
// controls valid for its life.
//
// Runs as a coroutine on the caller's executor and never blocks it, name resolution included. Every step has
// a deadline; a cancelled coroutine closes its socket. Server text is bounded when read and printable in what
// is returned.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "census/evidence.h"

namespace postcensus::callout {

struct Target {
    std::string host;
    std::uint16_t port = 2525;
    std::string text() const;  // "ex1.corp.example:2525"
    bool operator==(const Target&) const = default;
};

enum class Tls {
    off,
    opportunistic,  // used where offered, without verification (RFC 7435)
    required,       // verified against the system's trust store and the host's name
};

// How a route's servers are asked: from the configuration's [route.*].
struct Settings {
    std::vector<Target> targets;  // empty: directory only, or
    bool ask_postfix = false;     // those that Postfix's transport tables name, for each address
    std::string mail_from;        // empty: <>
    std::string helo;
    Tls tls = Tls::opportunistic;
    int sessions = 4;
    std::optional<mail::Address> control;  // a known-good address; empty: one is picked
};

// Deadlines per step. Exchange tarpits a refused RCPT for 5 s and may delay MAIL FROM by 55 s under back
// pressure.
struct Deadlines {
    Milliseconds connect{10'000};   // name resolution, and each of the addresses it found
    Milliseconds greeting{60'000};  // banner, EHLO, STARTTLS and TLS, each
    Milliseconds mail{90'000};
    Milliseconds rcpt{60'000};
    Milliseconds quit{2'000};
};

struct Questions {
    Target target;
    std::string helo;
    std::string mail_from;
    Tls tls = Tls::opportunistic;
    mail::Address random_control;  // made by make_random_control(), of the domain that is asked about
    std::vector<mail::Address> known_good;  // drawn afresh; asked in order until they agree; may be empty
    std::vector<mail::Address> recipients;  // may be empty: the controls alone
    // RCPTs that may be refused (4yz counts), controls included, before the session ends; at least 2.
    int most_refused = 4;
    // A known-good control was refused lately: refusals count only if all of them are accepted.
    bool wary = false;
    bool stay = false;  // open for more recipients, once these are answered
    Deadlines deadlines = {};
};

// What the session says of the server itself, for this domain.
enum class Health {
    passed,  // the random control was refused as unknown; a known-good one accepted, or none was to be had
    accept_all,  // the random control was accepted
    fault,       // it refuses us, or its controls failed
    retry,       // no answer: connection refused, closed, timed out, 4yz
};

// Whose setting ends a fault.
enum class Fault {
    other,
    connection,  // the server refuses this gateway's address
    connector,   // no receive connector takes mail from here without a login
    domain,      // none of its accepted domains
    directory,   // it refuses recipients that are known to exist
};

struct SessionResult {
    Health health = Health::retry;
    Fault fault = Fault::other;  // of Health::fault
    std::string reason;          // for the operator: why health is not passed, or why it ended early
    std::optional<mail::Address> control_accepted;  // the known-good control that was
    // Known-good controls that were refused as unknown. No refusal of such a session counts.
    std::vector<mail::Address> controls_refused;
    bool all_accepted = false;  // all that were drawn; who is closed to strangers is left out
    // Of the recipients that were answered. A fault beside health passed is about this recipient alone (a
    // server refuses to relay for a%b@corp.example): strangers write such addresses, so it must not stop the
    // target.
    std::vector<census::CalloutOutcome> outcomes;
    std::vector<mail::Address> unanswered;  // all others: ask again
    std::vector<std::string> transcript;    // "C: …", "S: …", printable
    std::optional<mail::Address> broke_at;  // the recipient for whom the session ended without a reply
    bool turned_away = false;               // before MAIL FROM, by a server that has no time now
    bool sender_accepted = false;           // it came as far as that
    bool stays_open = false;
    // Of the whole session so far:
    int refused = 0;  // RCPTs that were refused
    // The refusal with which the server ends a session, if it has ended this one for that.
    std::optional<int> limit;
    bool limit_said = false;  // by a 421; else it may be an accident
    Milliseconds tarpit{0};   // how long the server took for the refusal of the random control
    // The refusal with which it began to take its time; 0: it did not.
    int slowed_at = 0;
};

class Connection;
class Dialogue;

// Used from one executor only; one call at a time, but for wake().
class Session {
  public:
    explicit Session(Questions questions);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session();

    // Connects, asks the controls and the first recipients.
    boost::asio::awaitable<SessionResult> begin();

    // Only while the last result said `stays_open`:
    boost::asio::awaitable<SessionResult> ask(std::vector<mail::Address> recipients);
    // Waits for wake(), at most so long. False: the server has ended the session, see take_last().
    boost::asio::awaitable<bool> rest(Milliseconds limit);
    SessionResult take_last();
    void wake();
    boost::asio::awaitable<SessionResult> end();

  private:
    struct Next;
    boost::asio::awaitable<void> connect();
    boost::asio::awaitable<SessionResult> converse();
    boost::asio::awaitable<void> take_step();
    boost::asio::awaitable<void> say_and_listen();
    void note_refusal();
    std::optional<mail::Address> random_behind() const;

    Questions questions_;
    std::shared_ptr<Connection> connection_;
    std::unique_ptr<Dialogue> dialogue_;
    std::unique_ptr<Next> next_;
    std::string unreachable_;
    bool tls_failed_ = false;
    bool woken_ = false;
    std::chrono::steady_clock::time_point unknown_at_;  // when one was last refused as unknown
    std::chrono::steady_clock::time_point said_at_;
    Milliseconds tarpit_{0};
    int slowed_at_ = 0;
    std::vector<std::string> earlier_;  // the transcript of the try with TLS
};

// One session from beginning to end.
boost::asio::awaitable<SessionResult> run_session(Questions questions);

// A fresh address that nobody has: high entropy, new each time, in a local part that looks like a person's.
mail::Address make_random_control(std::string_view domain);

}  // namespace postcensus::callout
