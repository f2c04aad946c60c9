// SPDX-License-Identifier: MIT
#include "callout/loopback.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>

namespace postcensus::callout {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kPatience{20};

std::string pem_of(BIO* bio) {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio, &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}

}  // namespace

Certificate make_certificate(const std::string& name) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("a test"),
                               -1, -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate.get(), certificate.get(), nullptr, nullptr, 0);
    X509_EXTENSION* names =
        X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name, ("DNS:" + name).c_str());
    X509_add_ext(certificate.get(), names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    const std::unique_ptr<BIO, decltype(&BIO_free)> key_text(BIO_new(BIO_s_mem()), BIO_free);
    const std::unique_ptr<BIO, decltype(&BIO_free)> certificate_text(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    PEM_write_bio_X509(certificate_text.get(), certificate.get());
    return {pem_of(key_text.get()), pem_of(certificate_text.get())};
}

LoopbackServer::LoopbackServer(Peer peer_, Habits habits_)
    : peer(std::move(peer_)),
      habits(std::move(habits_)),
      acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

template <typename Stream>
asio::awaitable<bool> LoopbackServer::say(Stream& stream, std::string reply) {
    for (const std::string& line : lines_of(reply)) {
        if (lines_said_ >= habits.lines_until_close) co_return false;
        if (lines_said_ >= habits.lines_until_silence) {
            silent_ = true;
            if (when_silent_ != nullptr) when_silent_(silence_argument_);
            co_return true;
        }
        ++lines_said_;
        const std::string bytes = line + habits.line_end;
        if (!habits.drip) {
            co_await asio::async_write(stream, asio::buffer(bytes), asio::use_awaitable);
            continue;
        }
        asio::steady_timer pause(io_);
        for (const char& byte : bytes) {
            co_await asio::async_write(stream, asio::buffer(&byte, 1), asio::use_awaitable);
            pause.expires_after(Milliseconds{1});
            co_await pause.async_wait(asio::use_awaitable);
        }
    }
    co_return true;
}

// True if the client has asked for TLS and was told to begin.
template <typename Stream>
asio::awaitable<bool> LoopbackServer::talk(Stream& stream, bool greet) {
    if (greet) {
        const bool said = co_await say(stream, peer.banner);
        if (!said) co_return false;
    }
    std::string input;
    for (;;) {
        const auto [error, size] =
            co_await asio::async_read_until(stream, asio::dynamic_buffer(input), '\n', kAsTuple);
        if (error) {
            saw_end = true;
            co_return false;
        }
        const std::string command = input.substr(0, size - 2);
        input.erase(0, size);
        std::string reply = peer.answer(command);
        const bool tls = command == "STARTTLS" && reply.starts_with('2');
        if (tls) reply += habits.before_handshake;
        if (silent_) continue;
        if (reply.empty()) co_return false;
        const bool said = co_await say(stream, reply);
        if (!said) co_return false;
        if (tls && !silent_) co_return true;
    }
}

asio::awaitable<void> LoopbackServer::serve_one(tcp::socket socket) {
    const bool handshake = co_await talk(socket, true);
    if (!handshake) co_return;
    if (habits.handshake == Habits::Handshake::silence) {
        std::string ignored;
        co_await asio::async_read(socket, asio::dynamic_buffer(ignored), kAsTuple);
        co_return;
    }
    if (habits.handshake == Habits::Handshake::garbage) {
        co_await asio::async_write(socket, asio::buffer(std::string_view("no TLS here, sorry\r\n")),
                                   asio::use_awaitable);
        co_return;
    }
    asio::ssl::context context(asio::ssl::context::tls_server);
    context.use_certificate(asio::buffer(certificate.certificate), asio::ssl::context::pem);
    context.use_private_key(asio::buffer(certificate.key), asio::ssl::context::pem);
    asio::ssl::stream<tcp::socket&> stream(socket, context);
    const auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::server, kAsTuple);
    if (error) co_return;
    peer.encrypted = true;
    co_await talk(stream, false);
}

asio::awaitable<void> LoopbackServer::serve() {
    for (;;) {
        tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
        ++connections;
        socket.set_option(tcp::no_delay(true));
        asio::co_spawn(io_, serve_one(std::move(socket)), asio::detached);
    }
}

SessionResult LoopbackServer::run(Questions asked) {
    asked.target.port = acceptor_.local_endpoint().port();
    if (asked.target.host.ends_with(".example")) asked.target.host = "127.0.0.1";
    std::optional<SessionResult> out;
    std::exception_ptr thrown;
    asio::co_spawn(io_, serve(), asio::detached);
    asio::co_spawn(io_, run_session(std::move(asked)), [&](std::exception_ptr error, SessionResult result) {
        thrown = error;
        out = std::move(result);
        io_.stop();
    });
    io_.run_for(kPatience);
    if (thrown) std::rethrow_exception(thrown);
    if (!out) throw std::runtime_error("the session did not end");
    return std::move(*out);
}

bool LoopbackServer::cancel(Questions asked) {
    asked.target = {"127.0.0.1", acceptor_.local_endpoint().port()};
    asio::cancellation_signal signal;
    when_silent_ = [](void* argument) {
        static_cast<asio::cancellation_signal*>(argument)->emit(asio::cancellation_type::terminal);
    };
    silence_argument_ = &signal;
    bool ended = false;
    asio::co_spawn(io_, serve(), asio::detached);
    asio::co_spawn(io_, run_session(std::move(asked)),
                   asio::bind_cancellation_slot(
                       signal.slot(), [&](std::exception_ptr, const SessionResult&) { ended = true; }));
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (!(ended && saw_end) && std::chrono::steady_clock::now() < until) io_.run_one_for(kPatience);
    return ended && saw_end;
}

}  // namespace postcensus::callout
