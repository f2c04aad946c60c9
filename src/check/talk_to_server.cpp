// SPDX-License-Identifier: MIT
#include "check/talk_to_server.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/unique_fd.h"

namespace postcensus::check {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// A server that needs longer for a command is one that does not answer, for a test that somebody waits for.
constexpr callout::Deadlines kHurried{4s, 5s, 6s, 8s, 1s};
constexpr auto kGoodbye = 1s;      // left for QUIT
constexpr auto kInstant = 200ms;   // a refusal that costs nothing
constexpr double kOverhead = 0.3;  // seconds of a session besides its refusals

struct Conversation {
    callout::Session session;
    std::vector<mail::Address> recipients;
    int most_refused;
    std::chrono::steady_clock::time_point deadline;
    Talk talk;
    bool begun = false;

    // Where a refusal takes time each may be refused. Else the session itself ends when it had its refusals.
    std::size_t affordable() const {
        const Milliseconds tarpit = talk.controls.tarpit;
        if (tarpit < kInstant) return recipients.size();
        const auto refusals = static_cast<std::size_t>(std::max(most_refused - talk.controls.refused, 0));
        const auto left = deadline - std::chrono::steady_clock::now() - kGoodbye;
        if (left < tarpit) return 0;
        return std::min({recipients.size(), refusals, static_cast<std::size_t>(left / tarpit)});
    }
};

asio::awaitable<void> converse(Conversation& out) {
    auto controls = co_await out.session.begin();
    const bool open = controls.stays_open;
    out.talk.controls = std::move(controls);
    out.begun = true;
    out.talk.not_asked = out.recipients.size();
    if (!open) co_return;
    const std::size_t count = out.affordable();
    std::vector<mail::Address> some(out.recipients.begin(),
                                    out.recipients.begin() + static_cast<std::ptrdiff_t>(count));
    bool still_open = true;
    if (!some.empty()) {
        auto answered = co_await out.session.ask(std::move(some));
        still_open = answered.stays_open;
        out.talk.outcomes = std::move(answered.outcomes);
        out.talk.not_asked -= out.talk.outcomes.size();
    }
    if (still_open) {
        auto ended = co_await out.session.end();
        static_cast<void>(ended);
    }
}

}  // namespace

Talk talk_to_server(callout::Questions asked, std::chrono::steady_clock::time_point deadline) {
    asio::io_context io;
    asio::cancellation_signal stop;
    std::vector<mail::Address> recipients = std::exchange(asked.recipients, {});
    asked.stay = true;
    asked.deadlines = kHurried;
    const int most_refused = asked.most_refused;
    Conversation conversation{
        callout::Session(std::move(asked)), std::move(recipients), most_refused, deadline, {}, false};
    bool ended = false;
    asio::co_spawn(
        io, converse(conversation),
        asio::bind_cancellation_slot(stop.slot(), [&ended](const std::exception_ptr&) { ended = true; }));
    io.run_until(deadline);
    if (!ended) {
        stop.emit(asio::cancellation_type::terminal);
        io.run_for(200ms);
    }
    conversation.talk.over_time = !conversation.begun;
    return std::move(conversation.talk);
}

double answers_per_second(int sessions, int most_refused, Milliseconds tarpit) {
    const double refusal = std::max(std::chrono::duration<double>(tarpit).count(), 0.005);
    const double useful = std::max(most_refused - 1, 1);  // one is the made-up control
    return sessions * useful / (most_refused * refusal + kOverhead);
}

std::string own_address_towards(const callout::Target& target) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* list = nullptr;
    if (::getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &list) != 0)
        return {};
    std::string found;
    // A datagram socket that is connected has sent nothing.
    const UniqueFd fd(::socket(list->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    std::array<char, NI_MAXHOST> text{};
    if (fd && ::connect(fd.get(), list->ai_addr, list->ai_addrlen) == 0 &&
        ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &length) == 0 &&
        ::getnameinfo(reinterpret_cast<sockaddr*>(&own), length, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0)
        found = text.data();
    ::freeaddrinfo(list);
    return found;
}

}  // namespace postcensus::check
