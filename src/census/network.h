// SPDX-License-Identifier: MIT
// IP networks, as an operator writes them and as the clients of a mail server belong to them. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"

namespace postcensus::census {

// "192.0.2.0/24", "2001:db8::/32", or one address.
struct Network {
    std::array<std::uint8_t, 16> bytes{};  // IPv4 as ::ffff:a.b.c.d
    int prefix = 128;
    static Result<Network> parse(std::string_view text);
    // One address, without a prefix; empty if it is none.
    static std::optional<Network> address(std::string_view text);
    bool contains(const Network& address) const;
};

// One of the networks that a client belongs to, and how many times a single one's share it has.
struct ClientNetwork {
    std::string name;  // a key, not for people
    int weight = 1;
};

// IPv4: its /24. IPv6: its /64, its /48 and its /32, as who has one address there may have them all. What is
// no address (Postfix says "unknown"): one network of all such.
std::vector<ClientNetwork> networks_of(std::string_view client);

// The one that is told to people: "192.0.2.0/24", "2001:db8:0:1::/64"; "unknown" for what is no address.
std::string spell_network_of(std::string_view client);

// The plain networks in Postfix's mynetworks; what it takes from tables and files is left out, as is what a
// "!" excludes with all that follows.
std::vector<Network> parse_mynetworks(std::string_view text);

}  // namespace postcensus::census
