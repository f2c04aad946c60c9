// SPDX-License-Identifier: MIT
#include "directory/login.h"

#include <fmt/format.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <ldap.h>
#include <sasl/sasl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "base/printable.h"
#include "directory/ldap_failure.h"
#include "directory/session.h"

namespace postcensus::directory {
namespace {

// Of an entry: AD sends at most 1,500 values of 1,123 characters at once.
constexpr ber_len_t kLargestMessage = 16UL * 1024 * 1024;
constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

timeval to_timeval(std::chrono::seconds seconds) {
    return {static_cast<time_t>(seconds.count()), 0};
}

// LDAP_OPT_NETWORK_TIMEOUT does not reach into the TLS handshake: against a server that accepts the
// connection and then hangs, libldap with GnuTLS reads on for ever. While a LoginLimit lives, the socket that
// this thread's libldap connects is shut down once its time is over.
class LoginLimit {
  public:
    explicit LoginLimit(std::chrono::seconds limit) : thread_([this, limit] { wait(limit); }) {}
    ~LoginLimit() {
        {
            const std::lock_guard lock(mutex_);
            done_ = true;
        }
        ended_.notify_one();
        thread_.join();
    }
    LoginLimit(const LoginLimit&) = delete;
    LoginLimit& operator=(const LoginLimit&) = delete;

    bool over() {
        const std::lock_guard lock(mutex_);
        return over_;
    }

    Interrupt socket;

  private:
    void wait(std::chrono::seconds limit) {
        std::unique_lock lock(mutex_);
        if (ended_.wait_for(lock, limit, [this] { return done_; })) return;
        over_ = true;
        socket.interrupt();
    }

