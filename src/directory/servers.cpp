// SPDX-License-Identifier: MIT
#include "directory/servers.h"

#include <fmt/format.h>
#include <ldap.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <sstream>

#include "base/printable.h"
#include "mail/address.h"

namespace postcensus::directory {
namespace {

constexpr std::size_t kLongestList = 200;

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

// "dc1.corp.example" of "dc1.corp.example:389"; empty if it holds what a URI would read in another way ("/"
// and
// "@" are allowed in DNS).
std::string name_of_host(const std::string& host) {
    std::string name = mail::fold(host.substr(0, host.rfind(':')));
    if (name.ends_with('.')) name.pop_back();
    const bool plain = std::all_of(name.begin(), name.end(), [](char byte) {
        return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' ||
               byte == '.';
    });
    return plain ? name : std::string{};
}

bool lies_in(const std::string& name, std::string domain) {
    domain = mail::fold(domain);
    if (domain.ends_with('.')) domain.pop_back();
    return !name.empty() && !domain.empty() && (name == domain || name.ends_with("." + domain));
}

}  // namespace

Result<std::vector<std::string>> uris_of(const Settings& settings, const std::vector<std::string>& hosts) {
    std::vector<std::string> uris;
    std::string others;
    for (const std::string& host : hosts) {
        // Kerberos proves the server to us, and sends no secret.
        const std::string name = name_of_host(host);
        if (!name.empty() && (settings.bind == Bind::gssapi || lies_in(name, settings.domain)))
            uris.push_back(uri_of(settings, name + host.substr(std::min(host.rfind(':'), host.size()))));
        else if (others.size() < kLongestList)
            others += (others.empty() ? "" : ", ") + printable(host);
    }
    if (others.empty()) return uris;
    const std::string what = fmt::format(
        "DNS names servers outside of {}: {}. Whoever answers DNS would get the password, so they are not "
        "asked; if "
        "they are right, write them in uri instead of domain",
        settings.domain, others);
    if (uris.empty()) return fail(ExitCode::unavailable, what);
    spdlog::warn("{}: {}", settings.name, what);
    return uris;
}

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
    return uris_of(settings, hosts);
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
