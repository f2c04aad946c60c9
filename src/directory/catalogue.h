// SPDX-License-Identifier: MIT
// Whether a global catalogue can be read instead of a domain controller. Blocks.
#pragma once

#include "directory/session.h"

namespace postcensus::directory {

// A Failure if the forest's schema keeps an attribute that is read out of the catalogue
// (isMemberOfPartialAttributeSet).
Result<void> check_catalogue(Session& session);

}  // namespace postcensus::directory
