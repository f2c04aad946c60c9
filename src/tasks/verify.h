// SPDX-License-Identifier: MIT
// Asks: takes the questions that are due from the queue, has them answered, and stores what was learned. What
// a sender waits for is looked up in the directories first, live; what they do not list is called out.
//
// Kind to the servers: at most `sessions` at once to one target, as few refused RCPTs a session as the server
// allows, a target or domain that is at fault is left alone and tried again with the controls alone, after 5
// s, then twice as long, at most 60 s. One thread. What is remembered of targets and domains here is pacing,
// not evidence: it may be lost.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "callout/session.h"
#include "config/configuration.h"
#include "store/database.h"
#include "store/questions.h"
#include "tasks/follow_directory.h"

namespace postcensus::tasks {

class Asker {
  public:
    using Clock = std::chrono::steady_clock;

    // `helo`: Postfix's myhostname, for routes that configure none. `on_evidence` is called when something
    // was stored.
    Asker(boost::asio::any_io_executor executor, const config::Configuration& configuration,
          store::Database& state, std::string helo, std::function<void()> on_evidence);

    // Starts sessions for what is due and can be asked now. Never waits. Returns when to call again at the
    // latest.
    Result<Clock::time_point> start_due();

    // With directories, a question of a waiting sender is called out only after it was looked up: who calls
    // this does that (next_lookups(), then take_answer()), whenever `on_due` says that there is something.
    void look_up_first(std::function<void()> on_due) { on_lookups_due_ = std::move(on_due); }

    // Questions to look up now, in the form of a request. Empty: there are none.
    struct Lookups {
        std::vector<store::Question> questions;
        AddressFinder::Request request;
    };
    Result<Lookups> next_lookups();
    // Stores what the directories said. Where nobody else can be asked, the question ends here. A Failure: it
    // is not stored; call again.
    Result<void> take_answer(const Lookups& lookups, const AddressFinder::Answer& answer);

    // Sessions that run.
    int active() const { return active_; }
    std::size_t stopped_targets() const;

  private:
    struct Pause {
        Clock::time_point until{};
        std::chrono::seconds length{0};
        bool stopped = false;
        void stop(Clock::time_point now);
        void pass() { *this = {}; }
    };
    struct TargetFacts {
        Pause pause;
        int sessions = 0;
        census::Refusals refusals;
        bool loaded = false;  // from the state
    };
    struct DomainFacts {
        Pause pause;
        std::optional<mail::Address> last_good;
    };

    bool needs_lookup(const store::Question& question) const {
        return on_lookups_due_ && question.cause == "miss" && !looked_up_.contains(question.id);
    }
    void take_absence(store::Writer& writer, const store::Question& question, const config::Route& route,
                      const AddressFinder::Answer& answer, Time now);
    void start_domain(const std::string& domain, std::vector<store::Question> questions,
                      Clock::time_point now, Clock::time_point& next);
    boost::asio::awaitable<void> run(callout::Questions asked, std::vector<store::Question> questions,
                                     store::Seq began);
    std::vector<mail::Address> controls(const config::Route& route, const std::string& domain,
                                        const std::vector<store::Question>& questions);
    TargetFacts& facts_of(const callout::Target& target);
    void learn(const callout::Questions& asked, const callout::SessionResult& result);
    Result<void> store_result(const callout::Questions& asked, const std::vector<store::Question>& questions,
                              const callout::SessionResult& result, store::Seq began);

    boost::asio::any_io_executor executor_;
    const config::Configuration& configuration_;
    store::Database& state_;
    std::string helo_;
    std::function<void()> on_evidence_;
    std::map<std::string, TargetFacts> targets_;
    std::map<std::string, DomainFacts> domains_;
    std::set<store::AddressId> in_flight_;
    std::set<store::AddressId> looked_up_;  // found in no directory, so to be called out
    std::function<void()> on_lookups_due_;
    int active_ = 0;
};

}  // namespace postcensus::tasks
