// SPDX-License-Identifier: MIT
#include "callout/connection.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <tuple>
#include <utility>

namespace postcensus::callout {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

// RFC 5321, 4.5.3.1.5, has 512; a refusal that repeats a long recipient may be longer.
constexpr std::size_t kLongestLine = 1024;
constexpr std::size_t kMostEndpoints = 8;

// Completion with the error as a value: a server that goes away is nothing exceptional.
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

// getaddrinfo(3) runs in a thread of Asio's and cannot be interrupted. So the session waits for this timer,
// and a late answer finds nobody who waits for it.
struct Lookup {
    explicit Lookup(const asio::any_io_executor& executor) : resolver(executor), timer(executor) {}
    tcp::resolver resolver;
    asio::steady_timer timer;
    error_code error = asio::error::timed_out;
    tcp::resolver::results_type results;
};

ssl::context make_context(Tls tls) {
    ssl::context context(ssl::context::tls_client);
    if (tls == Tls::required) {
        context.set_default_verify_paths();
        context.set_verify_mode(ssl::verify_peer);
    } else {
        // Old servers' TLS is still better than the clear text that would follow (RFC 7435).
        context.set_verify_mode(ssl::verify_none);
        SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_VERSION);
        SSL_CTX_set_security_level(context.native_handle(), 0);
    }
    return context;
}

}  // namespace

asio::awaitable<Resolved> resolve(Target target, Milliseconds limit) {
    Resolved out;
    error_code literal;
    const asio::ip::address address = asio::ip::make_address(target.host, literal);
    if (!literal) {
        out.endpoints.emplace_back(address, target.port);
        co_return out;
    }
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const auto lookup = std::make_shared<Lookup>(executor);
    lookup->timer.expires_after(limit);
    lookup->resolver.async_resolve(target.host, std::to_string(target.port), tcp::resolver::numeric_service,
                                   [lookup](error_code error, tcp::resolver::results_type results) {
                                       lookup->error = error;
                                       lookup->results = std::move(results);
                                       lookup->timer.cancel();
                                   });
    std::ignore = co_await lookup->timer.async_wait(kAsTuple);
    if (lookup->error) {
        out.error = lookup->error.message();
        lookup->resolver.cancel();
        co_return out;
    }
    for (const auto& entry : lookup->results)
        if (out.endpoints.size() < kMostEndpoints) out.endpoints.push_back(entry.endpoint());
    if (out.endpoints.empty()) out.error = "no address";
    co_return out;
}

Connection::Connection(const asio::any_io_executor& executor) : socket_(executor), timer_(executor) {}

void Connection::start_deadline(Milliseconds limit) {
    timer_.expires_after(limit);
    // The number tells this deadline from a later one: it may have passed already while its handler waits in
    // line. The session may be gone by then, too.
    timer_.async_wait([weak = weak_from_this(), number = ++deadline_number_](error_code error) {
        if (error) return;
        const auto self = weak.lock();
        if (self && self->deadline_number_ == number) self->expire();
    });
}

// Closed, not cancelled: a composed operation that is between two steps has nothing to cancel and would go on
// for ever.
void Connection::expire() {
    timed_out_ = true;
    error_code ignored;
    socket_.close(ignored);
}

asio::awaitable<error_code> Connection::connect(tcp::endpoint endpoint) {
    const auto [error] = co_await socket_.async_connect(endpoint, kAsTuple);
    co_return error;
}

asio::awaitable<std::string> Connection::handshake(Tls tls, std::string host) {
    buffer_.clear();
    context_.emplace(make_context(tls));
    tls_ = std::make_unique<TlsStream>(socket_, *context_);
    error_code literal;
    asio::ip::make_address(host, literal);
    // A name in the handshake is for names only (RFC 6066, 3).
    if (literal) SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str());
    if (tls == Tls::required) tls_->set_verify_callback(ssl::host_name_verification(host));
    const auto [error] = co_await tls_->async_handshake(ssl::stream_base::client, kAsTuple);
    if (!error) co_return std::string();
    const long verified = SSL_get_verify_result(tls_->native_handle());
    if (tls == Tls::required && verified != X509_V_OK)
        co_return std::string(X509_verify_cert_error_string(verified));
    co_return error.message();
}

asio::awaitable<error_code> Connection::write(std::string text) {
    if (tls_) {
        const auto [error, count] = co_await asio::async_write(*tls_, asio::buffer(text), kAsTuple);
        co_return error;
    }
    const auto [error, count] = co_await asio::async_write(socket_, asio::buffer(text), kAsTuple);
    co_return error;
}

asio::awaitable<error_code> Connection::wait_readable() {
    const auto [error] = co_await socket_.async_wait(tcp::socket::wait_read, kAsTuple);
    co_return error;
}

// Between two commands nothing else is under way on the socket.
void Connection::stop_waiting() {
    error_code ignored;
    socket_.cancel(ignored);
}

asio::awaitable<Connection::Line> Connection::read_line() {
    for (;;) {
        std::optional<Line> line = take_line();
        if (line) co_return std::move(*line);
        std::size_t count = 0;
        error_code failed;
        if (tls_) {
            const auto [error, bytes] = co_await tls_->async_read_some(asio::buffer(chunk_), kAsTuple);
            failed = error;
            count = bytes;
        } else {
            const auto [error, bytes] = co_await socket_.async_read_some(asio::buffer(chunk_), kAsTuple);
            failed = error;
            count = bytes;
        }
        if (failed) co_return Line{};
        buffer_.append(chunk_.data(), count);
    }
}

std::optional<Connection::Line> Connection::take_line() {
    const std::size_t end = buffer_.find('\n');
    if (end > kLongestLine && buffer_.size() > kLongestLine) return Line{Line::Kind::overlong};
    if (end == std::string::npos) return std::nullopt;
    std::string text = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    if (!text.empty() && text.back() == '\r') text.pop_back();
    return Line{Line::Kind::line, std::move(text)};
}

}  // namespace postcensus::callout
