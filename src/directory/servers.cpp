// SPDX-License-Identifier: MIT
#include "directory/servers.h"

#include <fmt/format.h>
#include <ldap.h>

#include <algorithm>
#include <memory>
#include <sstream>

namespace postcensus::directory {
namespace {

struct Url {
    LDAPURLDesc* parts = nullptr;
    explicit Url(const std::string& text) {
        if (ldap_url_parse(text.c_str(), &parts) != LDAP_URL_SUCCESS) parts = nullptr;
    }
    ~Url() { ldap_free_urldesc(parts); }
    Url(const Url&) = delete;
    Url& operator=(const Url&) = delete;
};

// "host:port host:port" of the SRV records, by priority and weight (RFC 2782).
std::vector<std::string> ask_dns(const std::string& domain) {
    char* list = nullptr;
    const bool found = ldap_domain2hostlist(domain.c_str(), &list) == LDAP_SUCCESS && list != nullptr;
    const std::unique_ptr<char, void (*)(void*)> owner(list, ldap_memfree);
    std::vector<std::string> hosts;
    if (!found) return hosts;
    std::istringstream words{std::string(list)};
    for (std::string host; words >> host;) hosts.push_back(host);
    return hosts;
}

// Kerberos seals a plain connection, and StartTLS begins on one; all else needs LDAPS, which has no SRV
// records of its own: the same hosts, on its own port.
std::string uri_of(const Settings& settings, const std::string& host) {
    if (settings.starttls || settings.bind == Bind::gssapi || settings.insecure) return "ldap://" + host;
    return "ldaps://" + host.substr(0, host.rfind(':'));
}

}  // namespace

Result<std::vector<std::string>> candidates(const Settings& settings) {
    if (settings.domain.empty()) return settings.uris;
    std::vector<std::string> hosts;
    if (!settings.site.empty()) hosts = ask_dns(settings.site + "._sites." + settings.domain);
    for (const std::string& host : ask_dns(settings.domain))
        if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) hosts.push_back(host);
    if (hosts.empty())
        return fail(ExitCode::unavailable,
                    fmt::format("DNS names no server for _ldap._tcp.{}; is /etc/resolv.conf right? Or write "
                                "uri instead of domain",
                                settings.domain));
    std::vector<std::string> uris;
    uris.reserve(hosts.size());
    for (const std::string& host : hosts) uris.push_back(uri_of(settings, host));
    return uris;
}

std::string short_name(const std::string& uri) {
    const Url url(uri);
    if (url.parts == nullptr || url.parts->lud_host == nullptr) return uri;
    const std::string host = url.parts->lud_host;
    const bool address =
        host.find(':') != std::string::npos || host.find_first_not_of("0123456789.") == std::string::npos;
    return address ? host : host.substr(0, host.find('.'));
}

bool is_catalogue(const std::string& uri) {
    const Url url(uri);
    return url.parts != nullptr && (url.parts->lud_port == 3268 || url.parts->lud_port == 3269);
}

}  // namespace postcensus::directory
