// SPDX-License-Identifier: MIT
// One TCP connection that may turn into TLS: lines in, commands out, each step under a deadline. Owned by the
// coroutine of one session through a shared_ptr, and used from its executor only.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "callout/session.h"

namespace postcensus::callout {

// The addresses of a target, in the order to try; empty, with `error` set, if there are none or none in time.
// An address literal needs no resolver.
struct Resolved {
    std::vector<boost::asio::ip::tcp::endpoint> endpoints;
    std::string error;
};
boost::asio::awaitable<Resolved> resolve(Target target, Milliseconds limit);

class Connection : public std::enable_shared_from_this<Connection> {
  public:
    explicit Connection(const boost::asio::any_io_executor& executor);

    // Starts a deadline in place of the one before. When it passes, the socket is closed and what waits for
    // it ends.
    void start_deadline(Milliseconds limit);
    void stop_deadline() { ++deadline_number_; }
    bool timed_out() const { return timed_out_; }

    boost::asio::awaitable<boost::system::error_code> connect(boost::asio::ip::tcp::endpoint endpoint);

    // Discards what was read ahead: bytes that came before the handshake were sent in clear by anybody.
    // Returns why it failed, empty if it did not.
    boost::asio::awaitable<std::string> handshake(Tls tls, std::string host);

    boost::asio::awaitable<boost::system::error_code> write(std::string text);

    struct Line {
        enum class Kind { line, overlong, closed };
        Kind kind = Kind::closed;
        std::string text = {};  // without CRLF; a bare LF is taken for a line end too
    };
    boost::asio::awaitable<Line> read_line();

    // Until the server says or does something, or stop_waiting() (operation_aborted).
    boost::asio::awaitable<boost::system::error_code> wait_readable();
    void stop_waiting();

    // What the server sent beyond the last line.
    std::string_view read_ahead() const { return buffer_; }

  private:
    using TlsStream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>;

    std::optional<Line> take_line();
    void expire();

    boost::asio::ip::tcp::socket socket_;
    boost::asio::steady_timer timer_;
    unsigned deadline_number_ = 0;
    bool timed_out_ = false;
    std::optional<boost::asio::ssl::context> context_;
    std::unique_ptr<TlsStream> tls_;
    std::array<char, 4096> chunk_{};
    std::string buffer_;
};

}  // namespace postcensus::callout
