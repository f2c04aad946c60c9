// SPDX-License-Identifier: MIT
// Which missed addresses are to be looked up in the directories, live, before anybody is called out for them;
// and what their answer means. The searching itself is follow_directory's, in a worker.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "census/admission.h"
#include "config/configuration.h"
#include "flow/read/changes.h"
#include "store/database.h"
#include "store/questions.h"

namespace postcensus::flow {

class Lookups {
  public:
    using Clock = std::chrono::steady_clock;

    Lookups(const config::Configuration& configuration, store::Database& state, census::Admission& admission)
        : configuration_(configuration), state_(state), admission_(admission) {}

    struct Batch {
        std::vector<store::Question> questions;
        AddressFinder::Request request;
        Clock::time_point again{};  // when the budget allows more; max: there is nothing more
    };
    // What stands in line and the budget allows now. Not before the last batch was answered.
    Result<Batch> next();
    // Stores what the directories said, asked `at` that time. Who is not listed is called out; where nobody
    // can be, the question ends here. A Failure: it is not stored; call again.
    Result<void> take_answer(const Batch& batch, const AddressFinder::Answer& answer, const Moment& at);

  private:
    void add(SQLite::Database& db, const std::string& domain, Clock::time_point time, Batch& batch);
    void take_absence(store::Writer& writer, const store::Question& question, const config::Route& route,
                      const AddressFinder::Answer& answer, Time at, Time now);

    const config::Configuration& configuration_;
    store::Database& state_;
    census::Admission& admission_;
    std::string first_;
};

}  // namespace postcensus::flow
