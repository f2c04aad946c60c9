// SPDX-License-Identifier: MIT
// LDAP results and AD's error codes in words for an operator, with the remedy.
#pragma once

#include <string>
#include <string_view>

#include "base/failure.h"

struct ldap;

namespace postcensus::directory {

// "SERVER WHAT: Size limit exceeded; the server's limit …". Without a `diagnostic`, the handle's own is
// taken.
Failure describe(ldap* handle, const std::string& server, std::string_view what, int result,
                 std::string diagnostic = {});

// A login that the directory refused for its credentials; `why` is for the operator.
Failure refused(const std::string& server, std::string_view why, std::string_view detail);

}  // namespace postcensus::directory
