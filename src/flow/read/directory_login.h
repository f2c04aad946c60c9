// SPDX-License-Identifier: MIT
// Opens a directory for a reading: the server that is followed, or another one when it is away; and never
// with credentials that were refused a while ago.
#pragma once

#include "base/clock.h"
#include "directory/reader.h"
#include "store/database.h"

namespace postcensus::flow {

enum class Other {
    never,    // only the server whose changes are followed
    later,    // another one too, once the followed one has been away for a while: what was written there last
              // needs time to reach the others, and would look as if it were gone
    at_once,  // an operator wants it
};

// Writes down when the followed server began to be away, and that a login was refused.
Result<directory::Reader> open_directory(store::Database& state, const directory::Settings& settings,
                                         Other other, directory::Interrupt* interrupt);

// Opens any server, for a question that needs no position: the followed one first.
Result<directory::Reader> open_for_questions(store::Database& state, const directory::Settings& settings,
                                             directory::Interrupt* interrupt);

// Opens this server and no other, for a test of it. Without a state there is nowhere to remember a refusal.
Result<directory::Reader> open_server(store::Database* state, const directory::Settings& settings,
                                      const std::string& uri, directory::Interrupt* interrupt);

}  // namespace postcensus::flow
