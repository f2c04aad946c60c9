// SPDX-License-Identifier: MIT
#include "flow/ask/controls.h"

#include <algorithm>
#include <random>

#include "store/callouts.h"

namespace postcensus::flow {
namespace {

// Some for the beginning of a session, and others behind what it refuses.
constexpr std::size_t kMostControls = 8;
// The one that opens a session, and two others where there is doubt.
constexpr std::size_t kEnough = 3;
// Drawn for a server that has few of a domain's recipients.
constexpr std::size_t kMostDrawn = 4 * kMostControls;
constexpr auto kPatience = std::chrono::seconds{5};  // with tables that do not answer for all of them
constexpr auto kKept = std::chrono::seconds{60};

// False: there is nobody else to draw.
bool draw_more(std::vector<mail::Address>& drawn, const ControlDraws::Draw& draw) {
    const std::size_t before = drawn.size();
    if (before >= kMostDrawn) return false;
    for (mail::Address& address : draw())
        if (std::find(drawn.begin(), drawn.end(), address) == drawn.end())
            drawn.push_back(std::move(address));
    return drawn.size() > before;
}

}  // namespace

std::vector<mail::Address> draw_controls(SQLite::Database& db, const config::Route& route,
                                         const std::string& domain) {
    std::vector<mail::Address> drawn = store::known_good(db, domain, kMostControls);
    const auto& control = route.callout.control;
    if (!control || control->domain() != domain ||
        std::find(drawn.begin(), drawn.end(), *control) != drawn.end())
        return drawn;
    if (drawn.size() == kMostControls) drawn.pop_back();
    std::random_device chance;
    const auto place = std::uniform_int_distribution<std::ptrdiff_t>(0, std::ssize(drawn))(chance);
    drawn.insert(drawn.begin() + place, *control);
    return drawn;
}

std::optional<std::vector<mail::Address>> ControlDraws::take(const std::string& domain,
                                                             const Targets& targets, Clock::time_point now,
                                                             const Draw& draw, const Find& find) {
    waiting_.remove_if([&](const Waiting& one) { return now - one.since >= kKept; });
    auto waiting = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& one) {
        return one.domain == domain && one.targets == targets;
    });
    if (waiting == waiting_.end()) waiting = waiting_.insert(waiting_.end(), {domain, targets, now});
    std::vector<mail::Address> found;
    do {
        found.clear();
        bool all_known = true;
        for (const mail::Address& address : waiting->drawn) {  // all of them: they are looked up together
            const auto its = find(address);
            all_known = all_known && its;
            if (its == targets) found.push_back(address);
        }
        if (!all_known && (found.size() < kEnough || now - waiting->since < kPatience)) return std::nullopt;
    } while (found.size() < kEnough && draw_more(waiting->drawn, draw));
    waiting_.erase(waiting);
    while (found.size() > kMostControls) found.pop_back();
    return found;
}

}  // namespace postcensus::flow
