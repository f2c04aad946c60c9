// SPDX-License-Identifier: MIT
// A state, a configuration of two routes, and a directory in which each address is an object of its own.
#pragma once

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <vector>

#include "flow/decide/decision.h"
#include "store/domains.h"
#include "store/holds.h"
#include "store/state.h"

namespace postcensus::flow {

using namespace store;

using Texts = std::vector<std::string>;

class Town {
  public:
    Town() {
        // What the gate stops is an error in the log, not in the output of a test.
        spdlog::set_default_logger(
            std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>()));
        for (const char* domain : {"c.example", "d.example"}) {
            configuration.route_by_domain.emplace(domain, configuration.routes.size());
            configuration.routes.push_back({.name = domain, .domains = {domain}});
        }
    }

    void list(const Texts& addresses, bool closed = false) {
        Difference difference;
        for (const std::string& text : addresses) difference.changed.push_back(listing(text, {text}, closed));
        state.apply("corp", difference, now);
    }
    void unlist(const Texts& addresses) { state.apply("corp", {{}, addresses}, now); }

    flow::Decided decide() {
        const auto decided = flow::decide_all(state.database(), configuration, now);
        REQUIRE(decided);
        CHECK(state.undecided().empty());
        state.publish();
        return *decided;
    }

    void approve() {
        state.write([this](Writer& writer) { return approve_holds(writer, open_holds(writer.db), now); });
    }

    std::string answer(const std::string& text) {
        return std::string(census::name_of(state.pending(text).evidence.answered));
    }
    std::int64_t accepted() {
        return state.count("SELECT count(*) FROM address WHERE answer IN ('accept', 'closed')");
    }
    std::int64_t holds() {
        return state.read([](SQLite::Database& db) { return count_holds(db); });
    }

    TestState state;
    config::Configuration configuration;
    Time now = kNoon;
};

// n0@c.example, n1@c.example…
inline Texts many(int from, int below, const std::string& domain = "c.example") {
    Texts texts;
    for (int i = from; i < below; ++i) texts.push_back("n" + std::to_string(i) + "@" + domain);
    return texts;
}

}  // namespace postcensus::flow
