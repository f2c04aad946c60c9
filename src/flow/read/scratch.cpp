// SPDX-License-Identifier: MIT
#include "flow/read/scratch.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "base/file.h"

namespace postcensus::flow {
namespace {

constexpr std::size_t kInMemory = 4UL * 1024 * 1024;
constexpr std::size_t kReadAtOnce = 256UL * 1024;

void append_number(std::string& out, std::uint32_t number) {
    char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    out.append(bytes, sizeof number);
}
void append_text(std::string& out, const std::string& text) {
    append_number(out, static_cast<std::uint32_t>(text.size()));
    out += text;
}

// Takes apart what was appended; asks for more bytes when they run out.
class Records {
  public:
    Records(int fd, const std::string& tail) : fd_(fd), tail_(tail) {}

    bool more() { return at_ < bytes_.size() || fill(1); }
    char byte() { return take(1)[0]; }
    std::string text() {
        std::uint32_t size = 0;
        std::memcpy(&size, take(sizeof size), sizeof size);
        return {take(size), size};
    }
    std::uint32_t number() {
        std::uint32_t value = 0;
        std::memcpy(&value, take(sizeof value), sizeof value);
        return value;
    }
    int error() const { return error_; }

  private:
    const char* take(std::size_t size) {
        if (bytes_.size() - at_ < size && !fill(size))
            throw std::runtime_error("the scratch file is cut off");
        const char* out = bytes_.data() + at_;
        at_ += size;
        return out;
    }
    bool fill(std::size_t size) {
        bytes_.erase(0, at_);
        at_ = 0;
        while (bytes_.size() < size) {
            const std::size_t before = bytes_.size();
            if (fd_ >= 0) {
                bytes_.resize(before + kReadAtOnce);
                const ssize_t count = ::pread(fd_, bytes_.data() + before, kReadAtOnce, offset_);
                if (count < 0) error_ = errno;
                bytes_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
                offset_ += std::max<ssize_t>(count, 0);
                if (count > 0) continue;
                fd_ = -1;
                if (error_ != 0) return false;
            }
            if (tail_taken_) return false;
            bytes_ += tail_;
            tail_taken_ = true;
        }
        return true;
    }

    int fd_;
    const std::string& tail_;
    std::string bytes_;
    std::size_t at_ = 0;
    off_t offset_ = 0;
    bool tail_taken_ = false;
    int error_ = 0;
};

}  // namespace

std::int64_t Scratch::count(Kind kind) const {
    if (kind == Kind::end) return ends_;
    if (kind == Kind::hide) return hidden_;
    if (kind == Kind::unseen) return unseen_;
    if (kind == Kind::seen) return seen_;
    return count_ - ends_ - hidden_ - unseen_ - seen_;
}

Result<void> Scratch::put(const census::Listing& listing) {
    append(Kind::put, listing);
    return grown();
}

Result<void> Scratch::hide(const census::Listing& listing) {
    append(Kind::hide, listing);
    ++hidden_;
    return grown();
}

void Scratch::append(Kind kind, const census::Listing& listing) {
    buffer_ += static_cast<char>(kind);
    append_text(buffer_, listing.guid);
    append_text(buffer_, listing.dn);
    buffer_ += listing.closed ? '1' : '0';
    buffer_ += listing.plain ? '1' : '0';
    buffer_ += listing.doubts ? '1' : '0';
    append_text(buffer_, listing.doubts.value_or(""));
    append_number(buffer_, static_cast<std::uint32_t>(listing.addresses.size()));
    for (const mail::Address& address : listing.addresses) append_text(buffer_, address.text());
}

Result<void> Scratch::add(Kind kind, const std::string& guid) {
    buffer_ += static_cast<char>(kind);
    append_text(buffer_, guid);
    if (kind == Kind::end) ++ends_;
    if (kind == Kind::unseen) ++unseen_;
    if (kind == Kind::seen) ++seen_;
    return grown();
}

Result<void> Scratch::grown() {
    ++count_;
    if (buffer_.size() < kInMemory) return {};
    if (!file_) {
        file_.reset(::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
        // Not every file system has nameless files.
        if (!file_) {
            std::string name = (folder_ / ".reading-XXXXXX").string();
            file_.reset(::mkostemp(name.data(), O_CLOEXEC));
            if (file_) ::unlink(name.c_str());
        }
        if (!file_)
            return fail_errno(ExitCode::cannot_write, "cannot make a scratch file in", folder_, errno);
    }
    auto written = write_all(file_.get(), buffer_, folder_);
    buffer_.clear();
    return written;
}

Result<void> Scratch::for_each(const std::function<void(const Change&)>& take) {
    Records records(file_.get(), buffer_);
    while (records.more()) {
        Change change;
        change.kind = static_cast<Kind>(records.byte());
        change.listing.guid = records.text();
        if (change.kind == Kind::put || change.kind == Kind::hide) {
            change.listing.dn = records.text();
            change.listing.closed = records.byte() == '1';
            change.listing.plain = records.byte() == '1';
            const bool doubtful = records.byte() == '1';
            std::string doubts = records.text();
            if (doubtful) change.listing.doubts = std::move(doubts);
            const std::uint32_t addresses = records.number();
            for (std::uint32_t i = 0; i < addresses; ++i) {
                auto address = mail::Address::from_internal(records.text());
                if (!address) throw std::logic_error("the scratch file holds an address that is none");
                change.listing.addresses.push_back(*std::move(address));
            }
        }
        take(change);
    }
    if (records.error() != 0)
        return fail_errno(ExitCode::cannot_write, "cannot read a scratch file in", folder_, records.error());
    return {};
}

}  // namespace postcensus::flow
