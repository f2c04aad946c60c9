// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>

namespace postcensus {

Result<void> set_up_log(const std::string& level) {
    if (level != "debug" && level != "info" && level != "warning" && level != "error")
        return fail(ExitCode::usage, "--log-level takes debug, info, warning or error, not '" + level + "'");
    // systemd sets JOURNAL_STREAM where standard error is the journal (systemd.exec(5)).
    if (std::getenv("JOURNAL_STREAM") != nullptr) {  // NOLINT(concurrency-mt-unsafe): before any thread
        spdlog::set_default_logger(std::make_shared<spdlog::logger>(
            "postcensus", std::make_shared<spdlog::sinks::systemd_sink_mt>("postcensus")));
    } else {
        auto logger =
            std::make_shared<spdlog::logger>("postcensus", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %l: %v");
        spdlog::set_default_logger(std::move(logger));
    }
    spdlog::set_level(spdlog::level::from_str(level));
    spdlog::flush_on(spdlog::level::debug);
    return {};
}

void log_failure(const Failure& failure) {
    if (failure.detail.empty())
        spdlog::error("{}", failure.message);
    else
        spdlog::error("{} [{}]", failure.message, failure.detail);
}

}  // namespace postcensus
