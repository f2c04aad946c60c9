// SPDX-License-Identifier: MIT
// Which servers a directory has: those that the configuration names, or those that DNS does.
#pragma once

#include <string>
#include <vector>

#include "base/failure.h"
#include "directory/settings.h"

namespace postcensus::directory {

// URIs in the order to try. With `domain`, from DNS SRV records: those of the site first (Microsoft: "How
// Domain Controllers Are Located"; _ldap._tcp.SITE._sites.DOMAIN), then all others. Blocks.
Result<std::vector<std::string>> candidates(const Settings& settings);

// The same from the hosts ("dc1.corp.example:389") that DNS named. DNS proves nothing, and a certificate only
// that a host is the one that DNS named: a password is sent only to hosts in the domain itself, which the
// configuration named (RFC 4985, RFC 6125).
Result<std::vector<std::string>> uris_of(const Settings& settings, const std::vector<std::string>& hosts);

// "dc1" of ldaps://dc1.corp.example:636; an address stays whole.
std::string short_name(const std::string& uri);

// 3268 or 3269: a global catalogue, which holds a part of each object's attributes.
bool is_catalogue(const std::string& uri);

}  // namespace postcensus::directory
