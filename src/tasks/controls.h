// SPDX-License-Identifier: MIT
// The known-good controls of a session: recipients that exist, as far as we know. They are drawn at random
// for each session, those that the directory lists or a callout proved, and the route's `control` among them:
// a favourite may be all that a broken or caching server still knows.
#pragma once

#include <string>
#include <vector>

#include "config/configuration.h"

namespace SQLite {
class Database;
}

namespace postcensus::tasks {

// In the order in which they are asked. May be empty.
std::vector<mail::Address> draw_controls(SQLite::Database& db, const config::Route& route,
                                         const std::string& domain);

}  // namespace postcensus::tasks
