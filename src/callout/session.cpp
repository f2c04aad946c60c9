// SPDX-License-Identifier: MIT
#include "callout/session.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "base/printable.h"
#include "callout/connection.h"
#include "callout/dialogue.h"

// GCC 12 takes Asio's pair of operators for coroutine frames for mismatched once they are inlined.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace postcensus::callout {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// A refusal that takes so long, and several times as long as the first one, is the server's beginning to slow
// us down.
constexpr Milliseconds kSlow{500};
constexpr int kSlower = 4;
constexpr Milliseconds kLastWords{1000};
constexpr Milliseconds kDear{1000};
constexpr Milliseconds kFresh{10'000};

void put_before(std::vector<std::string>& transcript, std::vector<std::string> earlier) {
    earlier.emplace_back("(again, without TLS)");
    earlier.insert(earlier.end(), transcript.begin(), transcript.end());
    transcript = std::move(earlier);
}

}  // namespace

struct Session::Next {
    Step step;
};

Session::Session(Questions questions)
    : questions_(std::move(questions)), next_(std::make_unique<Session::Next>()) {}
Session::~Session() = default;

// `connection_` stays null where there is nobody: `unreachable_` says why.
asio::awaitable<void> Session::connect() {
    const Resolved resolved = co_await resolve(questions_.target, questions_.deadlines.connect);
    if (resolved.endpoints.empty())
        unreachable_ =
            fmt::format("cannot resolve {}: {}", printable(questions_.target.host), resolved.error);
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    for (const auto& endpoint : resolved.endpoints) {
        const auto connection = std::make_shared<Connection>(executor);
        connection->start_deadline(questions_.deadlines.connect);
        const error_code error = co_await connection->connect(endpoint);
        if (!error) {
            connection_ = connection;
            co_return;
        }
        unreachable_ = fmt::format("cannot connect to {} ({}): {}", printable(questions_.target.text()),
                                   endpoint.address().to_string(),
                                   connection->timed_out() ? "no answer in time" : error.message());
    }
}

asio::awaitable<SessionResult> Session::begin() {
    for (;;) {
        dialogue_ = std::make_unique<Dialogue>(questions_);
        connection_.reset();
        co_await connect();
        next_->step = connection_ ? dialogue_->connected() : dialogue_->unreachable(unreachable_);
        SessionResult result = co_await converse();
        if (!std::exchange(tls_failed_, false) || questions_.tls != Tls::opportunistic) {
            if (!earlier_.empty()) put_before(result.transcript, std::exchange(earlier_, {}));
            co_return result;
        }
        // RFC 7435: a handshake that fails must not cost what clear text would have given. The broken
        // connection is of no use.
        questions_.tls = Tls::off;
        earlier_ = result.transcript;
    }
}

asio::awaitable<SessionResult> Session::ask(std::vector<mail::Address> recipients) {
    next_->step = dialogue_->ask(std::move(recipients), random_behind());
    return converse();
}

asio::awaitable<SessionResult> Session::end() {
    next_->step = dialogue_->end();
    return converse();
}

void Session::wake() {
    woken_ = true;
    if (connection_) connection_->stop_waiting();
}

asio::awaitable<bool> Session::rest(Milliseconds limit) {
    asio::steady_timer timer(co_await asio::this_coro::executor, limit);
    // The handler may stand in line already when the rest is over.
    const auto rests = std::make_shared<bool>(true);
    timer.async_wait([rests, connection = connection_](error_code error) {
        if (*rests && !error) connection->stop_waiting();
    });
    bool open = true;
    if (!woken_) {
        const error_code error = co_await connection_->wait_readable();
        open = error == asio::error::operation_aborted && !connection_->timed_out();
    }
    *rests = false;
    woken_ = false;
    if (open) co_return true;
    connection_->start_deadline(kLastWords);
    const Connection::Line line = co_await connection_->read_line();
    if (line.kind == Connection::Line::Kind::line)
        dialogue_->spoke_out_of_turn(line.text);
    else
        dialogue_->closed();
    co_return false;
}

SessionResult Session::take_last() {
    SessionResult result = dialogue_->take_result();
    result.tarpit = tarpit_;
    result.slowed_at = slowed_at_;
    return result;
}

