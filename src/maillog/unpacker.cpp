// SPDX-License-Identifier: MIT
#include "maillog/unpacker.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

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
    std::vector<std::string> arguments{packing_.program, "-dc"};
    // One thread: each takes address space, which is bounded.
    if (arguments[0] == "xz") arguments.emplace_back("-T1");
    auto program = Program::start(arguments);
    if (!program)
        return fail(program.error().code,
                    fmt::format("{} is packed by {}: {}; install the package {}, or pipe the unpacked log to "
                                "`postcensus scan -`",
                                name_, packing_.name, program.error().message, packing_.remedy));
    program_.emplace(*std::move(program));
    // Before its first byte of input.
    const rlimit memory{kMostMemory, kMostMemory};
    ::prlimit(program_->id(), RLIMIT_AS, &memory, nullptr);
    return {};
}

Result<void> Unpacker::feed(const Source& source) {
    if (pending_.empty()) {
        pending_.resize(kPackedBlock);
        const auto count = source(pending_.data(), pending_.size());
        pending_.resize(count.value_or(0));
        if (!count) return fail(count.error());
        if (*count == 0) {
            program_->in.reset();
            return {};
        }
    }
    const ssize_t count = ::write(program_->in.get(), pending_.data(), pending_.size());
    if (count > 0) pending_.erase(0, static_cast<std::size_t>(count));
    if (count < 0 && errno != EAGAIN && errno != EINTR)
        program_->in.reset();  // it has ended: its status says why
    return {};
}

void Unpacker::hear() {
    char block[512];
    const ssize_t count = ::read(program_->errors.get(), block, sizeof block);
    if (count > 0)
        words_.append(block, std::min(static_cast<std::size_t>(count),
                                      kMostWords - std::min(kMostWords, words_.size())));
    else if (count == 0 || errno != EINTR)
        program_->errors.reset();
}

Result<std::size_t> Unpacker::finish() {
    program_->out.reset();
    program_->in.reset();
    while (program_->errors) hear();
    const int status = program_->wait();
    program_.reset();
    if (status == 0) return 0;
    std::replace(words_.begin(), words_.end(), '\n', ' ');
    return fail(
        ExitCode::unavailable,
        fmt::format("{} cannot be unpacked to its end: {} says: {}; is the file whole?", name_,
                    packing_.program, words_.empty() ? fmt::format("status {}", status) : printable(words_)));
}

Result<std::size_t> Unpacker::read(char* into, std::size_t most, const Source& source) {
    if (!program_) return 0;
    for (;;) {
        std::array<pollfd, 3> fds{{{program_->in.get(), POLLOUT, 0},
                                   {program_->out.get(), POLLIN, 0},
                                   {program_->errors.get(), POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), -1) < 0) continue;
        if (program_->errors && fds[2].revents != 0) hear();
        if (fds[1].revents != 0) {
            const ssize_t count = ::read(program_->out.get(), into, most);
            if (count > 0) return static_cast<std::size_t>(count);
            if (count == 0 || errno != EINTR) return finish();
        } else if (program_->in && fds[0].revents != 0) {
            if (auto fed = feed(source); !fed) return fail(fed.error());
        }
    }
}

}  // namespace postcensus::maillog
