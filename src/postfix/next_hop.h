// SPDX-License-Identifier: MIT
// Where Postfix would verify or deliver an address: address_verify_transport_maps (by default
// transport_maps), else address_verify_relay_transport (by default relay_transport); transport(5),
// ADDRESS_VERIFICATION_README. Blocks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "mail/address.h"
#include "postfix/extension.h"

namespace postcensus::postfix {

struct Host {
    std::string name;  // or address
    std::uint16_t port = 25;
    bool operator==(const Host&) const = default;
};

// The hosts in "relay:[ex1.corp.example]:2525, [ex2.corp.example]:2525", in their order. A name without
// brackets is taken for a host, not for a domain with MX records. None where nobody answers RCPT TO over
// SMTP: error:, discard:, a socket, or no next hop.
std::vector<Host> hosts_of(std::string_view transport);

// The keys that Postfix asks a transport table for, in their order.
std::vector<std::string> transport_keys(const mail::Address& address, const Extensions& extensions);

class NextHops {
  public:
    // Reads main.cf.
    static Result<NextHops> open(const std::filesystem::path& config_dir);

    // None: Postfix names no host for it. A Failure: a table did not answer.
    Result<std::vector<Host>> find(const mail::Address& address) const;

  private:
    std::filesystem::path config_dir_;
    std::vector<std::string> tables_;
    std::string relay_transport_;
    Extensions extensions_;
};

}  // namespace postcensus::postfix
