// SPDX-License-Identifier: MIT
#include "postfix/next_hop.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "postfix/lookup.h"
#include "postfix/main_cf.h"

namespace postcensus::postfix {
namespace {

// "[ex1.corp.example]:2525", "ex1.corp.example:smtp", "192.0.2.1".
std::optional<Host> parse_host(std::string_view text) {
    Host host;
    std::string_view port;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        host.name = text.substr(1, end - 1);
        text.remove_prefix(end + 1);
        if (!text.empty() && !text.starts_with(':')) return std::nullopt;
        if (!text.empty()) port = text.substr(1);
        constexpr std::string_view kIpv6 = "ipv6:";
        if (mail::fold(host.name.substr(0, kIpv6.size())) == kIpv6) host.name.erase(0, kIpv6.size());
    } else {
        const std::size_t colon = text.find(':');
        host.name = text.substr(0, colon);
        if (colon != std::string_view::npos) port = text.substr(colon + 1);
    }
    if (host.name.empty() || host.name.find_first_of("/ \t\r\n[]{},") != std::string::npos)
        return std::nullopt;
    if (port.empty() || port == "smtp") return host;
    if (port == "submission") {
        host.port = 587;
        return host;
    }
    unsigned number = 0;
    const auto [rest, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || rest != port.data() + port.size() || number == 0 || number > 65535)
        return std::nullopt;
    host.port = static_cast<std::uint16_t>(number);
    return host;
}

}  // namespace

std::vector<Host> hosts_of(std::string_view transport) {
    const std::size_t colon = transport.find(':');
    if (colon == std::string_view::npos) return {};
    const std::string_view name = transport.substr(0, colon);
    const std::string_view next_hop = transport.substr(colon + 1);
    for (const std::string_view none : {"error", "retry", "discard", "local", "virtual", "lmtp"})
        if (name == none) return {};
    if (next_hop.starts_with("unix:")) return {};
    std::vector<Host> hosts;
    for (const std::string& word : split_list(next_hop.starts_with("inet:") ? next_hop.substr(5) : next_hop))
        if (auto host = parse_host(word)) hosts.push_back(*std::move(host));
    return hosts;
}

std::vector<std::string> transport_keys(const mail::Address& address, const Extensions& extensions) {
    std::vector<std::string> keys;
    const std::string local(address.local());
    const std::string domain(address.domain());
    // A local part that only a quoted one could stand for is no key of a table.
    const bool plain = std::none_of(local.begin(), local.end(), [](char c) {
        return c == '"' || c == '\\' || static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
    });
    if (plain) {
        keys.push_back(local + "@" + domain);
        if (const auto base = extensions.base_of(local)) keys.push_back(*base + "@" + domain);
    }
    keys.push_back(domain);
    for (std::size_t dot = domain.find('.'); dot != std::string::npos; dot = domain.find('.', dot + 1))
        keys.push_back(domain.substr(dot));
    keys.emplace_back("*");
    return keys;
}

Result<NextHops> NextHops::open(const std::filesystem::path& config_dir) {
    auto values =
        read_parameters(config_dir, {"address_verify_transport_maps", "address_verify_relay_transport",
                                     "recipient_delimiter", "owner_request_special", "double_bounce_sender"});
    if (!values) return fail(values.error());
    NextHops out;
    out.config_dir_ = config_dir;
    out.tables_ = tables_in((*values)["address_verify_transport_maps"]);
    out.relay_transport_ = (*values)["address_verify_relay_transport"];
    out.extensions_ = read_extensions(*values);
    return out;
}

Result<std::vector<Host>> NextHops::find(const mail::Address& address) const {
    const std::vector<std::string> keys = transport_keys(address, extensions_);
    std::vector<std::map<std::string, std::string>> found;
    for (const std::string& table : tables_) {
        const bool whole_only = is_pattern_table(table);
        auto values =
            look_up(config_dir_, table, whole_only ? std::vector<std::string>(1, keys.front()) : keys);
        if (!values) return fail(values.error());
        found.push_back(*std::move(values));
    }
    // Postfix asks all tables for the first key, then all for the next one.
    for (const std::string& key : keys)
        for (const auto& values : found)
            if (const auto value = values.find(key); value != values.end()) return hosts_of(value->second);
    return hosts_of(relay_transport_);
}

}  // namespace postcensus::postfix
