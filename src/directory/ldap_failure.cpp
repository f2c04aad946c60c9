// SPDX-License-Identifier: MIT
#include "directory/ldap_failure.h"

#include <fmt/format.h>
#include <ldap.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/printable.h"
#include "directory/session.h"
#include "mail/address.h"

namespace postcensus::directory {
namespace {

// What AD says behind `data` in its result 49: a Windows error, in hexadecimal.
struct LoginCode {
    std::string_view code;
    bool credentials;  // of the account and its secret: to try them again brings the account nearer to its
                       // lock
    std::string_view words;
};
constexpr std::array<LoginCode, 23> kLoginCodes{{
    {"52e", true, "wrong password: check password-file"},
    {"56", true, "wrong password: check password-file"},
    {"8009030c", true, "wrong account or password: check bind-dn and password-file"},
    {"532", true, "the password has expired"},
    {"533", true, "the account is disabled"},
    {"701", true, "the account has expired"},
    {"773", true, "the password must be changed first"},
    {"775", true, "the account is locked"},
    {"525", false, "there is no such user: check bind-dn"},
    {"52f", false,
     "a restriction of the account forbids this kind of login (a member of Protected Users, an "
     "authentication policy, an "
     "empty password)"},
    {"530", false, "the account may not log on at this time: check its logon hours"},
    {"531", false,
     "the account may not log on from this machine: check the workstations that it is limited to"},
    {"534", false,
     "the account was not granted this type of login at the domain controller: check its user rights"},
    {"569", false,
     "the account was not granted this type of login at the domain controller: check its user rights"},
    {"568", false,
     "the account is a member of too many groups (too many context identifiers): take it out of them, it "
     "needs none"},
    {"51f", false,
     "the server finds no domain controller that could check the login: look at its replication and DNS"},
    {"5", false, "access denied: the server forbids this login by a policy"},
    {"80090346", false,
     "channel binding: the server wants the login bound to the TLS connection, and this one was not, or "
     "something between "
     "us and it takes TLS apart. Name the server itself in uri; with bind = gssapi use ldap://, which "
     "Kerberos seals"},
    {"80090308", false, "the server could not read the login; does it support this way to log in (bind)?"},
    {"80090302", false, "the server does not support this way to log in (bind)"},
    {"80090311", false,
     "the server finds no authority that could check the login: look at its replication and DNS"},
    {"80090322", false,
     "the ticket is for another server: name it in uri as its account does, with its full name"},
    {"80090324", false, "the clocks of this machine and the server are too far apart"},
}};

// "52e" of "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v4563"; empty
// if there is none.
std::string login_code(const std::string& diagnostic) {
    static constexpr std::string_view kData = "data ";
    const std::size_t found = diagnostic.rfind(kData);
    if (found == std::string::npos ||
        (found > 0 && std::isalnum(static_cast<unsigned char>(diagnostic[found - 1]))))
        return {};
    std::string code = mail::fold(std::string_view(diagnostic).substr(found + kData.size()));
    if (code.starts_with("0x")) code.erase(0, 2);
    code.resize(std::min(code.find_first_not_of("0123456789abcdef"), code.size()));
    code.erase(0, std::min(code.find_first_not_of('0'), code.size()));
    return code;
}

// Result 49. Without a code that says what it is, it is taken for a wrong password.
Failure describe_login(const std::string& server, const std::string& diagnostic) {
    const std::string code = login_code(diagnostic);
    const auto known = std::find_if(kLoginCodes.begin(), kLoginCodes.end(),
                                    [&](const LoginCode& one) { return one.code == code; });
    const std::string said =
        diagnostic.empty() ? "" : fmt::format(" (the server says: {})", printable(diagnostic, 200));
    if (known == kLoginCodes.end() && code.empty())
        return refused(server, "check bind-dn and password-file" + said, diagnostic);
    const std::string why =
        (known == kLoginCodes.end() ? "for a reason of its own, which is no wrong password"
                                    : std::string(known->words)) +
        said;
    if (known != kLoginCodes.end() && known->credentials) return refused(server, why, diagnostic);
    return {ExitCode::unavailable, fmt::format("{} refused the login: {}", server, why),
            fmt::format("login refused, data {}: {}", code, diagnostic)};
}

// The words are those of libldap and its TLS library.
bool is_untrusted(int result, const std::string& diagnostic) {
    return (result == LDAP_SERVER_DOWN || result == LDAP_CONNECT_ERROR) &&
           diagnostic.find("ertificate") != std::string::npos;
}

std::string_view remedy_for(int result, const std::string& diagnostic) {
    switch (result) {
        case LDAP_STRONG_AUTH_REQUIRED:
        case LDAP_CONFIDENTIALITY_REQUIRED:
            return "; it wants an encrypted connection: use ldaps:// or starttls = yes";
        case LDAP_SERVER_DOWN:
        case LDAP_CONNECT_ERROR:
            return is_untrusted(result, diagnostic)
                       ? "; its certificate is not trusted, or is for another name: set ca-file, and name "
                         "the server in uri as the certificate does"
                       : "; is it up, is the port open, and does its certificate fit the name in uri "
                         "(ca-file)?";
        case LDAP_TIMEOUT:
        case LDAP_TIMELIMIT_EXCEEDED:
            return "; it was too slow";
        case LDAP_NO_SUCH_OBJECT:
            return "; check base";
        case LDAP_REFERRAL:
            return "; base belongs to another server or domain: name that one in uri";
        case LDAP_SIZELIMIT_EXCEEDED:
        case LDAP_ADMINLIMIT_EXCEEDED:
            return "; the server's limit for this account is too low for a whole read";
        case LDAP_BUSY:
        case LDAP_UNAVAILABLE:
            return "; it is overloaded or going down: the next run tries again";
        default:
            return "";
    }
}

}  // namespace

Failure refused(const std::string& server, std::string_view why, std::string_view detail) {
    return {ExitCode::unavailable, fmt::format("{} refused the login: {}", server, why),
            fmt::format("result 49: {}", detail), Trouble::credentials};
}

bool credentials_refused(const Failure& failure) {
    return failure.trouble == Trouble::credentials;
}

Failure describe(ldap* handle, const std::string& server, std::string_view what, int result,
                 std::string diagnostic) {
    if (diagnostic.empty() && handle != nullptr) {
        char* text = nullptr;
        ldap_get_option(handle, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
        if (text != nullptr) diagnostic = printable(text);
        ldap_memfree(text);
    }
    if (result == LDAP_INVALID_CREDENTIALS) return describe_login(server, diagnostic);
    return {ExitCode::unavailable,
            fmt::format("{} {}: {}{}", server, what, ldap_err2string(result), remedy_for(result, diagnostic)),
            fmt::format("result {}: {}", result, diagnostic),
            is_untrusted(result, diagnostic) ? Trouble::certificate : Trouble::other};
}

}  // namespace postcensus::directory
