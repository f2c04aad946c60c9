// SPDX-License-Identifier: MIT
// The servers that callouts go to: which of them may be asked now, by how many sessions, and what was learned
// of each. One that is at fault or does not answer is left alone and tried again with the controls alone,
// after 5 s, then twice as long, at most 60 s; so is a domain that a server accepts all of. One that
// refuses a recipient who is known to exist may have lost others as well: its sessions are wary until all
// that one of them draws are known. One thread; the clock is a monotonic one. All but the pace may be lost:
// it is no evidence.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "callout/session.h"
#include "census/pacing.h"
#include "store/callouts.h"
#include "store/database.h"

namespace postcensus::flow {

class Targets {
  public:
    using Clock = std::chrono::steady_clock;
    explicit Targets(store::Database& state) : state_(state) {}

    // Whom to ask about a domain: the first of these servers that may be asked now.
    struct Opening {
        const callout::Target* target = nullptr;  // none: not before `at`
        Clock::time_point at{};
        bool controls_only = false;  // it was at fault
        bool wary = false;           // it has refused a known-good control
        int free = 0;                // sessions that it can have beside those that it has
        census::Pace pace;
    };
    Opening opening(const std::vector<callout::Target>& targets, int sessions, const std::string& domain,
                    Clock::time_point now);

    void session_begins(const callout::Target& target) { ++server(target).sessions; }
    void session_ends(const callout::Target& target, Clock::time_point now);

    // What a session has shown so far.
    struct Shown {
        const callout::Questions& began_with;  // what it was told
        const callout::SessionResult& result;
        Clock::time_point controls_at{};  // when its controls were last asked
        bool in_vain = false;             // it is over, and answered nothing that it was asked
    };
    struct Lesson {
        // Another session has found a fault or accept-all since: this one's controls are no controls any
        // more.
        bool stale = false;
        bool works_again = false;
        // Another session has met a known-good control that is refused, and this one is not wary: no refusal
        // of it counts.
        bool doubtful = false;
        bool doubt_begins = false;
    };
    Lesson learn(const Shown& shown, Clock::time_point now);
    // How it was asked, and took it.
    void learn_pace(const callout::Questions& began_with, const callout::SessionResult& result, Time now);
    void save_pace(store::Writer& writer, const callout::Target& target);

    // Targets that are left alone at the moment, and those that are so for one domain.
    std::size_t stopped() const;
    std::vector<census::BreakerLine> breakers() const;
    // Another number after they may have changed.
    std::uint64_t changes() const { return changes_; }

  private:
    struct Pause {
        Clock::time_point until{};
        Clock::time_point since{};  // it was last found
        std::chrono::seconds length{0};
        bool stopped = false;
        bool vain = false;  // for want of answers: the controls alone do not end it
        std::string reason = {};
        void stop(Clock::time_point now, const std::string& why);
        // By controls that were asked then. True: it was stopped.
        bool pass(Clock::time_point controls_at);
    };
    struct Server {
        Pause pause;
        int sessions = 0;
        // As many as it had when it turned one away; for a while no more are tried.
        std::optional<int> most_sessions;
        Clock::time_point crowded_until{};
        Clock::time_point no_session_before{};
        Clock::time_point last_end{};  // of a session
        // Seen once, and believed the second time.
        std::optional<int> suspected_limit;
        census::Pace pace;
        bool loaded = false;  // the pace, from the state
    };
    Server& server(const callout::Target& target);
    Pause& about(const callout::Target& target, const std::string& domain) {
        return pairs_[{target.text(), domain}];
    }
    Lesson learn_passed(const Shown& shown, Clock::time_point now);
    Lesson learn_failed(const Shown& shown, Clock::time_point now);
    bool learn_doubt(const Shown& shown);
    static bool is_crowded(const callout::SessionResult& result, Server& server, Clock::time_point now);

    store::Database& state_;
    std::uint64_t changes_ = 0;
    std::map<std::string, Server> servers_;
    std::map<std::string, Pause> domains_;                        // a server accepts all of it
    std::map<std::pair<std::string, std::string>, Pause> pairs_;  // a server is at fault about it
    // A server has refused one of its known-good controls, and no session has found all of them known since.
    std::set<std::pair<std::string, std::string>> doubts_;
};

}  // namespace postcensus::flow
