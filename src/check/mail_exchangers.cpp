// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "base/printable.h"
#include "check/dns.h"
#include "check/parts.h"
#include "mail/address.h"
#include "postfix/lookup.h"

namespace postcensus::check {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostNamed = 5;
constexpr auto kMostTime = 3s;
constexpr std::size_t kMostHosts = 10;

// The addresses of this machine, and those that a NAT in front of it has (proxy_interfaces).
std::set<std::string> own_addresses(const Snapshot& snapshot) {
    std::set<std::string> own;
    for (const std::string& word : postfix::split_list(snapshot.value("proxy_interfaces"))) own.insert(word);
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return own;
    for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr) continue;
        std::array<char, INET6_ADDRSTRLEN> text{};
        const int family = one->ifa_addr->sa_family;
        const void* bytes = nullptr;
        if (family == AF_INET)
            bytes = &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
        else if (family == AF_INET6)
            bytes = &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
        if (bytes != nullptr && ::inet_ntop(family, bytes, text.data(), text.size()) != nullptr)
            own.insert(text.data());
    }
    ::freeifaddrs(list);
    return own;
}

class OtherHosts {
  public:
    explicit OtherHosts(const Snapshot& snapshot)
        : own_name_(mail::fold(snapshot.value("myhostname"))), own_(own_addresses(snapshot)) {}

    // Whether a host is this machine; nothing if DNS does not say.
    std::optional<bool> is_own(Resolver& resolver, const std::string& host) {
        const std::string name = mail::fold(host);
        if (name == own_name_) return true;
        const auto known = known_.find(name);
        if (known != known_.end()) return known->second;
        const auto addresses = resolver.addresses(name);
        if (!addresses) return std::nullopt;
        const bool own = std::any_of(addresses->begin(), addresses->end(),
                                     [this](const std::string& one) { return own_.contains(one); });
        known_[name] = own;
        return own;
    }

  private:
    std::string own_name_;
    std::set<std::string> own_;
    std::map<std::string, bool> known_;
};

}  // namespace

void check_mail_exchangers(const CheckScene& scene, const Tell& tell) {
    const auto& snapshot = scene.postfix.get();
    if (!snapshot) return;
    const auto end = std::chrono::steady_clock::now() + kMostTime;
    Resolver resolver;
    OtherHosts hosts(*snapshot);
    std::map<std::string, std::vector<std::string>> others;  // host -> domains
    std::size_t asked = 0;
    for (const config::Route& route : scene.configuration.routes)
        for (const std::string& domain : route.domains) {
            if (asked >= kMostNamed || std::chrono::steady_clock::now() >= end) break;
            const auto exchangers = resolver.mail_exchangers(domain);
            if (!exchangers) {
                tell(Finding::ok("postfix", "MX",
                                 exchangers.error().message + ", so other MX hosts are not known"));
                return;
            }
            ++asked;
            for (std::size_t i = 0; i < std::min(exchangers->size(), kMostHosts); ++i)
                if (hosts.is_own(resolver, (*exchangers)[i]) == false)
                    others[(*exchangers)[i]].push_back(domain);
        }
    for (const auto& [host, domains] : others)
        tell(Finding::warn(
            "postfix", "MX",
            fmt::format("{} takes mail for {} too, and is not this machine: what it accepts without asking "
                        "these tables bounces",
                        printable(host), printable(domains.front())),
            fmt::format("# run Postcensus on {} too; if it only hands mail on to this machine, name it in "
                        "[budget] relays; if it is this machine behind a NAT: proxy_interfaces = ITS-ADDRESS",
                        printable(host))));
    if (others.empty())
        tell(Finding::ok(
            "postfix", "MX",
            fmt::format("no other host is named for the {} domains that were asked about", asked)));
}

}  // namespace postcensus::check
