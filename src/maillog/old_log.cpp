// SPDX-License-Identifier: MIT
#include "maillog/old_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/file.h"

namespace postcensus::maillog {
namespace {

// Fits into the second cache of most machines.
constexpr std::size_t kOldBlock = 256UL * 1024;

}  // namespace

// RFC 1952; several members in a row are one file (logs that were appended to each other).
struct OldLog::Inflater {
    z_stream stream{};
    std::vector<char> input = std::vector<char>(kOldBlock);
    bool member_ended = false;

    Inflater() { ::inflateInit2(&stream, 16 + MAX_WBITS); }
    ~Inflater() { ::inflateEnd(&stream); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
};

OldLog::OldLog(std::string name, UniqueFd fd) : name_(std::move(name)), fd_(std::move(fd)) {}
OldLog::OldLog(OldLog&&) noexcept = default;
OldLog& OldLog::operator=(OldLog&&) noexcept = default;
OldLog::~OldLog() = default;

Result<OldLog> OldLog::open(const std::filesystem::path& path) {
    const bool standard_input = path == "-";
    UniqueFd fd(standard_input ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    struct stat facts {};
    if (!fd || ::fstat(fd.get(), &facts) != 0)
        return fail(ExitCode::unavailable, describe_errno("cannot read", path, errno));
    if (S_ISDIR(facts.st_mode))
        return fail(ExitCode::usage, fmt::format("{} is a folder; name the log files in it", path.string()));
    OldLog log(standard_input ? "standard input" : path.string(), std::move(fd));
    if (S_ISREG(facts.st_mode)) {
        log.size_ = static_cast<std::uint64_t>(facts.st_size);
        log.written_ = from_unix_ms(facts.st_mtim.tv_sec * 1000);
        ::posix_fadvise(log.fd_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return log;
}

bool OldLog::rewind() {
    if (::lseek(fd_.get(), 0, SEEK_SET) != 0) return false;
    taken_ = overlong_ = 0;
    begin_ = end_ = 0;
    first_ = true;
    ended_ = skipping_ = false;
    inflater_.reset();
    return true;
}

Result<std::size_t> OldLog::read_raw(char* into, std::size_t most) {
    for (;;) {
        const ssize_t count = ::read(fd_.get(), into, most);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail(ExitCode::unavailable, describe_errno("cannot read", name_, errno));
        taken_ += static_cast<std::uint64_t>(count);
        return static_cast<std::size_t>(count);
    }
}

// At most so many bytes of the log itself; 0 at its end.
Result<std::size_t> OldLog::fill(char* into, std::size_t most) {
    if (first_) {
        first_ = false;
        auto count = read_raw(into, most);
        if (!count || *count < 2 || std::memcmp(into, "\x1f\x8b", 2) != 0) return count;
        inflater_ = std::make_unique<Inflater>();
        std::memcpy(inflater_->input.data(), into, *count);
        inflater_->stream.next_in = reinterpret_cast<Bytef*>(inflater_->input.data());
        inflater_->stream.avail_in = static_cast<uInt>(*count);
    }
    if (!inflater_) return read_raw(into, most);
    z_stream& stream = inflater_->stream;
    stream.next_out = reinterpret_cast<Bytef*>(into);
    stream.avail_out = static_cast<uInt>(most);
    while (stream.avail_out == most) {
        if (stream.avail_in == 0) {
            auto count = read_raw(inflater_->input.data(), inflater_->input.size());
            if (!count) return count;
            if (*count == 0 && inflater_->member_ended) return 0;
            if (*count == 0)
                return fail(ExitCode::unavailable,
                            name_ + " ends in the middle of its compressed data: was it cut off?");
            stream.next_in = reinterpret_cast<Bytef*>(inflater_->input.data());
            stream.avail_in = static_cast<uInt>(*count);
        }
        if (inflater_->member_ended) {
            // Zero bytes behind the last member are padding (gzip(1) passes over them).
            while (stream.avail_in > 0 && *stream.next_in == 0) {
                ++stream.next_in;
                --stream.avail_in;
            }
            if (stream.avail_in == 0) continue;
            ::inflateReset(&stream);
            inflater_->member_ended = false;
        }
        const int result = ::inflate(&stream, Z_NO_FLUSH);
        if (result == Z_STREAM_END)
            inflater_->member_ended = true;
        else if (result != Z_OK && result != Z_BUF_ERROR)
            return fail(ExitCode::unavailable, fmt::format("{} is no whole gzip file: {}", name_,
                                                           stream.msg == nullptr ? "damaged" : stream.msg));
    }
    return most - stream.avail_out;
}

Result<std::string_view> OldLog::next() {
    // One log is read at a time, and many may be open.
    if (!buffer_ && !(ended_ && begin_ == end_)) buffer_.reset(new char[kOldBlock + 1]);
    char* buffer = buffer_.get();
    for (;;) {
        if (buffer == nullptr) return std::string_view{};
        std::memmove(buffer, buffer + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        if (end_ == kOldBlock) {
            // A whole block without a newline: no line of a log.
            if (!std::exchange(skipping_, true)) ++overlong_;
            end_ = 0;
        }
        if (!ended_) {
            auto count = fill(buffer + end_, kOldBlock - end_);
            if (!count) return fail(count.error());
            ended_ = *count == 0;
            end_ += *count;
        }
        std::string_view block(buffer, end_);
        if (ended_) {
            begin_ = end_;
            if (block.empty() || skipping_) {
                buffer_.reset();
                inflater_.reset();
                begin_ = end_ = 0;
                return std::string_view{};
            }
            buffer[end_] = '\n';
            return std::string_view(buffer, end_ + 1);
        }
        const std::size_t last = block.rfind('\n');
        if (last == std::string_view::npos) continue;
        begin_ = last + 1;
        block = block.substr(0, last + 1);
        if (std::exchange(skipping_, false)) block.remove_prefix(block.find('\n') + 1);
        if (!block.empty()) return block;
    }
}

}  // namespace postcensus::maillog
