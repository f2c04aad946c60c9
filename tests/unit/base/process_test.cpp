// SPDX-License-Identifier: MIT
#include "base/process.h"

#include <fcntl.h>

#include <csignal>
#include <string>

#include "base/unique_fd.h"
#include "catch.h"

using namespace postcensus;
using namespace std::chrono_literals;

namespace {

ProcessResult run(const std::string& script, const std::string& input = {}) {
    const auto result = run_process({"sh", "-c", script}, input, 30s);
    REQUIRE(result);
    return *result;
}

}  // namespace

TEST_CASE("output, errors and status come back", "[base][process]") {
    const ProcessResult result = run("echo out; echo err >&2; exit 3");
    CHECK(result.output == "out\n");
    CHECK(result.errors == "err\n");
    CHECK(result.status == 3);
    CHECK(run("kill -9 $$").status == 137);
    CHECK(run("true").status == 0);
}

TEST_CASE("a program gets no descriptor of ours", "[base][process]") {
    // As Asio and libldap make them, and dup() leaves them: not close-on-exec.
    const UniqueFd pipe_like(::open("/dev/null", O_RDONLY));
    const UniqueFd copy(::fcntl(pipe_like.get(), F_DUPFD, 200));
    REQUIRE(copy);
    CHECK(run("for fd in /proc/self/fd/*; do readlink $fd | grep -q /dev/null && echo $fd; done")
              .output.empty());
    CHECK(run("ls /proc/$$/fd | sort -n | tr '\\n' ' '").output.starts_with("0 1 2 "));
}

TEST_CASE("work is what processors did, here and in programs, not how long it took", "[base][process]") {
    const auto work_of = [](const std::string& script) {
        const auto before = work_of_this_thread();
        run(script);
        return work_of_this_thread() - before;
    };
    // A stall: nobody works.
    const auto begun = std::chrono::steady_clock::now();
    const auto stalled = work_of("sleep 0.5");
    CHECK(std::chrono::steady_clock::now() - begun >= 500ms);
    CHECK(stalled < 250ms);
    const auto busy = work_of("i=0; while [ $i -lt 400000 ]; do i=$((i + 1)); done");
    CHECK(busy > 40ms);
    CHECK(busy > stalled);
}

TEST_CASE("input larger than any pipe passes through", "[base][process]") {
    const std::string input(1'000'000, 'x');
    CHECK(run("cat", input).output == input);
    CHECK(run("cat").output.empty());
}

TEST_CASE("a program that does not read its input is no trouble", "[base][process]") {
    // As the daemon does.
    struct sigaction ignore {};
    struct sigaction old {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, &old);
    const ProcessResult result = run("exec true", std::string(1'000'000, 'x'));
    CHECK(result.status == 0);
    // SIGPIPE is default again in a child: yes ends by it.
    CHECK(run("yes | head -1").output == "y\n");
    ::sigaction(SIGPIPE, &old, nullptr);
}

TEST_CASE("errors are bounded, output is whole", "[base][process]") {
    const ProcessResult result =
        run("head -c 500000 /dev/zero | tr '\\0' e >&2; head -c 500000 /dev/zero | tr '\\0' o");
    CHECK(result.errors.size() <= 64 * 1024);
    CHECK(result.output.size() == 500'000);
}

TEST_CASE("a program that hangs is killed", "[base][process]") {
    const auto result = run_process({"sh", "-c", "exec sleep 600"}, "", 50ms);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ExitCode::unavailable);
    CHECK(result.error().message.find("sh") != std::string::npos);
}

TEST_CASE("a program that closes its outputs and hangs is killed too", "[base][process]") {
    const auto result = run_process({"sh", "-c", "exec sleep 5 >&- 2>&-"}, "", 50ms);
    CHECK_FALSE(result);
}

TEST_CASE("a grandchild that keeps the output open does not hold us up", "[base][process]") {
    const auto result = run_process({"sh", "-c", "sleep 5 & exit 0"}, "", 50ms);
    CHECK_FALSE(result);
}

TEST_CASE("a program that is not there is a failure", "[base][process]") {
    const auto result = run_process({"no-such-program-here"}, "", 1s);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ExitCode::unavailable);
    CHECK(result.error().message.find("no-such-program-here") != std::string::npos);
}

TEST_CASE("arguments are passed as they are", "[base][process]") {
    const auto result = run_process({"printf", "%s|", "a b", "$x", "", "*"}, "", 5s);
    REQUIRE(result);
    CHECK(result->output == "a b|$x||*|");
}
