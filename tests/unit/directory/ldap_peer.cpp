// SPDX-License-Identifier: MIT
// The BER in here is written by hand: what libldap reads in the tests must not come from its own library.
#include "directory/ldap_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

#include "directory/ldap_request.h"

namespace postcensus::directory {
namespace {

constexpr unsigned char kSet = 0x31;
constexpr unsigned char kSearchEntry = 0x64;
constexpr unsigned char kSearchDone = 0x65;
constexpr unsigned char kSearchReference = 0x73;
constexpr unsigned char kReferral = 0xa3;
constexpr unsigned char kConstructed = 0x20;

constexpr int kProtocolError = 2;
constexpr int kAuthMethodNotSupported = 7;
constexpr int kElsewhere = 10;
constexpr int kOther = 80;

// The tag of a request's result follows the request's own, except for the search.
unsigned char result_tag(unsigned char request) {
    return request == kSearchRequest ? kSearchDone : static_cast<unsigned char>((request | kConstructed) + 1);
}

// Without a callback of the test.
void let_in(const LdapBind& bind, LdapReply& reply) {
    reply.done(bind.mechanism.empty() ? 0 : kAuthMethodNotSupported);
}

[[noreturn]] void throw_errno(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

std::string element(unsigned char tag, std::string_view content) {
    std::string out{static_cast<char>(tag)};
    if (content.size() < 0x80) {
        out += static_cast<char>(content.size());
    } else {
        out += static_cast<char>(0x84);  // four bytes of length: not the shortest form, but a valid one
        for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(content.size() >> shift & 0xffU);
    }
    return out.append(content);
}

std::string number_element(unsigned char tag, int number) {
    std::string bytes;
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(number >> shift & 0xff);
    const auto needless = [&] {  // a first byte that only repeats the sign of the second
        return bytes.size() > 1 &&
               ((bytes[0] == 0 && (bytes[1] & 0x80) == 0) || (bytes[0] == '\xff' && (bytes[1] & 0x80) != 0));
    };
    while (needless()) bytes.erase(0, 1);
    return element(tag, bytes);
}

std::string text_elements(const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts) out += element(kOctets, text);
    return out;
}

}  // namespace

void LdapReply::message(const std::string& operation, const std::string& controls) {
    bytes_ += element(kSequence, number_element(kInteger, id_) + operation +
                                     (controls.empty() ? "" : element(kControls, controls)));
}

void LdapReply::entry(const std::string& dn, const std::vector<LdapAttribute>& attributes) {
    std::string all;
    for (const LdapAttribute& attribute : attributes)
        all += element(kSequence,
                       element(kOctets, attribute.name) + element(kSet, text_elements(attribute.values)));
    message(element(kSearchEntry, element(kOctets, dn) + element(kSequence, all)));
}

void LdapReply::reference(const std::vector<std::string>& uris) {
    message(element(kSearchReference, text_elements(uris)));
}

void LdapReply::done(int result, const std::string& diagnostic, const std::optional<std::string>& cookie) {
    std::string control;
    if (cookie) {
        const std::string page = element(kSequence, number_element(kInteger, 0) + element(kOctets, *cookie));
        control = element(kSequence, element(kOctets, kPagedResults) + element(kOctets, page));
    }
    message(element(result_tag_, number_element(kEnumerated, result) + element(kOctets, "") +
                                     element(kOctets, diagnostic)),
            control);
}

void LdapReply::referral(const std::vector<std::string>& uris) {
    message(element(result_tag_, number_element(kEnumerated, kElsewhere) + element(kOctets, "") +
                                     element(kOctets, "") + element(kReferral, text_elements(uris))));
}

struct LdapPeer::Connection {
    UniqueFd fd;
    int number = 0;
    std::string input;
    std::string output;
    bool closing = false;  // nothing is answered any more
    bool shut = false;     // the client was told
    bool over = false;
};

LdapPeer::LdapPeer(OnSearch on_search, OnBind on_bind)
    : on_search_(std::move(on_search)),
      on_bind_(on_bind ? std::move(on_bind) : let_in),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (!listener_ || !stop_ || ::bind(listener_.get(), generic, size) != 0 ||
        ::listen(listener_.get(), SOMAXCONN) != 0 || ::getsockname(listener_.get(), generic, &size) != 0)
        throw_errno("the LDAP peer cannot listen");
    uri_ = "ldap://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { run(); });
}

