// SPDX-License-Identifier: MIT
// What to type in the Exchange Management Shell for what a callout found. docs/exchange.md explains it.
#pragma once

#include <string>

#include "callout/session.h"

namespace postcensus::check {

// A receive connector of its own for this gateway. May ask DNS for the server's address.
std::string connector_remedy(const callout::Target& target);

// That the server looks at each recipient of a domain.
std::string validation_remedy(const std::string& domain);

std::string accepted_domain_remedy(const std::string& domain);

// That it refuses at once, and as often as it is asked.
std::string tarpit_remedy(const callout::Target& target);

}  // namespace postcensus::check
