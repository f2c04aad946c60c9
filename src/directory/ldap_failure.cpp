// SPDX-License-Identifier: MIT
#include "directory/ldap_failure.h"

#include <fmt/format.h>
#include <ldap.h>

#include <array>

#include "base/printable.h"
#include "directory/session.h"

namespace postcensus::directory {
namespace {

constexpr const char* kCredentials = "result 49";

// The `data NNN` of AD's result 49, for the operator.
std::string_view explain_login(const std::string& diagnostic) {
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
        if (diagnostic.find(fmt::format("data {}", code)) != std::string::npos) return words;
    return "check bind-dn and password-file";
}

std::string_view remedy_for(int result, const std::string& diagnostic) {
    switch (result) {
        case LDAP_STRONG_AUTH_REQUIRED:
        case LDAP_CONFIDENTIALITY_REQUIRED:
            return "; it wants an encrypted connection: use ldaps:// or starttls = yes";
        case LDAP_SERVER_DOWN:
        case LDAP_CONNECT_ERROR:
            return diagnostic.find("ertificate") != std::string::npos
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
            fmt::format("{}: {}", kCredentials, detail)};
}

bool credentials_refused(const Failure& failure) {
    return failure.detail.starts_with(kCredentials);
}

Failure describe(ldap* handle, const std::string& server, std::string_view what, int result,
                 std::string diagnostic) {
    if (diagnostic.empty() && handle != nullptr) {
        char* text = nullptr;
        ldap_get_option(handle, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
        if (text != nullptr) diagnostic = printable(text);
        ldap_memfree(text);
    }
    if (result == LDAP_INVALID_CREDENTIALS) return refused(server, explain_login(diagnostic), diagnostic);
    return {ExitCode::unavailable,
            fmt::format("{} {}: {}{}", server, what, ldap_err2string(result), remedy_for(result, diagnostic)),
            fmt::format("result {}: {}", result, diagnostic)};
}

}  // namespace postcensus::directory