LdapPeer::~LdapPeer() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
}

std::vector<LdapSearch> LdapPeer::searches() const {
    const std::lock_guard lock(mutex_);
    return searches_;
}

std::vector<LdapBind> LdapPeer::binds() const {
    const std::lock_guard lock(mutex_);
    return binds_;
}

int LdapPeer::connections() const {
    const std::lock_guard lock(mutex_);
    return connections_;
}

void LdapPeer::run() {
    std::vector<Connection> connections;
    for (;;) {
        std::vector<pollfd> polled{{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
        for (const Connection& connection : connections)
            polled.push_back({connection.fd.get(),
                              static_cast<short>(connection.output.empty() ? POLLIN : POLLIN | POLLOUT), 0});
        if (::poll(polled.data(), polled.size(), -1) < 0) {
            if (errno == EINTR) continue;
            throw_errno("poll");
        }
        if (polled[0].revents != 0) return;
        for (std::size_t i = 0; i < connections.size(); ++i)
            if (polled[i + 2].revents != 0) advance(connections[i]);
        std::erase_if(connections, [](const Connection& connection) { return connection.over; });
        if (polled[1].revents != 0) accept(connections);
    }
}

void LdapPeer::accept(std::vector<Connection>& connections) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
        throw_errno("accept");
    }
    Connection connection;
    connection.fd = std::move(fd);
    const std::lock_guard lock(mutex_);
    connection.number = connections_++;
    connections.push_back(std::move(connection));
}

// Reads, answers and writes as much as goes without waiting.
void LdapPeer::advance(Connection& connection) {
    std::array<char, 65536> buffer;
    const ssize_t received = ::recv(connection.fd.get(), buffer.data(), buffer.size(), 0);
    if (received == 0 || (received < 0 && errno != EAGAIN && errno != EINTR)) {
        connection.over = true;
        return;
    }
    if (received > 0) connection.input.append(buffer.data(), static_cast<std::size_t>(received));
    try {
        while (!connection.closing && !connection.over) {
            const std::optional<std::string> message = take_message(connection.input);
            if (!message) break;
            serve(connection, *message);
        }
    } catch (const Malformed&) {
        connection.closing = true;
    }
    if (connection.closing) connection.input.clear();
    while (!connection.output.empty() && !connection.over) {
        const ssize_t sent =
            ::send(connection.fd.get(), connection.output.data(), connection.output.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            connection.output.erase(0, static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            connection.over = true;
        }
    }
    // Only our half: close() with requests unread would send a reset, and that may overtake the reply.
    if (connection.closing && !std::exchange(connection.shut, true)) ::shutdown(connection.fd.get(), SHUT_WR);
}

void LdapPeer::serve(Connection& connection, std::string_view message) {
    const LdapRequest request = read_request(message);
    if (request.tag == kAbandonRequest) return;
    if (request.tag == kUnbindRequest) {
        connection.over = true;
        return;
    }
    LdapReply reply(request.id, result_tag(request.tag));
    std::function<void()> answer = [&] { reply.done(kProtocolError, "this server can bind and search"); };
    LdapSearch search;
    LdapBind bind;
    if (request.tag == kSearchRequest) {
        search = read_search(request, connection.number);
        answer = [&] { on_search_(search, reply); };
        const std::lock_guard lock(mutex_);
        searches_.push_back(search);
    } else if (request.tag == kBindRequest) {
        bind = read_bind(request, connection.number);
        answer = [&] { on_bind_(bind, reply); };
        const std::lock_guard lock(mutex_);
        binds_.push_back(bind);
    }
    try {
        answer();
    } catch (const std::exception& error) {
        reply = LdapReply(request.id, result_tag(request.tag));
        reply.done(kOther, error.what());
    }
    connection.output += reply.bytes_;
    connection.closing = reply.closes_;
}

}  // namespace postcensus::directory
