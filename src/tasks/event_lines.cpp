// SPDX-License-Identifier: MIT
#include "tasks/event_lines.h"

#include "mail/block_search.h"

namespace postcensus::tasks {
namespace {

constexpr std::size_t kAhead = 8;  // blocks

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

void EventLineReader::fill(EventLines& lines, std::string_view block) {
    lines.text.clear();
    lines.lines.clear();
    const char* counted = block.data();
    const std::int64_t before = newlines_;
    // Lines that were left out before this block count as lines all the same.
    newlines_ += static_cast<std::int64_t>(log_.overlong() - overlong_);
    overlong_ = log_.overlong();
    mail::find_event_lines(block, [&](std::string_view line) {
        newlines_ += static_cast<std::int64_t>(
            mail::count_newlines({counted, static_cast<std::size_t>(line.data() - counted)}));
        counted = line.data();
        lines.lines.push_back({static_cast<std::uint32_t>(lines.text.size()),
                               static_cast<std::uint32_t>(line.size()), newlines_ + 1});
        lines.text += line;
    });
    newlines_ += static_cast<std::int64_t>(
        mail::count_newlines({counted, static_cast<std::size_t>(block.data() + block.size() - counted)}));
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

}  // namespace postcensus::tasks
