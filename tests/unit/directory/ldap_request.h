// SPDX-License-Identifier: MIT
// Reads the requests of RFC 4511 for the scripted LDAP server of the directory tests (ldap_peer.h). What is
// malformed, too long or nested too deep is thrown as Malformed.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace postcensus::directory {

struct LdapBind;
struct LdapSearch;

struct Malformed : std::runtime_error {
    Malformed() : std::runtime_error("this is no LDAP") {}
};

// The tags of BER and LDAP that both directions use.
inline constexpr unsigned char kInteger = 0x02;
inline constexpr unsigned char kOctets = 0x04;
inline constexpr unsigned char kEnumerated = 0x0a;
inline constexpr unsigned char kSequence = 0x30;
inline constexpr unsigned char kControls = 0xa0;
inline constexpr const char* kPagedResults = "1.2.840.113556.1.4.319";  // RFC 2696

inline constexpr unsigned char kUnbindRequest = 0x42;
inline constexpr unsigned char kAbandonRequest = 0x50;
inline constexpr unsigned char kBindRequest = 0x60;
inline constexpr unsigned char kSearchRequest = 0x63;

// An LDAPMessage. The views point into its bytes.
struct LdapRequest {
    int id = 0;
    unsigned char tag = 0;
    std::string_view operation;
    std::string_view controls;
};

// Moves the content of the first LDAPMessage out of what was received, as soon as it is whole.
std::optional<std::string> take_message(std::string& received);
LdapRequest read_request(std::string_view message);
LdapBind read_bind(const LdapRequest& request, int connection);
LdapSearch read_search(const LdapRequest& request, int connection);

}  // namespace postcensus::directory
