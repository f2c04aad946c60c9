// SPDX-License-Identifier: MIT
#include "base/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>
#include <utility>

namespace postcensus {
namespace {

struct Pipe {
    UniqueFd read;
    UniqueFd write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return fail(ExitCode::try_again,
                    fmt::format("cannot make a pipe: {}", std::generic_category().message(errno)));
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string find_program(const std::string& name) {
    if (name.find('/') != std::string::npos) return name;
    const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody changes the environment
    std::string folders = path == nullptr ? "/usr/bin:/bin" : path;
    folders += ":/usr/sbin:/sbin";
    for (std::size_t start = 0; start <= folders.size();) {
        const std::size_t end = std::min(folders.find(':', start), folders.size());
        std::string candidate = folders.substr(start, end - start) + "/" + name;
        if (::access(candidate.c_str(), X_OK) == 0) return candidate;
        start = end + 1;
    }
    return name;
}

class SpawnActions {
  public:
    SpawnActions() { posix_spawn_file_actions_init(&actions_); }
    ~SpawnActions() { posix_spawn_file_actions_destroy(&actions_); }
    SpawnActions(const SpawnActions&) = delete;
    SpawnActions& operator=(const SpawnActions&) = delete;
    void dup(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }
    // Not every library opens its sockets close-on-exec.
    void close_from(int first) { posix_spawn_file_actions_addclosefrom_np(&actions_, first); }
    const posix_spawn_file_actions_t* get() const { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_{};
};

Result<pid_t> spawn(const std::vector<std::string>& arguments, int in, int out, int err) {
    SpawnActions actions;
    actions.dup(in, 0);
    actions.dup(out, 1);
    actions.dup(err, 2);
    actions.close_from(3);
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    // The child gets default signal handling and an empty mask, whatever the daemon blocks or ignores
    // (SIGPIPE).
    posix_spawnattr_t attributes{};
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t child = 0;
    const int error = posix_spawn(&child, find_program(arguments[0]).c_str(), actions.get(), &attributes,
                                  argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    if (error != 0)
        return fail(ExitCode::unavailable,
                    fmt::format("cannot run {}: {}", arguments[0], std::generic_category().message(error)));
    return child;
}

// Feeds `input` and collects both outputs until all pipes are closed or the limit is over. True if it ended
// by itself.
bool exchange(Program& program, std::string_view input, std::chrono::steady_clock::time_point end,
              ProcessResult& result) {
    if (input.empty()) program.in.reset();
    char block[16384];
    while (program.out || program.errors) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        std::array<pollfd, 3> fds{{{program.in.get(), POLLOUT, 0},
                                   {program.out.get(), POLLIN, 0},
                                   {program.errors.get(), POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), static_cast<int>(std::min<long long>(left.count(), 60'000))) <= 0)
            continue;
        if (program.in && fds[0].revents != 0) {
            const ssize_t count = ::write(program.in.get(), input.data(), input.size());
            if (count > 0) input.remove_prefix(static_cast<std::size_t>(count));
            if ((count < 0 && errno != EAGAIN && errno != EINTR) || input.empty()) program.in.reset();
        }
        const auto drain = [&block](UniqueFd& fd, short events, std::string& into, std::size_t most) {
            if (!fd || events == 0) return;
            const ssize_t count = ::read(fd.get(), block, sizeof block);
            if (count > 0) into.append(block, std::min(static_cast<std::size_t>(count), most - into.size()));
            if (count == 0 || (count < 0 && errno != EINTR)) fd.reset();
        };
        drain(program.out, fds[1].revents, result.output, std::string::npos);
        drain(program.errors, fds[2].revents, result.errors, kMostErrors);
    }
    return true;
}

// Waits for the end of a program that has closed its outputs: it may still hang. False when the limit is
// over.
bool wait_for_end(pid_t child, std::chrono::steady_clock::time_point end) {
    const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    if (!handle) return true;  // a kernel before 5.3: waitpid() has to do
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        pollfd ended{handle.get(), POLLIN, 0};
        if (::poll(&ended, 1, static_cast<int>(std::min<long long>(left.count(), 60'000))) > 0) return true;
    }
}

// Of this thread's programs that have ended.
thread_local std::chrono::nanoseconds work_of_programs{};

std::chrono::nanoseconds to_duration(const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

}  // namespace

std::chrono::nanoseconds work_of_this_thread() {
    timespec own{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
    return std::chrono::seconds(own.tv_sec) + std::chrono::nanoseconds(own.tv_nsec) + work_of_programs;
}

Result<Program> Program::start(const std::vector<std::string>& arguments) {
    auto in = make_pipe();
    auto out = make_pipe();
    auto errors = make_pipe();
    for (const auto* pipe : {&in, &out, &errors})
        if (!*pipe) return fail(pipe->error());
    const auto child = spawn(arguments, in->read.get(), out->write.get(), errors->write.get());
    if (!child) return fail(child.error());
    Program program;
    program.id_ = *child;
    program.in = std::move(in->write);
    program.out = std::move(out->read);
    program.errors = std::move(errors->read);
    ::fcntl(program.in.get(), F_SETFL, O_NONBLOCK);
    return program;
}

Program::Program(Program&& other) noexcept
    : in(std::move(other.in)),
      out(std::move(other.out)),
      errors(std::move(other.errors)),
      id_(std::exchange(other.id_, -1)) {}

Program::~Program() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    wait();
}

int Program::wait() {
    int status = 0;
    rusage used{};
    while (::wait4(id_, &status, 0, &used) < 0 && errno == EINTR) {
    }
    id_ = -1;
    work_of_programs += to_duration(used.ru_utime) + to_duration(used.ru_stime);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Result<ProcessResult> run_process(const std::vector<std::string>& arguments, const std::string& input,
                                  std::chrono::milliseconds limit) {
    auto program = Program::start(arguments);
    if (!program) return fail(program.error());
    ProcessResult result;
    const auto end = std::chrono::steady_clock::now() + limit;
    if (!exchange(*program, input, end, result) || !wait_for_end(program->id(), end))
        return fail(ExitCode::unavailable, fmt::format("{} did not end within {} s and was killed",
                                                       arguments[0], limit.count() / 1000));
    result.status = program->wait();
    return result;
}

}  // namespace postcensus
