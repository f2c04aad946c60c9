// SPDX-License-Identifier: MIT
// The known-good controls of a session: recipients that exist, as far as we know. They are drawn at random
// for each session, those that the directory lists or a callout proved, and the route's `control` among them:
// a favourite may be all that a broken or caching server still knows.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "callout/session.h"
#include "config/configuration.h"
#include "mail/address.h"

namespace SQLite {
class Database;
}

namespace postcensus::flow {

// In the order in which they are asked. May be empty.
std::vector<mail::Address> draw_controls(SQLite::Database& db, const config::Route& route,
                                         const std::string& domain);

// Controls of the servers that are asked: who belongs to others vouches for nothing there. Where Postfix has
// to be asked who belongs where, a draw waits until that is known of all of it: another one would only have
// more to ask. One thread.
class ControlDraws {
  public:
    using Clock = std::chrono::steady_clock;
    using Targets = std::vector<callout::Target>;
    using Draw = std::function<std::vector<mail::Address>()>;
    // None: it is not known yet, and being asked.
    using Find = std::function<std::optional<Targets>(const mail::Address&)>;

    // None: it waits.
    std::optional<std::vector<mail::Address>> take(const std::string& domain, const Targets& targets,
                                                   Clock::time_point now, const Draw& draw, const Find& find);

  private:
    struct Waiting {
        std::string domain;
        Targets targets;
        Clock::time_point since;
        std::vector<mail::Address> drawn = {};
    };
    std::list<Waiting> waiting_;
};

}  // namespace postcensus::flow
