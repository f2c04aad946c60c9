// SPDX-License-Identifier: MIT
#include "base/signals.h"

#include <unistd.h>

#include <csignal>
#include <vector>

#include "catch.h"

using namespace postcensus;
using namespace std::chrono_literals;

TEST_CASE("no signal is lost, and an end is stronger than a reload", "[base][signals]") {
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, nullptr, &before);
    hold_signals();
    struct Case {
        std::vector<int> sent;
        std::optional<int> taken;
    };
    for (const Case& one :
         {Case{{}, {}}, Case{{SIGHUP}, SIGHUP}, Case{{SIGHUP, SIGTERM}, SIGTERM},
          Case{{SIGTERM, SIGHUP}, SIGTERM}, Case{{SIGHUP, SIGINT}, SIGINT}, Case{{SIGHUP, SIGHUP}, SIGHUP}}) {
        // They wait for whoever listens next.
        for (const int signal : one.sent) ::kill(::getpid(), signal);
        auto source = SignalSource::open();
        REQUIRE(source);
        CHECK(source->take() == one.taken);
        CHECK_FALSE(source->wait(0ms));
        for (const int signal : one.sent) ::kill(::getpid(), signal);
        CHECK(source->wait(0ms) == one.taken);
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}