    std::mutex mutex_;
    std::condition_variable ended_;
    bool done_ = false;
    bool over_ = false;
    std::thread thread_;  // last: it uses all the others
};

// Who is told of this thread's socket while it logs in. libldap's callbacks carry no argument of ours.
struct Listeners {
    Interrupt* limit = nullptr;
    Interrupt* interrupt = nullptr;
};
thread_local Listeners listeners;

void tell(int fd) {
    if (listeners.limit != nullptr) listeners.limit->take_socket(fd);
    if (listeners.interrupt != nullptr) listeners.interrupt->take_socket(fd);
}

int socket_opened(LDAP*, Sockbuf* buffer, LDAPURLDesc*, sockaddr*, ldap_conncb*) {
    // A message claims its length before it comes: libldap would take any into memory.
    ber_len_t most = kLargestMessage;
    ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &most);
    int fd = -1;
    if (ber_sockbuf_ctrl(buffer, LBER_SB_OPT_GET_FD, &fd) == 1) tell(fd);
    return 0;
}

// The socket is about to be closed: its number may soon be somebody else's.
void socket_closing(LDAP*, Sockbuf*, ldap_conncb*) {
    tell(-1);
}

Result<void> set_options(LDAP* handle, const Settings& settings) {
    const int version = LDAP_VERSION3;
    const timeval connect = to_timeval(settings.connect_timeout);
    const timeval answer = to_timeval(settings.answer_timeout);
    const int demand = LDAP_OPT_X_TLS_DEMAND;
    const int client = 0;
    const int idle = 60;
    static ldap_conncb callback{socket_opened, socket_closing, nullptr};  // libldap keeps the pointer
    ldap_set_option(handle, LDAP_OPT_CONNECT_CB, &callback);
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

Result<void> bind_simple(LDAP* handle, const Settings& settings, const std::string& uri) {
    berval secret{};
    secret.bv_val = const_cast<char*>(settings.password.data());
    secret.bv_len = settings.password.size();
    int message_id = 0;
    if (const int result = ldap_sasl_bind(handle, settings.bind_dn.c_str(), LDAP_SASL_SIMPLE, &secret,
                                          nullptr, nullptr, &message_id);
        result != LDAP_SUCCESS)
        return fail(describe(handle, uri, "cannot be reached", result));
    LDAPMessage* answer = nullptr;
    timeval limit = to_timeval(2 * settings.connect_timeout);
    const int kind = ldap_result(handle, message_id, LDAP_MSG_ALL, &limit, &answer);
    const std::unique_ptr<LDAPMessage, int (*)(LDAPMessage*)> message(answer, ldap_msgfree);
    if (kind <= 0)
        return fail(
            describe(handle, uri, "did not answer the login", kind == 0 ? LDAP_TIMEOUT : LDAP_SERVER_DOWN));
    int result = LDAP_OTHER;
    char* text = nullptr;
    ldap_parse_result(handle, answer, &result, nullptr, &text, nullptr, nullptr, 0);
    const std::string diagnostic = text == nullptr ? "" : printable(text);
    ldap_memfree(text);
    if (result != LDAP_SUCCESS) return fail(describe(handle, uri, "refused the login", result, diagnostic));
    return {};
}

// --- Kerberos

class Credential {
  public:
    Credential() = default;
    ~Credential() {
        OM_uint32 minor = 0;
        gss_release_cred(&minor, &value_);
    }
    Credential(const Credential&) = delete;
    Credential& operator=(const Credential&) = delete;
    gss_cred_id_t* out() { return &value_; }
    gss_cred_id_t get() const { return value_; }

  private:
    gss_cred_id_t value_ = GSS_C_NO_CREDENTIAL;
};

std::string status_text(OM_uint32 status, int kind) {
    OM_uint32 minor = 0;
    OM_uint32 more = 0;
    gss_buffer_desc words{};
    std::string text;
    if (gss_display_status(&minor, status, kind, GSS_C_NO_OID, &more, &words) == GSS_S_COMPLETE)
        text = printable(std::string_view(static_cast<const char*>(words.value), words.length));
    gss_release_buffer(&minor, &words);
    return text;
}

// What the KDC says of the account itself (krb5.h: KRB5KDC_ERR_…): to ask again may lock it.
bool refuses_account(OM_uint32 minor) {
    const auto code = static_cast<std::int32_t>(minor);
    constexpr std::array<std::int32_t, 4> kCodes{
        -1765328378,  // C_PRINCIPAL_UNKNOWN
        -1765328366,  // CLIENT_REVOKED
        -1765328361,  // KEY_EXP
        -1765328360   // PREAUTH_FAILED
    };
    return std::find(kCodes.begin(), kCodes.end(), code) != kCodes.end();
}

int no_questions(LDAP*, unsigned, void*, void* asked) {
    for (auto* question = static_cast<sasl_interact_t*>(asked); question->id != SASL_CB_LIST_END;
         ++question) {
        question->result = "";
        question->len = 0;
    }
    return LDAP_SUCCESS;
}

Result<void> bind_gssapi(LDAP* handle, const Settings& settings, const std::string& uri) {
    // A ticket cache in memory, one for each keytab; the environment stays out of it.
    const std::string keytab = "FILE:" + settings.keytab.string();
    const std::string cache = "MEMORY:" + settings.keytab.string();
    std::array<gss_key_value_element_desc, 2> places{
        {{"client_keytab", keytab.c_str()}, {"ccache", cache.c_str()}}};
    const gss_key_value_set_desc store{static_cast<OM_uint32>(places.size()), places.data()};
    OM_uint32 minor = 0;
    Credential credential;
    OM_uint32 major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, GSS_C_NO_OID_SET,
                                            GSS_C_INITIATE, &store, credential.out(), nullptr, nullptr);
    // The ticket is fetched when somebody asks about it. SASL then finds it in this thread's cache: libldap
    // takes no credential before its bind has begun.
    if (!GSS_ERROR(major))
        major = gss_inquire_cred(&minor, credential.get(), nullptr, nullptr, nullptr, nullptr);
    if (!GSS_ERROR(major)) major = gss_krb5_ccache_name(&minor, cache.c_str(), nullptr);
    if (GSS_ERROR(major)) {
        const std::string detail = status_text(minor, GSS_C_MECH_CODE);
        if (refuses_account(minor))
            return fail(refused(
                uri,
                fmt::format("Kerberos does not accept the key in {}: {}", settings.keytab.string(), detail),
                detail));
        return fail(ExitCode::unavailable,
                    fmt::format("{}: no Kerberos ticket with the keytab {}: {}; is the KDC reachable, and "
                                "does /etc/krb5.conf name the realm?",
                                uri, settings.keytab.string(), detail));
    }
    const bool tls = settings.starttls || uri.starts_with("ldaps://");
    ldap_set_option(handle, LDAP_OPT_X_SASL_NOCANON, LDAP_OPT_ON);  // the name in uri is the server's
    if (tls) {
        // AD refuses a second encryption inside TLS, and may want to know that it is this TLS (RFC 5929).
        const int binding = LDAP_OPT_X_SASL_CBINDING_TLS_ENDPOINT;
        ldap_set_option(handle, LDAP_OPT_X_SASL_CBINDING, &binding);
    }
    // Without TLS the connection must be sealed by Kerberos itself.
    ldap_set_option(handle, LDAP_OPT_X_SASL_SECPROPS, tls ? "maxssf=0" : "minssf=56");
    const int result = ldap_sasl_interactive_bind_s(handle, nullptr, "GSSAPI", nullptr, nullptr,
                                                    LDAP_SASL_QUIET, no_questions, nullptr);
    if (result == LDAP_SUCCESS) return {};
    if (result == LDAP_AUTH_UNKNOWN)
        return fail(ExitCode::configuration,
                    "this machine's SASL has no Kerberos for the login at " + uri +
                        ": install libsasl2-modules-gssapi-mit (RHEL: cyrus-sasl-gssapi)");
    Failure failure = describe(handle, uri, "refused the Kerberos login", result);
    // What SASL says is ours, not the server's: for the operator.
    if (result == LDAP_LOCAL_ERROR) failure.message += " (" + failure.detail + ")";
    return fail(failure);
}

}  // namespace

Result<void> log_in(LDAP* handle, const Settings& settings, const std::string& uri, Interrupt* interrupt) {
    if (auto set = set_options(handle, settings); !set) return set;
    LoginLimit limit(2 * settings.connect_timeout);
    listeners = {&limit.socket, interrupt};
    const auto attempt = [&]() -> Result<void> {
        if (settings.starttls)
            if (const int result = ldap_start_tls_s(handle, nullptr, nullptr); result != LDAP_SUCCESS)
                return fail(describe(handle, uri, "did not start TLS", result));
        return settings.bind == Bind::gssapi ? bind_gssapi(handle, settings, uri)
                                             : bind_simple(handle, settings, uri);
    };
    auto done = attempt();
    listeners = {};
    if (!done && limit.over())
        return fail(
            ExitCode::unavailable,
            uri + " accepted the connection and then did not answer in time; is it overloaded or hung?");
    return done;
}

}  // namespace postcensus::directory
