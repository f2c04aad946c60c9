// SPDX-License-Identifier: MIT
#include "flow/follow/event_lines.h"

#include <algorithm>
#include <cstring>

#include "mail/block_search.h"
#include "mail/log_beginning.h"

namespace postcensus::flow {
namespace {

constexpr std::size_t kAhead = 8;  // blocks
constexpr std::ptrdiff_t kTimesApart = 32L * 1024;
constexpr std::size_t kSmallBlock = 64UL * 1024;  // of such a log every time is looked at
constexpr std::size_t kTimeBytes = 96;

}  // namespace

EventLineReader::EventLineReader(maillog::OldLog& log) : log_(log) {
    for (std::size_t i = 0; i < kAhead; ++i) free_.push_back(std::make_unique<EventLines>());
    thread_ = std::thread([this] { read(); });
}

EventLineReader::~EventLineReader() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

// The times of lines that begin before `end`.
void EventLineReader::add_times(EventLines& lines, std::string_view block, const char* end) {
    if (!yearless_) return;
    const char* const behind = block.data() + block.size();
    while (next_time_ < end) {
        const std::string_view rest(next_time_, static_cast<std::size_t>(behind - next_time_));
        const std::size_t newline = std::min(rest.find('\n'), rest.size() - 1);
        const std::string_view line = rest.substr(0, std::min(newline, kTimeBytes));
        lines.lines.push_back(
            {static_cast<std::uint32_t>(lines.text.size()), static_cast<std::uint32_t>(line.size()), 0});
        lines.text += line;
        next_time_ += newline + 1;
        if (block.size() <= kSmallBlock) continue;
        const void* next = nullptr;
        if (behind - next_time_ > kTimesApart)
            next = ::memchr(next_time_ + kTimesApart, '\n',
                            static_cast<std::size_t>(behind - next_time_ - kTimesApart));
        next_time_ = next == nullptr ? behind : static_cast<const char*>(next) + 1;
    }
}

void EventLineReader::fill(EventLines& lines, std::string_view block) {
    lines.text.clear();
    lines.lines.clear();
    if (newlines_ == 0) {
        const auto time = mail::time_of_line(block.substr(0, block.find('\n')));
        yearless_ = time && !time->exact && !time->year;
    }
    next_time_ = block.data();
    const char* counted = block.data();
    const std::int64_t before = newlines_;
    // Lines that were left out before this block count as lines all the same.
    newlines_ += static_cast<std::int64_t>(log_.overlong() - overlong_);
    overlong_ = log_.overlong();
    mail::find_event_lines(block, [&](std::string_view line) {
        newlines_ += static_cast<std::int64_t>(
            mail::count_newlines({counted, static_cast<std::size_t>(line.data() - counted)}));
        counted = line.data();
        add_times(lines, block, counted);
        lines.lines.push_back({static_cast<std::uint32_t>(lines.text.size()),
                               static_cast<std::uint32_t>(line.size()), newlines_ + 1});
        lines.text += line;
    });
    newlines_ += static_cast<std::int64_t>(
        mail::count_newlines({counted, static_cast<std::size_t>(block.data() + block.size() - counted)}));
    add_times(lines, block, block.data() + block.size());
    lines.newlines = newlines_ - before;
    lines.bytes = static_cast<std::int64_t>(block.size());
    lines.taken = log_.taken();
    lines.first_line = block.substr(0, block.find('\n'));
    const std::size_t last = block.size() < 2 ? std::string_view::npos : block.rfind('\n', block.size() - 2);
    lines.last_line = block.substr(last == std::string_view::npos ? 0 : last + 1);
}

void EventLineReader::read() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return stopped_ || !free_.empty(); });
        if (stopped_) return;
        std::unique_ptr<EventLines> lines = std::move(free_.front());
        free_.pop_front();
        lock.unlock();
        const auto block = log_.next();
        const bool more = block && !block->empty();
        if (more) fill(*lines, *block);
        lock.lock();
        if (more) filled_.push_back(std::move(lines));
        if (!block) failure_ = block.error();
        ended_ = !more;
        changed_.notify_all();
        if (ended_) return;
    }
}

Result<const EventLines*> EventLineReader::next() {
    std::unique_lock lock(mutex_);
    if (given_) {
        free_.push_back(std::move(given_));
        changed_.notify_all();
    }
    changed_.wait(lock, [this] { return ended_ || !filled_.empty(); });
    if (filled_.empty()) {
        if (failure_) return fail(*failure_);
        return nullptr;
    }
    given_ = std::move(filled_.front());
    filled_.pop_front();
    return given_.get();
}

}  // namespace postcensus::flow
