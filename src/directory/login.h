// SPDX-License-Identifier: MIT
// Connects and logs in: TLS, deadlines, simple binds and Kerberos. Used by Session only.
#pragma once

#include <string>

#include "base/failure.h"
#include "directory/settings.h"

struct ldap;

namespace postcensus::directory {

class Interrupt;

// Makes a handle for this URI a connection that is logged in. Blocks, at most about twice the connect timeout
// for each step.
Result<void> log_in(ldap* handle, const Settings& settings, const std::string& uri, Interrupt* interrupt);

}  // namespace postcensus::directory
