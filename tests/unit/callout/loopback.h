// SPDX-License-Identifier: MIT
// Peer (see peer.h) behind a real socket on 127.0.0.1, in the io_context of the session that talks to it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <string>
#include <vector>

#include "callout/peer.h"

namespace postcensus::callout {

// How the server's side of the connection misbehaves.
struct Habits {
    int lines_until_close = 100000;  // of the server's, all of its replies together
    int lines_until_silence = 100000;
    bool drip = false;  // one byte at a time, a moment between
    std::string line_end = "\r\n";
    std::string before_handshake = {};  // sent in clear right behind the reply to STARTTLS
    enum class Handshake { proper, garbage, silence } handshake = Handshake::proper;
};

// A key and a certificate for `name` that nobody signed, in PEM.
struct Certificate {
    std::string key;
    std::string certificate;
};
Certificate make_certificate(const std::string& name);

class LoopbackServer {
  public:
    LoopbackServer(Peer peer, Habits habits);

    // Asks the server, runs both sides to the end of the session. The port is filled in, the host unless it
    // has one.
    SessionResult run(Questions asked);
    // The same, but the session is cancelled once the server has fallen silent. True if the server saw the
    // connection end.
    bool cancel(Questions asked);

    Peer peer;
    Habits habits;
    Certificate certificate;  // for STARTTLS
    int connections = 0;
    bool saw_end = false;

  private:
    boost::asio::awaitable<void> serve();
    boost::asio::awaitable<void> serve_one(boost::asio::ip::tcp::socket socket);
    template <typename Stream>
    boost::asio::awaitable<bool> talk(Stream& stream, bool greet);
    template <typename Stream>
    boost::asio::awaitable<bool> say(Stream& stream, std::string reply);

    boost::asio::io_context io_;
    boost::asio::ip::tcp::acceptor acceptor_;
    int lines_said_ = 0;
    bool silent_ = false;
    void (*when_silent_)(void*) = nullptr;
    void* silence_argument_ = nullptr;
};

}  // namespace postcensus::callout