asio::awaitable<SessionResult> Session::converse() {
    while (next_->step.kind != Step::Kind::finished && next_->step.kind != Step::Kind::waiting)
        co_await take_step();
    if (connection_) connection_->stop_deadline();
    dialogue_->heard_at(Moment::now());  // what needed no reply
    co_return take_last();
}

// Takes one step to its end and tells the dialogue what came of it.
asio::awaitable<void> Session::take_step() {
    Step& step = next_->step;
    if (step.kind == Step::Kind::send && !connection_->read_ahead().empty()) {
        step = dialogue_->spoke_out_of_turn(connection_->read_ahead());
        co_return;
    }
    if (step.deadline) connection_->start_deadline(*step.deadline);
    if (step.kind == Step::Kind::handshake) {
        const std::string failure = co_await connection_->handshake(questions_.tls, questions_.target.host);
        step = connection_->timed_out() ? dialogue_->timed_out()
               : failure.empty()        ? dialogue_->tls_established()
                                        : dialogue_->tls_failed(failure);
        tls_failed_ = step.kind == Step::Kind::finished;
        co_return;
    }
    if (step.kind == Step::Kind::send) said_at_ = std::chrono::steady_clock::now();
    const int refused = dialogue_->refused();
    const int unknown = dialogue_->unknown();
    co_await say_and_listen();
    dialogue_->heard_at(Moment::now());
    if (dialogue_->refused() != refused) note_refusal();
    if (dialogue_->unknown() != unknown) unknown_at_ = std::chrono::steady_clock::now();
}

asio::awaitable<void> Session::say_and_listen() {
    Step& step = next_->step;
    if (step.kind == Step::Kind::send) {
        const error_code error = co_await connection_->write(step.text);
        // What the server said before it closed ("421 too many errors") may still be there to read.
        if (connection_->timed_out() || error == asio::error::operation_aborted) {
            step = connection_->timed_out() ? dialogue_->timed_out() : dialogue_->closed();
            co_return;
        }
    }
    const Connection::Line line = co_await connection_->read_line();
    if (connection_->timed_out())
        step = dialogue_->timed_out();
    else if (line.kind == Connection::Line::Kind::line)
        step = dialogue_->line(line.text);
    else if (line.kind == Connection::Line::Kind::overlong)
        step = dialogue_->overlong_line();
    else
        step = dialogue_->closed();
}

// Where a refusal is quick, each acceptance gets one behind it. Where it keeps a sender waiting, as long as
// the last one is not old.
std::optional<mail::Address> Session::random_behind() const {
    if (tarpit_ >= kDear && std::chrono::steady_clock::now() - unknown_at_ < kFresh) return std::nullopt;
    return make_random_control(questions_.random_control.domain());
}

void Session::note_refusal() {
    const int refused = dialogue_->refused();
    const auto took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - said_at_);
    if (refused == 1)
        tarpit_ = took;
    else if (slowed_at_ == 0 && took >= kSlow && took >= tarpit_ * kSlower)
        slowed_at_ = refused;
    // Its next one would be as slow; a new session is not.
    if (slowed_at_ > 0) dialogue_->ask_no_more();
}

asio::awaitable<SessionResult> run_session(Questions questions) {
    Session session(std::move(questions));
    SessionResult result = co_await session.begin();
    if (result.stays_open) co_await session.end();
    co_return result;
}

mail::Address make_random_control(std::string_view domain) {
    // 1 of 26 and 16 of 36: 87 bits. Nobody has it, and a filter that learns addresses sees nothing it saw
    // before.
    constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
    constexpr std::size_t kLetters = 26;
    constexpr std::size_t kLength = 17;
    std::string local;
    while (local.size() < kLength) {
        std::array<unsigned char, 64> bytes{};
        const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
        if (got < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
        for (ssize_t i = 0; i < got && local.size() < kLength; ++i) {
            // Six bits, those beyond the alphabet dropped: no letter is likelier than another.
            const std::size_t pick = bytes[static_cast<std::size_t>(i)] & 0x3FU;
            if (pick < (local.empty() ? kLetters : kAlphabet.size())) local += kAlphabet[pick];
        }
    }
    const auto address = mail::Address::from_internal(local + "@" + std::string(domain));
    if (!address) throw std::logic_error("callout: a random control for what is no domain");
    return *address;
}

}  // namespace postcensus::callout
