// SPDX-License-Identifier: MIT
#include "callout/session.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
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

struct Connected {
    std::shared_ptr<Connection> connection;  // null: `error` says why
    std::string error;
};

struct Conversation {
    SessionResult result;
    bool tls_failed = false;
};

asio::awaitable<Connected> connect(Target target, Milliseconds limit) {
    Connected out;
    const Resolved resolved = co_await resolve(target, limit);
    if (resolved.endpoints.empty()) {
        out.error = fmt::format("cannot resolve {}: {}", printable(target.host), resolved.error);
        co_return out;
    }
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    for (const auto& endpoint : resolved.endpoints) {
        const auto connection = std::make_shared<Connection>(executor);
        connection->start_deadline(limit);
        const error_code error = co_await connection->connect(endpoint);
        if (!error) {
            out.connection = connection;
            co_return out;
        }
        out.error = fmt::format("cannot connect to {} ({}): {}", printable(target.text()),
                                endpoint.address().to_string(),
                                connection->timed_out() ? "no answer in time" : error.message());
    }
    co_return out;
}

// Takes one step to its end and tells the dialogue what came of it.
asio::awaitable<Step> take(std::shared_ptr<Connection> connection, Dialogue& dialogue, Step step,
                           Questions questions) {
    if (step.kind == Step::Kind::send && !connection->read_ahead().empty())
        co_return dialogue.spoke_out_of_turn(connection->read_ahead());
    if (step.deadline) connection->start_deadline(*step.deadline);
    if (step.kind == Step::Kind::handshake) {
        const std::string failure = co_await connection->handshake(questions.tls, questions.target.host);
        if (connection->timed_out()) co_return dialogue.timed_out();
        if (!failure.empty()) co_return dialogue.tls_failed(failure);
        co_return dialogue.tls_established();
    }
    if (step.kind == Step::Kind::send) {
        const error_code error = co_await connection->write(step.text);
        if (connection->timed_out()) co_return dialogue.timed_out();
        // What the server said before it closed ("421 too many errors") may still be there to read.
        if (error == asio::error::operation_aborted) co_return dialogue.closed();
    }
    const Connection::Line line = co_await connection->read_line();
    if (connection->timed_out()) co_return dialogue.timed_out();
    switch (line.kind) {
        case Connection::Line::Kind::line:
            co_return dialogue.line(line.text);
        case Connection::Line::Kind::overlong:
            co_return dialogue.overlong_line();
        case Connection::Line::Kind::closed:
            break;
    }
    co_return dialogue.closed();
}

asio::awaitable<Conversation> converse(Questions questions) {
    Conversation out;
    Dialogue dialogue(questions);
    const Connected connected = co_await connect(questions.target, questions.deadlines.connect);
    if (!connected.connection) {
        dialogue.unreachable(connected.error);
        out.result = dialogue.take_result();
        co_return out;
    }
    Step step = dialogue.connected();
    while (step.kind != Step::Kind::finished) {
        const bool handshake = step.kind == Step::Kind::handshake;
        step = co_await take(connected.connection, dialogue, step, questions);
        if (handshake && step.kind == Step::Kind::finished) out.tls_failed = true;
    }
    out.result = dialogue.take_result();
    co_return out;
}

void put_before(std::vector<std::string>& transcript, std::vector<std::string> earlier) {
    earlier.emplace_back("(again, without TLS)");
    earlier.insert(earlier.end(), transcript.begin(), transcript.end());
    transcript = std::move(earlier);
}

}  // namespace

asio::awaitable<SessionResult> run_session(Questions questions) {
    Conversation first = co_await converse(questions);
    if (!first.tls_failed || questions.tls != Tls::opportunistic) co_return std::move(first.result);
    // RFC 7435: a handshake that fails must not cost what clear text would have given. The broken connection
    // is of no use.
    questions.tls = Tls::off;
    Conversation second = co_await converse(questions);
    put_before(second.result.transcript, first.result.transcript);
    co_return std::move(second.result);
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
