// SPDX-License-Identifier: MIT
#include "tasks/controls.h"

#include <algorithm>
#include <random>

#include "store/callouts.h"

namespace postcensus::tasks {
namespace {

// Some for the beginning of a session, and others behind what it refuses.
constexpr std::size_t kMostControls = 8;

}  // namespace

std::vector<mail::Address> draw_controls(SQLite::Database& db, const config::Route& route,
                                         const std::string& domain) {
    std::vector<mail::Address> drawn = store::known_good(db, domain, kMostControls);
    const auto& control = route.callout.control;
    if (!control || control->domain() != domain ||
        std::find(drawn.begin(), drawn.end(), *control) != drawn.end())
        return drawn;
    std::random_device chance;
    const auto place = std::uniform_int_distribution<std::ptrdiff_t>(0, std::ssize(drawn))(chance);
    drawn.insert(drawn.begin() + place, *control);
    return drawn;
}

}  // namespace postcensus::tasks
