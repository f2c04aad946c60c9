// SPDX-License-Identifier: MIT
#include "census/network.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace postcensus::census {
namespace {

constexpr int kIpv4Offset = 96;  // of ::ffff:0:0/96 in bits

bool is_ipv4(const Network& network) {
    return std::all_of(network.bytes.begin(), network.bytes.begin() + 10,
                       [](auto byte) { return byte == 0; }) &&
           network.bytes[10] == 0xFF && network.bytes[11] == 0xFF;
}

std::string name_of(const Network& address, std::size_t bytes) {
    // With the length in front, a /48 is never taken for a /64 that begins alike.
    std::string name(1, static_cast<char>(bytes));
    return name.append(reinterpret_cast<const char*>(address.bytes.data()), bytes);
}

}  // namespace

std::optional<Network> Network::address(std::string_view text) {
    const std::string terminated(text);
    Network network;
    in_addr v4{};
    if (::inet_pton(AF_INET, terminated.c_str(), &v4) == 1) {
        network.bytes[10] = network.bytes[11] = 0xFF;
        std::memcpy(&network.bytes[12], &v4, 4);
        return network;
    }
    if (::inet_pton(AF_INET6, terminated.c_str(), network.bytes.data()) == 1) return network;
    return std::nullopt;
}

Result<Network> Network::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    auto network = address(text.substr(0, slash));
    const bool dotted = text.substr(0, slash).find(':') == std::string_view::npos;
    const int offset = network && dotted ? kIpv4Offset : 0;
    int prefix = 128 - offset;
    bool good = network.has_value();
    if (good && slash != std::string_view::npos) {
        const auto [rest, error] =
            std::from_chars(text.data() + slash + 1, text.data() + text.size(), prefix);
        good = error == std::errc{} && rest == text.data() + text.size() && prefix >= 0 &&
               prefix <= 128 - offset;
    }
    if (!good)
        return fail(ExitCode::configuration,
                    fmt::format("'{}' is not a network; write for example 192.0.2.0/24", text));
    network->prefix = prefix + offset;
    return *network;
}

bool Network::contains(const Network& address) const {
    const auto whole = static_cast<std::size_t>(prefix / 8);
    if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(whole), address.bytes.begin()))
        return false;
    if (prefix % 8 == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xFF00U >> static_cast<unsigned>(prefix % 8));
    return ((bytes[whole] ^ address.bytes[whole]) & mask) == 0;
}

std::vector<ClientNetwork> networks_of(std::string_view client) {
    const auto address = Network::address(client);
    if (!address) return {{"", 1}};
    if (is_ipv4(*address)) return {{name_of(*address, 15), 1}};
    return {{name_of(*address, 8), 1}, {name_of(*address, 6), 4}, {name_of(*address, 4), 16}};
}

std::string spell_network_of(std::string_view client) {
    auto address = Network::address(client);
    if (!address) return "unknown";
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (is_ipv4(*address)) {
        address->bytes[15] = 0;
        ::inet_ntop(AF_INET, &address->bytes[12], text.data(), text.size());
        return std::string(text.data()) + "/24";
    }
    std::fill(address->bytes.begin() + 8, address->bytes.end(), std::uint8_t{0});
    ::inet_ntop(AF_INET6, address->bytes.data(), text.data(), text.size());
    return std::string(text.data()) + "/64";
}

std::vector<Network> parse_mynetworks(std::string_view text) {
    std::vector<Network> networks;
    constexpr std::string_view kBetween = ", \t\r\n";
    while (!text.empty()) {
        const std::size_t start = text.find_first_not_of(kBetween);
        if (start == std::string_view::npos) break;
        text.remove_prefix(start);
        std::string word(text.substr(0, text.find_first_of(kBetween)));
        text.remove_prefix(word.size());
        if (word.starts_with('!')) break;  // the first match decides there: what follows may be excluded
        std::erase_if(word, [](char c) { return c == '[' || c == ']'; });
        if (auto network = Network::parse(word)) networks.push_back(*network);
    }
    return networks;
}

}  // namespace postcensus::census
