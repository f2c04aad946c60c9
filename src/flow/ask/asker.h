// SPDX-License-Identifier: MIT
// Asks: has the questions that stand in line answered by callouts, and stores what was learned. Who stands
// there was looked up first, if there are directories (flow/ask/lookups.h).
//
// Kind to the servers: at most `sessions` at once to one target, as few refused RCPTs a session as the server
// allows, as many questions as the budget allows. A session that has nothing to ask stays open for a minute,
// so the next sender need not wait for its controls. One thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "callout/session.h"
#include "census/admission.h"
#include "config/configuration.h"
#include "flow/ask/controls.h"
#include "flow/ask/destinations.h"
#include "flow/ask/targets.h"
#include "store/database.h"
#include "store/questions.h"

namespace postcensus::flow {

class Asker {
  public:
    using Clock = std::chrono::steady_clock;

    // `helo`: Postfix's myhostname, for routes that configure none. `on_evidence` is called when something
    // was stored.
    Asker(boost::asio::any_io_executor executor, const config::Configuration& configuration,
          store::Database& state, census::Admission& admission, std::string helo,
          std::function<void()> on_evidence);

    // Starts sessions for what is due and can be asked now. Never waits. Returns when to call again at the
    // latest. `stay`: sessions stay open when they have nothing to ask.
    Result<Clock::time_point> start_due(bool stay);
    // Without `stay`: what was answered could not be stored, and is asked again by the next run.
    const std::optional<Failure>& failure() const { return failure_; }

    // Sessions that run.
    std::size_t active() const { return calls_.size() + (destinations_.asking() ? 1 : 0); }
    std::size_t stopped_targets() const { return targets_.stopped(); }

    // For who comes to the end: what a worker does is over then.
    void join() { destinations_.join(); }

  private:
    using Questions = std::vector<store::Question>;

    // One session.
    struct Call {
        std::string domain;
        callout::Target target;
        std::vector<callout::Target> targets = {};  // among which it was chosen
        Clock::time_point born{};
        callout::Session* session = nullptr;
        Clock::time_point controls_at{};
        Questions asked = {};  // at the moment
        std::size_t answered = 0;
        bool stay = false;
        bool resting = false;
        bool over = false;  // another domain needs its place
        void wake() {
            if (resting) session->wake();
        }
    };

    void start_domain(const std::string& domain, bool stay, Clock::time_point now, Clock::time_point& next);
    // Questions about one domain that the same servers can answer.
    struct Group {
        std::vector<callout::Target> targets;
        Questions questions = {};
    };
    void start_group(const config::Route& route, const std::string& domain, const Group& group, bool stay,
                     Clock::time_point now, Clock::time_point& next);
    void make_room(const callout::Target& target, Clock::time_point now);
    void end_unanswerable(const std::string& domain);

    boost::asio::awaitable<void> run(std::list<Call>::iterator call, callout::Questions begin);
    boost::asio::awaitable<void> hold(Call& call, callout::Questions begin);
    boost::asio::awaitable<void> take_result(Call& call, const callout::Questions& begin,
                                             callout::SessionResult result, store::Seq began);
    Result<void> store_result(const Call& call, const callout::SessionResult& result, store::Seq began,
                              const Targets::Lesson& lesson);
    void end_others(const Call& call);

    // The first that stand in line and are not being asked. `most` of each kind are looked at.
    Result<Questions> line_of(const std::string& domain, bool sender_waits, std::size_t most);
    // Takes the next ones for a session that stands at this result, as far as the budget allows; not its
    // control: nobody vouches for himself.
    Questions take(Call& call, const callout::SessionResult& result, int most_refused);
    // Whether what stands in line has a token already: it had one when it was looked up.
    bool is_paid(const store::Question& question) const {
        return !question.sender_waits || !configuration_.directories.empty();
    }
    // None: whether they belong to the same servers is not known yet.
    std::optional<std::vector<mail::Address>> controls(const config::Route& route, const std::string& domain,
                                                       const Group& group, Clock::time_point now);

    boost::asio::any_io_executor executor_;
    const config::Configuration& configuration_;
    store::Database& state_;
    census::Admission& admission_;
    std::string helo_;
    std::function<void()> on_evidence_;
    Targets targets_;
    std::uint64_t saved_changes_ = 0;  // of the targets that are stopped
    Destinations destinations_;
    ControlDraws draws_;
    std::list<Call> calls_;
    std::set<store::AddressId> in_flight_;
    std::size_t taken_ = 0;
    std::string served_;     // the domain that a session began for last
    bool lined_up_ = false;  // once after the start
    std::optional<Failure> failure_;
};

}  // namespace postcensus::flow
