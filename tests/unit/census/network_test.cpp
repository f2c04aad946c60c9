// SPDX-License-Identifier: MIT
#include "census/network.h"

#include "catch.h"

using namespace postcensus;
using namespace postcensus::census;

namespace {

Network network(std::string_view text) {
    const auto parsed = Network::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

}  // namespace

TEST_CASE("networks hold their addresses", "[census][network]") {
    struct Case {
        const char* network;
        const char* address;
        bool inside;
    };
    const std::vector<Case> cases{
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.77/24", "192.0.2.1", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::", false},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::/0", "2001:db8::1", true},
        {"::1", "::1", true},
        {"::1/128", "::2", false},
    };
    for (const Case& one : cases) {
        CAPTURE(one.network, one.address);
        CHECK(network(one.network).contains(network(one.address)) == one.inside);
    }
    for (const char* text : {"", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/", "192.0.2/24", "2001:db8::/129",
                             "mail.example", "192.0.2.0/24x", "unknown"}) {
        CAPTURE(text);
        const auto parsed = Network::parse(text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().code == ExitCode::configuration);
    }
}

TEST_CASE("a client belongs to one network of IPv4, and to three of IPv6", "[census][network]") {
    const auto names = [](std::string_view client) {
        std::vector<std::string> out;
        for (const ClientNetwork& one : networks_of(client)) out.push_back(one.name);
        return out;
    };
    CHECK(names("192.0.2.1") == names("192.0.2.255"));
    CHECK(names("192.0.2.1") != names("192.0.3.1"));
    CHECK(names("192.0.2.1") == names("::ffff:192.0.2.9"));
    const auto one = names("2001:db8:1:2::1");
    REQUIRE(one.size() == 3);
    CHECK(one == names("2001:db8:1:2:ffff::9"));
    const auto same_48 = names("2001:db8:1:3::1");
    CHECK(same_48[0] != one[0]);
    CHECK(same_48[1] == one[1]);
    const auto same_32 = names("2001:db8:2:2::1");
    CHECK(same_32[1] != one[1]);
    CHECK(same_32[2] == one[2]);
    CHECK(names("unknown") == names(""));
    CHECK(names("unknown").size() == 1);
}

TEST_CASE("mynetworks as Postfix writes it", "[census][network]") {
    const auto count = [](std::string_view text) { return parse_mynetworks(text).size(); };
    CHECK(count("127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128") == 3);
    CHECK(count("127.0.0.0/8, 192.0.2.0/24,\n\t198.51.100.7") == 3);
    CHECK(count("hash:/etc/postfix/networks 192.0.2.0/24 /etc/postfix/more") == 1);
    CHECK(count("192.0.2.0/24 !198.51.100.1 198.51.100.0/24") == 1);
    CHECK(count("") == 0);
    const auto networks = parse_mynetworks("[2001:db8::]/32");
    REQUIRE(networks.size() == 1);
    CHECK(networks[0].contains(network("2001:db8:5::1")));
}
