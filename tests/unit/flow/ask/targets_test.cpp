// SPDX-License-Identifier: MIT
#include "flow/ask/targets.h"

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include "store/state.h"

using namespace postcensus;
using namespace postcensus::flow;
using namespace std::chrono_literals;
using callout::Health;

namespace {

mail::Address at_corp(const std::string& local) {
    return mail::Address::from_internal(local + "@corp.example").value();
}

struct Scene {
    Scene() {
        spdlog::set_default_logger(
            std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>()));
    }
    Targets::Opening opening(const std::string& domain = "corp.example") {
        return targets.opening(servers, 4, domain, now);
    }
    // What a session shows that began as this opening says.
    Targets::Lesson learn(const Targets::Opening& opening, callout::SessionResult result) {
        const callout::Questions began{.target = servers[0],
                                       .random_control = at_corp("random"),
                                       .known_good = {},
                                       .recipients = {},
                                       .wary = opening.wary};
        return targets.learn({.began_with = began, .result = result, .controls_at = now}, now);
    }

    store::TestState state;
    Targets targets{state.database()};
    const std::vector<callout::Target> servers{{"ex1.corp.example", 2525}};
    Targets::Clock::time_point now{};
};

const callout::SessionResult kPassed{.health = Health::passed};
const callout::SessionResult kAll{.health = Health::passed, .all_accepted = true};
const callout::SessionResult kRefused{.health = Health::passed, .controls_refused = {at_corp("gone")}};

}  // namespace

TEST_CASE("sessions are wary until all known-good controls of one are accepted", "[flow][targets]") {
    Scene scene;
    const auto careless = scene.opening();
    CHECK_FALSE(careless.wary);
    CHECK_FALSE(scene.learn(careless, kPassed).doubtful);
    // One that began at the same time has found it.
    CHECK(scene.learn(careless, kRefused).doubt_begins);
    CHECK(scene.learn(careless, kPassed).doubtful);
    CHECK(scene.learn(careless, kAll).doubtful);
    const auto wary = scene.opening();
    CHECK(wary.wary);
    CHECK_FALSE(scene.opening("other.example").wary);
    // Nothing was refused in this one: not all of them were asked.
    CHECK_FALSE(scene.learn(wary, kPassed).doubtful);
    CHECK(scene.opening().wary);
    CHECK_FALSE(scene.learn(wary, kRefused).doubt_begins);
    CHECK(scene.opening().wary);
    CHECK_FALSE(scene.learn(wary, {.health = Health::retry, .all_accepted = true}).doubtful);
    scene.now += 10s;
    CHECK(scene.opening().wary);
    scene.learn(wary, kAll);
    CHECK_FALSE(scene.opening().wary);
    CHECK_FALSE(scene.learn(careless, kPassed).doubtful);
}

TEST_CASE("an outage leaves doubt behind", "[flow][targets]") {
    Scene scene;
    scene.learn(scene.opening(), {.health = Health::fault, .controls_refused = {at_corp("a"), at_corp("b")}});
    CHECK(scene.opening().target == nullptr);
    scene.now += 10s;
    CHECK(scene.opening().controls_only);
    CHECK(scene.opening().wary);
    scene.learn(scene.opening(), kPassed);
    CHECK_FALSE(scene.opening().controls_only);
    CHECK(scene.opening().wary);
}
