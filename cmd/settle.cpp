// SPDX-License-Identifier: MIT
#include "cmd/command.h"
#include "flow/publish/decider.h"

namespace postcensus::cmd {

using namespace std::chrono_literals;

Result<void> settle(const config::Configuration& configuration, store::Database& state) {
    auto settled = flow::settle_or_wait(configuration, state, 10s);
    if (!settled) return fail(settled.error());
    if (*settled) return {};
    return fail(ExitCode::try_again,
                "the running `watch` has not published this within 10 s; it goes on with it (see its log)");
}

}  // namespace postcensus::cmd
