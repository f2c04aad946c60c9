// SPDX-License-Identifier: MIT
#include "maillog/unpacker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "base/printable.h"

namespace postcensus::maillog {
namespace {

using namespace std::string_view_literals;

// xz -9 wants 65 MB, zstd --ultra 130 MB; a file that strangers could write may ask for more.
constexpr rlim_t kMostMemory = 1024UL * 1024 * 1024;
constexpr std::size_t kPackedBlock = 64UL * 1024;
constexpr std::size_t kMostWords = 1000;

constexpr std::array<Packing, 16> kPackings{{
    {"\xFD"
     "7zXZ\0"sv,
     "xz", "xz", "xz-utils"},
    {"\x5D\0\0"sv, "lzma", "xz", "xz-utils"},
    {"BZh"sv, "bzip2", "bzip2", "bzip2"},
    {"\x28\xB5\x2F\xFD"sv, "zstd", "zstd", "zstd"},
    {"\x04\x22\x4D\x18"sv, "lz4", "lz4", "lz4"},
    {"LZIP\x01"sv, "lzip", "lzip", "lzip"},
    {"\x89LZO\0\r\n\x1A\n"sv, "lzop", "lzop", "lzop"},
    {"\x1F\x9D"sv, "compress", "gzip", "gzip"},
    {"PK\x03\x04"sv, "zip", nullptr, "unzip -p FILE | postcensus scan -"},
    {"7z\xBC\xAF\x27\x1C"sv, "7-Zip", nullptr, "7z x -so FILE | postcensus scan -"},
    {"Rar!\x1A\x07"sv, "rar", nullptr, "unrar p -inul FILE | postcensus scan -"},
    {"\xFF\xFE"sv, "UTF-16", nullptr, "iconv -f UTF-16 -t UTF-8 FILE | postcensus scan -"},
    {"\xFE\xFF"sv, "UTF-16", nullptr, "iconv -f UTF-16 -t UTF-8 FILE | postcensus scan -"},
    {"LPKSHHRH"sv, "journald (a file of the journal)", nullptr,
     "journalctl --file=FILE -o short-iso | postcensus scan -"},
    {"SQLite for"sv, "SQLite", nullptr, "postcensus report"},
    {"\x7F"
     "ELF"sv,
     "ELF (a program)", nullptr, "name the log"},
}};

struct Ends {
    UniqueFd read, write;
};

Result<Ends> make_ends() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return fail(ExitCode::try_again,
                    fmt::format("cannot make a pipe: {}", std::generic_category().message(errno)));
    return Ends{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// With its signals as a program expects them. An errno, or 0.
int spawn_unpacker(const char* program, const Ends& in, const Ends& out, const Ends& errors, pid_t& child) {
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in.read.get(), 0);
    posix_spawn_file_actions_adddup2(&actions, out.write.get(), 1);
    posix_spawn_file_actions_adddup2(&actions, errors.write.get(), 2);
    posix_spawnattr_t attributes{};
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::string name = program;
    std::string options = "-dc";
    // One thread: each takes address space, which is bounded.
    std::string threads = "-T1";
    char* const more = name == "xz" ? threads.data() : nullptr;
    char* const arguments[] = {name.data(), options.data(), more, nullptr};
    const int error = posix_spawnp(&child, program, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

}  // namespace

const Packing* packing_of(std::string_view begin) {
    for (const Packing& packing : kPackings)
        if (begin.starts_with(packing.begins)) return &packing;
    return nullptr;
}

Result<std::unique_ptr<Unpacker>> Unpacker::start(const Packing& packing, const std::string& name) {
    if (packing.program == nullptr)
        return fail(ExitCode::unavailable, fmt::format("{} is no log in plain text, but {}: {}", name,
                                                       packing.name, packing.remedy));
    std::unique_ptr<Unpacker> unpacker(new Unpacker(packing, name));
    if (auto running = unpacker->run(); !running) return fail(running.error());
    return unpacker;
}

Result<void> Unpacker::run() {
    auto in = make_ends();
    auto out = make_ends();
    auto errors = make_ends();
    for (const auto* ends : {&in, &out, &errors})
        if (!*ends) return fail(ends->error());
    const int error = spawn_unpacker(packing_.program, *in, *out, *errors, child_);
    if (error != 0) {
        child_ = -1;
        return fail(
            ExitCode::unavailable,
            fmt::format("{} is packed by {}, and the program {} cannot be run: {}; install the package {}, "
                        "or pipe the unpacked log to `postcensus scan -`",
                        name_, packing_.name, packing_.program, std::generic_category().message(error),
                        packing_.remedy));
    }
    // Before its first byte of input.
    const rlimit memory{kMostMemory, kMostMemory};
    ::prlimit(child_, RLIMIT_AS, &memory, nullptr);
    in_ = std::move(in->write);
    out_ = std::move(out->read);
    errors_ = std::move(errors->read);
    ::fcntl(in_.get(), F_SETFL, O_NONBLOCK);
    return {};
}

Unpacker::~Unpacker() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

Result<void> Unpacker::feed(const Source& source) {
    if (pending_.empty()) {
        pending_.resize(kPackedBlock);
        const auto count = source(pending_.data(), pending_.size());
        pending_.resize(count.value_or(0));
        if (!count) return fail(count.error());
        if (*count == 0) {
            in_.reset();
            return {};
        }
    }
    const ssize_t count = ::write(in_.get(), pending_.data(), pending_.size());
    if (count > 0) pending_.erase(0, static_cast<std::size_t>(count));
    if (count < 0 && errno != EAGAIN && errno != EINTR) in_.reset();  // it has ended: its status says why
    return {};
}

void Unpacker::hear() {
    char block[512];
    const ssize_t count = ::read(errors_.get(), block, sizeof block);
    if (count > 0)
        words_.append(block, std::min(static_cast<std::size_t>(count),
                                      kMostWords - std::min(kMostWords, words_.size())));
    else if (count == 0 || errno != EINTR)
        errors_.reset();
}

Result<std::size_t> Unpacker::finish() {
    out_.reset();
    in_.reset();
    while (errors_) hear();
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    child_ = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    std::replace(words_.begin(), words_.end(), '\n', ' ');
    return fail(
        ExitCode::unavailable,
        fmt::format("{} cannot be unpacked to its end: {} says: {}; is the file whole?", name_,
                    packing_.program, words_.empty() ? fmt::format("status {}", status) : printable(words_)));
}

Result<std::size_t> Unpacker::read(char* into, std::size_t most, const Source& source) {
    if (child_ <= 0) return 0;
    for (;;) {
        std::array<pollfd, 3> fds{
            {{in_.get(), POLLOUT, 0}, {out_.get(), POLLIN, 0}, {errors_.get(), POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), -1) < 0) continue;
        if (errors_ && fds[2].revents != 0) hear();
        if (fds[1].revents != 0) {
            const ssize_t count = ::read(out_.get(), into, most);
            if (count > 0) return static_cast<std::size_t>(count);
            if (count == 0 || errno != EINTR) return finish();
        } else if (in_ && fds[0].revents != 0) {
            if (auto fed = feed(source); !fed) return fail(fed.error());
        }
    }
}

}  // namespace postcensus::maillog
