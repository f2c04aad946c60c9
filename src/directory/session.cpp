// SPDX-License-Identifier: MIT
#include "directory/session.h"

#include <fmt/format.h>
#include <ldap.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/printable.h"

namespace postcensus::directory {
namespace {

constexpr int kPageSize = 1000;  // AD's MaxPageSize; more is cut to it without a word
constexpr const char* kCredentials = "result 49";
constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

struct FreeMessage {
    void operator()(LDAPMessage* message) const { ldap_msgfree(message); }
};
using MessagePtr = std::unique_ptr<LDAPMessage, FreeMessage>;

struct FreeControl {
    void operator()(LDAPControl* control) const { ldap_control_free(control); }
};
using ControlPtr = std::unique_ptr<LDAPControl, FreeControl>;

// The `data NNN` of AD's result 49, for the operator.
std::string explain_bind_error(const std::string& diagnostic) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kCodes{
        {{"525", "there is no such user: check bind-dn"},
         {"52e", "wrong password: check password-file"},
         {"530", "the account may not log on at this time"},
         {"531", "the account may not log on from this machine"},
         {"532", "the password has expired"},
         {"533", "the account is disabled"},
         {"701", "the account has expired"},
         {"773", "the password must be changed first"},
         {"775", "the account is locked"}}};
    for (const auto& [code, words] : kCodes)
        if (diagnostic.find(fmt::format("data {}", code)) != std::string::npos) return std::string(words);
    return "check bind-dn and password-file";
}

std::string diagnostic_of(LDAP* handle) {
    char* text = nullptr;
    ldap_get_option(handle, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
    std::string out = text == nullptr ? "" : printable(text);
    ldap_memfree(text);
    return out;
}

Failure describe(LDAP* handle, const std::string& server, std::string_view what, int result,
                 std::string diagnostic = {}) {
    if (diagnostic.empty() && handle != nullptr) diagnostic = diagnostic_of(handle);
    std::string remedy;
    switch (result) {
        case LDAP_INVALID_CREDENTIALS:
            return {ExitCode::unavailable,
                    fmt::format("{} refused the login: {}", server, explain_bind_error(diagnostic)),
                    fmt::format("{}: {}", kCredentials, diagnostic)};
        case LDAP_STRONG_AUTH_REQUIRED:
        case LDAP_CONFIDENTIALITY_REQUIRED:
            remedy = "; it wants an encrypted connection: use ldaps:// or starttls = yes";
            break;
        case LDAP_SERVER_DOWN:
        case LDAP_CONNECT_ERROR:
            remedy =
                diagnostic.find("ertificate") != std::string::npos
                    ? "; its certificate is not trusted, or is for another name: set ca-file, and name the "
                      "server in uri as the certificate does"
                    : "; is it up, is the port open, and does its certificate fit the name in uri (ca-file)?";
            break;
        case LDAP_TIMEOUT:
        case LDAP_TIMELIMIT_EXCEEDED:
            remedy = "; it was too slow";
            break;
        case LDAP_NO_SUCH_OBJECT:
            remedy = "; check base";
            break;
        case LDAP_SIZELIMIT_EXCEEDED:
        case LDAP_ADMINLIMIT_EXCEEDED:
            remedy = "; the server's limit for this account is too low for a whole read";
            break;
        default:
            break;
    }
    return {ExitCode::unavailable, fmt::format("{} {}: {}{}", server, what, ldap_err2string(result), remedy),
            fmt::format("result {}: {}", result, diagnostic)};
}

timeval to_timeval(std::chrono::seconds seconds) {
    return {static_cast<time_t>(seconds.count()), 0};
}

// LDAP_OPT_NETWORK_TIMEOUT does not reach into the TLS handshake: against a server that accepts the
// connection and then hangs, libldap with GnuTLS reads on for ever. While a LoginLimit lives, the socket that
// this thread's libldap connects is shut down once its time is over.
class LoginLimit {
  public:
    explicit LoginLimit(std::chrono::seconds limit) : thread_([this, limit] { wait(limit); }) {
        current = this;
    }
    ~LoginLimit() {
        current = nullptr;
        {
            const std::lock_guard lock(mutex_);
            done_ = true;
        }
        ended_.notify_one();
        thread_.join();
    }
    LoginLimit(const LoginLimit&) = delete;
    LoginLimit& operator=(const LoginLimit&) = delete;

    void take_socket(int fd) {
        const std::lock_guard lock(mutex_);
        fd_ = fd;
    }

    bool over() {
        const std::lock_guard lock(mutex_);
        return over_;
    }

    static thread_local LoginLimit* current;

  private:
    void wait(std::chrono::seconds limit) {
        std::unique_lock lock(mutex_);
        if (ended_.wait_for(lock, limit, [this] { return done_; })) return;
        over_ = true;
        if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
    }

    std::mutex mutex_;
    std::condition_variable ended_;
    int fd_ = -1;
    bool done_ = false;
    bool over_ = false;
    std::thread thread_;  // last: it uses all the others
};
thread_local LoginLimit* LoginLimit::current = nullptr;

int take_socket(LDAP*, Sockbuf* buffer, LDAPURLDesc*, sockaddr*, ldap_conncb*) {
    int fd = -1;
    if (LoginLimit::current != nullptr && ber_sockbuf_ctrl(buffer, LBER_SB_OPT_GET_FD, &fd) == 1)
        LoginLimit::current->take_socket(fd);
    return 0;
}

// The socket is about to be closed: its number may soon be somebody else's.
void forget_socket(LDAP*, Sockbuf*, ldap_conncb*) {
    if (LoginLimit::current != nullptr) LoginLimit::current->take_socket(-1);
}

Result<void> set_options(LDAP* handle, const Settings& settings) {
    const int version = LDAP_VERSION3;
    const timeval connect = to_timeval(settings.connect_timeout);
    const timeval answer = to_timeval(settings.answer_timeout);
    const int demand = LDAP_OPT_X_TLS_DEMAND;
    const int client = 0;
    const int idle = 60;
    ldap_set_option(handle, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(handle, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    ldap_set_option(handle, LDAP_OPT_NETWORK_TIMEOUT, &connect);
    ldap_set_option(handle, LDAP_OPT_TIMEOUT, &answer);
    ldap_set_option(handle, LDAP_OPT_X_KEEPALIVE_IDLE, &idle);
    ldap_set_option(handle, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
    const std::string authorities = settings.ca_file.empty() ? kSystemAuthorities : settings.ca_file.string();
    if (ldap_set_option(handle, LDAP_OPT_X_TLS_CACERTFILE, authorities.c_str()) != LDAP_OPT_SUCCESS ||
        ldap_set_option(handle, LDAP_OPT_X_TLS_NEWCTX, &client) != LDAP_OPT_SUCCESS)
        return fail(ExitCode::configuration,
                    fmt::format("cannot use the certificate authorities in {}", authorities));
    return {};
}

}  // namespace

void Session::Unbind::operator()(ldap* handle) const {
    ldap_unbind_ext(handle, nullptr, nullptr);
}

Session::Session(std::unique_ptr<ldap, Unbind> handle, std::string server, std::chrono::seconds timeout)
    : handle_(std::move(handle)), server_(std::move(server)), timeout_(timeout) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

bool credentials_refused(const Failure& failure) {
    return failure.detail.starts_with(kCredentials);
}

Result<Session> Session::open(const Settings& settings, const std::string& uri) {
    LDAP* raw = nullptr;
    if (const int result = ldap_initialize(&raw, uri.c_str()); result != LDAP_SUCCESS)
        return fail(ExitCode::configuration,
                    fmt::format("cannot use uri {}: {}", uri, ldap_err2string(result)));
    std::unique_ptr<ldap, Unbind> handle(raw);
    static ldap_conncb callback{take_socket, forget_socket, nullptr};  // libldap keeps the pointer
    ldap_set_option(raw, LDAP_OPT_CONNECT_CB, &callback);
    LoginLimit login_limit(2 * settings.connect_timeout);
    const auto slow = [&] {
        return fail(
            ExitCode::unavailable,
            uri + " accepted the connection and then did not answer in time; is it overloaded or hung?");
    };
    if (auto set = set_options(raw, settings); !set) return fail(set.error());
    if (settings.starttls)
        if (const int result = ldap_start_tls_s(raw, nullptr, nullptr); result != LDAP_SUCCESS)
            return login_limit.over() ? slow() : fail(describe(raw, uri, "did not start TLS", result));

    berval secret{};
    secret.bv_val = const_cast<char*>(settings.password.data());
    secret.bv_len = settings.password.size();
    int message_id = 0;
    if (const int result = ldap_sasl_bind(raw, settings.bind_dn.c_str(), LDAP_SASL_SIMPLE, &secret, nullptr,
                                          nullptr, &message_id);
        result != LDAP_SUCCESS)
        return login_limit.over() ? slow() : fail(describe(raw, uri, "cannot be reached", result));
    LDAPMessage* answer = nullptr;
    timeval limit = to_timeval(settings.connect_timeout + settings.connect_timeout);
    const int kind = ldap_result(raw, message_id, LDAP_MSG_ALL, &limit, &answer);
    const MessagePtr message(answer);
    if (kind <= 0)
        return fail(
            describe(raw, uri, "did not answer the login", kind == 0 ? LDAP_TIMEOUT : LDAP_SERVER_DOWN));
    int result = LDAP_OTHER;
    char* text = nullptr;
    ldap_parse_result(raw, answer, &result, nullptr, &text, nullptr, nullptr, 0);
    const std::string diagnostic = text == nullptr ? "" : printable(text);
    ldap_memfree(text);
    if (result != LDAP_SUCCESS) return fail(describe(raw, uri, "refused the login", result, diagnostic));
    return Session(std::move(handle), uri, settings.answer_timeout);
}

Result<int> Session::send_page(const std::string& base, const std::string& filter,
                               const std::vector<std::string>& attributes, const std::string& cookie) {
    berval position{};
    position.bv_val = const_cast<char*>(cookie.data());
    position.bv_len = cookie.size();
    LDAPControl* raw = nullptr;
    if (ldap_create_page_control(handle_.get(), kPageSize, &position, 1, &raw) != LDAP_SUCCESS)
        return fail(describe(handle_.get(), server_, "cannot be asked in pages", LDAP_NO_MEMORY));
    const ControlPtr control(raw);
    std::vector<char*> names;
    names.reserve(attributes.size() + 1);
    for (const std::string& name : attributes) names.push_back(const_cast<char*>(name.c_str()));
    names.push_back(nullptr);
    std::array<LDAPControl*, 2> controls{raw, nullptr};
    int message_id = 0;
    const int result =
        ldap_search_ext(handle_.get(), base.c_str(), LDAP_SCOPE_SUBTREE, filter.c_str(), names.data(), 0,
                        controls.data(), nullptr, nullptr, LDAP_NO_LIMIT, &message_id);
    if (result != LDAP_SUCCESS)
        return fail(describe(handle_.get(), server_, "could not be searched", result));
    return message_id;
}

Result<Page> Session::finish_page(int message_id, std::string& cookie) {
    LDAPMessage* raw = nullptr;
    timeval limit = to_timeval(timeout_);
    const int kind = ldap_result(handle_.get(), message_id, LDAP_MSG_ALL, &limit, &raw);
    const MessagePtr chain(raw);
    if (kind <= 0)
        return fail(describe(handle_.get(), server_, "broke off the search",
                             kind == 0 ? LDAP_TIMEOUT : LDAP_SERVER_DOWN));

    LDAPMessage* last = ldap_first_message(handle_.get(), raw);
    while (last != nullptr && ldap_msgtype(last) != LDAP_RES_SEARCH_RESULT)
        last = ldap_next_message(handle_.get(), last);
    if (last == nullptr)
        return fail(describe(handle_.get(), server_, "did not finish the search", LDAP_DECODING_ERROR));
    int result = LDAP_OTHER;
    char* text = nullptr;
    LDAPControl** controls = nullptr;
    ldap_parse_result(handle_.get(), last, &result, nullptr, &text, nullptr, &controls, 0);
    const std::string diagnostic = text == nullptr ? "" : printable(text);
    ldap_memfree(text);
    cookie.clear();
    bool paged = false;
    if (LDAPControl* found = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, nullptr)) {
        ber_int_t estimate = 0;
        berval position{};
        if (ldap_parse_pageresponse_control(handle_.get(), found, &estimate, &position) == LDAP_SUCCESS) {
            paged = true;
            cookie.assign(position.bv_val == nullptr ? "" : position.bv_val, position.bv_len);
            ber_memfree(position.bv_val);
        }
    }
    ldap_controls_free(controls);
    if (result != LDAP_SUCCESS)
        return fail(describe(handle_.get(), server_, "broke off the search", result, diagnostic));
    if (!paged)
        return fail(describe(handle_.get(), server_, "does not answer in pages, so the read may be cut off",
                             LDAP_NOT_SUPPORTED));
    return Page{decode(raw), cookie.empty()};
}

std::vector<Entry> Session::decode(ldapmsg* chain) const {
    std::vector<Entry> entries;
    for (LDAPMessage* message = ldap_first_entry(handle_.get(), chain); message != nullptr;
         message = ldap_next_entry(handle_.get(), message)) {
        Entry& entry = entries.emplace_back();
        char* dn = ldap_get_dn(handle_.get(), message);
        if (dn != nullptr) entry.dn = dn;
        ldap_memfree(dn);
        BerElement* position = nullptr;
        for (char* name = ldap_first_attribute(handle_.get(), message, &position); name != nullptr;
             name = ldap_next_attribute(handle_.get(), message, position)) {
            Attribute& attribute = entry.attributes.emplace_back();
            attribute.name = name;
            berval** values = ldap_get_values_len(handle_.get(), message, name);
            for (int i = 0; values != nullptr && values[i] != nullptr; ++i)
                attribute.values.emplace_back(values[i]->bv_val, values[i]->bv_len);
            ldap_value_free_len(values);
            ldap_memfree(name);
        }
        ber_free(position, 0);
    }
    return entries;
}

Result<void> Session::search_paged(const std::string& base, const std::string& filter,
                                   const std::vector<std::string>& attributes, const TakePage& take) {
    std::string cookie;
    auto message_id = send_page(base, filter, attributes, cookie);
    for (;;) {
        if (!message_id) return fail(message_id.error());
        auto page = finish_page(*message_id, cookie);
        if (!page) return fail(page.error());
        // The server works at the next page while this one is taken.
        if (!page->last) message_id = send_page(base, filter, attributes, cookie);
        if (auto taken = take(std::move(page->entries)); !taken) return fail(taken.error());
        if (page->last) return {};
    }
}

Result<Entry> Session::read_entry(const std::string& dn, const std::vector<std::string>& attributes) {
    std::vector<char*> names;
    names.reserve(attributes.size() + 1);
    for (const std::string& name : attributes) names.push_back(const_cast<char*>(name.c_str()));
    names.push_back(nullptr);
    LDAPMessage* raw = nullptr;
    timeval limit = to_timeval(timeout_);
    const int result = ldap_search_ext_s(handle_.get(), dn.c_str(), LDAP_SCOPE_BASE, "(objectClass=*)",
                                         names.data(), 0, nullptr, nullptr, &limit, LDAP_NO_LIMIT, &raw);
    const MessagePtr message(raw);
    if (result != LDAP_SUCCESS) return fail(describe(handle_.get(), server_, "could not be read", result));
    std::vector<Entry> entries = decode(raw);
    if (entries.size() != 1)
        return fail(describe(handle_.get(), server_, "could not be read", LDAP_NO_SUCH_OBJECT));
    return std::move(entries.front());
}

}  // namespace postcensus::directory
