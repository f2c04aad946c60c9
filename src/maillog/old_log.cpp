// SPDX-License-Identifier: MIT
#include "maillog/old_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"

namespace postcensus::maillog {
namespace {

// Fits into the second cache of most machines.
constexpr std::size_t kOldBlock = 256UL * 1024;
constexpr std::size_t kLookedAt = 4096;  // bytes that tell a text from what is none
constexpr std::string_view kGzip = "\x1f\x8b";

// Bytes that no text has are a tenth of what is packed. Zero bytes are what a crash leaves in a log.
bool is_text(std::string_view begin) {
    begin = begin.substr(0, kLookedAt);
    const auto strange = std::count_if(begin.begin(), begin.end(), [](char byte) {
        return (static_cast<unsigned char>(byte) < ' ' &&
                std::string_view("\0\t\n\r\x1b", 5).find(byte) == std::string_view::npos) ||
               byte == 0x7F;
    });
    return static_cast<std::size_t>(strange) * 20 <= begin.size();
}

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
    UniqueFd fd(standard_input ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                               : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    struct stat facts {};
    if (!fd || ::fstat(fd.get(), &facts) != 0)
        return fail_errno(ExitCode::unavailable, "cannot read", path, errno);
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
    unpacker_.reset();
    journal_.reset();
    lines_.clear();
    return true;
}

Result<std::size_t> OldLog::read_raw(char* into, std::size_t most) {
    for (;;) {
        const ssize_t count = ::read(fd_.get(), into, most);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_errno(ExitCode::unavailable, "cannot read", name_, errno);
        taken_ += static_cast<std::uint64_t>(count);
        return static_cast<std::size_t>(count);
    }
}

// As many bytes as it takes to tell what the log is.
Result<std::size_t> OldLog::read_begin(char* into, std::size_t most) {
    std::size_t size = 0;
    while (size < JournalText::kMarkBytes) {
        const auto count = unpack(into + size, most - size);
        if (!count) return count;
        if (*count == 0) break;
        size += *count;
    }
    return size;
}

// The first bytes of the log as it lies there.
Result<std::size_t> OldLog::open_text(char* into, std::size_t most) {
    auto count = read_begin(into, most);
    if (!count) return count;
    const std::string_view begin(into, *count);
    if (begin.starts_with(kGzip)) {
        inflater_ = std::make_unique<Inflater>();
        std::memcpy(inflater_->input.data(), into, *count);
        inflater_->stream.next_in = reinterpret_cast<Bytef*>(inflater_->input.data());
        inflater_->stream.avail_in = static_cast<uInt>(*count);
    } else if (const Packing* packing = packing_of(begin)) {
        auto unpacker = Unpacker::start(*packing, name_);
        if (!unpacker) return fail(unpacker.error());
        unpacker_ = *std::move(unpacker);
        unpacker_->put(begin);
    }
    if (inflater_ || unpacker_) count = read_begin(into, most);
    if (!count) return count;
    const std::string_view text(into, *count);
    if (const Packing* packing = packing_of(text); text.starts_with(kGzip) || packing)
        return fail(
            ExitCode::unavailable,
            fmt::format("{} is packed twice, or holds {}: unpack it, and pipe the log to `postcensus scan -`",
                        name_, packing == nullptr ? "gzip" : packing->name));
    if (!is_text(text))
        return fail(
            ExitCode::unavailable,
            name_ +
                " is no log in plain text, and packed by nothing that is known: unpack it, and pipe the log "
                "to `postcensus scan -`");
    if (const auto form = JournalText::form_of(text); form != JournalText::Form::none)
        journal_ = std::make_unique<JournalText>(form);
    return count;
}

Result<std::size_t> OldLog::unpack(char* into, std::size_t most) {
    if (inflater_) return inflate(into, most);
    if (unpacker_)
        return unpacker_->read(into, most, [this](char* to, std::size_t size) { return read_raw(to, size); });
    return read_raw(into, most);
}

// Lines of the entries of a journal.
Result<std::size_t> OldLog::translate(char* into, std::size_t most) {
    std::vector<char> packed(kOldBlock);
    while (lines_.empty() && journal_) {
        const auto count = unpack(packed.data(), packed.size());
        if (!count) return count;
        journal_->take({packed.data(), *count}, lines_);
        if (*count > 0) continue;
        journal_->end(lines_);
        journal_.reset();
    }
    const std::size_t size = std::min(most, lines_.size());
    std::memcpy(into, lines_.data(), size);
    lines_.erase(0, size);
    return size;
}

// At most so many bytes of the log itself; 0 at its end.
Result<std::size_t> OldLog::fill(char* into, std::size_t most) {
    if (std::exchange(first_, false)) {
        const auto count = open_text(into, most);
        if (!count || !journal_) return count;
        journal_->take({into, *count}, lines_);
    }
    return journal_ || !lines_.empty() ? translate(into, most) : unpack(into, most);
}

// RFC 1952.
Result<std::size_t> OldLog::inflate(char* into, std::size_t most) {
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
                unpacker_.reset();
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
