// SPDX-License-Identifier: MIT
#include "maillog/file_tail.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string_view>
#include <system_error>
#include <utility>

#include "maillog/file_watch.h"
#include "maillog/log_file.h"

namespace postcensus::maillog {
namespace {

// Four times what Postfix writes at most.
constexpr std::size_t kLongestLine = 8192;
constexpr std::size_t kTailBlock = 64UL * 1024;
// One poll never takes much longer than a few milliseconds, whatever the file holds.
constexpr std::size_t kMostBytes = 1024UL * 1024;

std::filesystem::path folder_of(const std::filesystem::path& path) {
    return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

bool same_file(const LogFile& a, const LogFile& b) {
    return a.device() == b.device() && a.inode() == b.inode();
}

}  // namespace

class FileTail::Reader {
  public:
    Reader(std::filesystem::path path, std::optional<Mark> mark)
        : path_(std::move(path)), resume_(mark), watch_(folder_of(path_)) {}

    Result<Batch> poll(std::size_t most_lines);
    FileWatch& watch() { return watch_; }
    const FileWatch& watch() const { return watch_; }
    bool present() const {
        std::error_code error;
        return std::filesystem::exists(path_, error);
    }

  private:
    Result<void> start();
    Result<void> start_at_end(LogFile file);
    Result<void> resume(std::optional<LogFile> current, const Mark& mark);
    Result<void> begin(LogFile&& file, std::uint64_t offset);
    Result<void> check_replaced();
    Result<std::size_t> read_block();
    Result<bool> next_file();
    Result<void> leave(LogFile current);
    Result<void> collect(Batch& batch, std::size_t most_lines);
    void take_lines(Batch& batch, std::size_t most_lines);
    void consume(std::size_t bytes);
    Mark mark() const {
        return file_ ? Mark{file_->device(), file_->inode(), offset_, fingerprint(before_)} : Mark{};
    }
    void say_lost(std::string why) { lost_ += (lost_.empty() ? "" : "; ") + std::move(why); }

    std::filesystem::path path_;
    std::optional<Mark> resume_;
    FileWatch watch_;
    bool started_ = false;
    std::optional<LogFile> file_;
    std::uint64_t offset_ = 0;  // of the first byte that no batch has had
    std::string before_;        // up to 1 KiB before the offset: what the fingerprint is made of
    std::string buffer_;        // read from the offset on
    timespec written_{};        // when the file had been written last, at the end of it
    bool skipping_ = false;     // inside a line that is too long
    bool left_ = false;         // the current name has another file with something in it: one last look here
    std::deque<Chapter> next_;  // rotated files to read before the current one, which is the last of them
    std::string lost_;
};

// `file` is taken only if all went well; from offset 0 it always does.
Result<void> FileTail::Reader::begin(LogFile&& file, std::uint64_t offset) {
    // Watch before the first read: what is written after the read then wakes us.
    watch_.remove_files();
    watch_.add(file.fd());
    auto before = file.before(offset);
    if (!before) return fail(std::move(before.error()));
    file_ = std::move(file);
    offset_ = offset;
    before_ = std::move(*before);
    buffer_.clear();
    written_ = {};
    // A mark inside of a line: half a line is no line.
    skipping_ = !before_.empty() && before_.back() != '\n';
    left_ = false;
    return {};
}

Result<void> FileTail::Reader::start() {
    auto current = LogFile::open(path_);
    if (!current) return fail(current.error());
    Result<void> begun;
    if (resume_ && !resume_->no_file())
        begun = resume(std::move(*current), *resume_);
    else if (*current)
        begun = resume_ ? begin(std::move(**current), 0) : start_at_end(std::move(**current));
    if (begun) started_ = true;
    return begun;
}

Result<void> FileTail::Reader::start_at_end(LogFile file) {
    const auto status = file.status();
    if (!status) return fail(status.error());
    const auto size = static_cast<std::uint64_t>(status->st_size);
    const std::uint64_t from = size > kLongestLine ? size - kLongestLine : 0;
    const auto last = file.read(from, static_cast<std::size_t>(size - from));
    if (!last) return fail(last.error());
    // Behind the last newline: the line that is being written now is not lost. begin() skips one that has no
    // start in reach.
    const std::size_t newline = last->rfind('\n');
    const std::uint64_t boundary = newline != std::string::npos ? from + newline + 1 : from == 0 ? 0 : size;
    return begin(std::move(file), boundary);
}

Result<void> FileTail::Reader::resume(std::optional<LogFile> current, const Mark& mark) {
    if (current && current->is(mark) && current->continues(mark))
        return begin(std::move(*current), mark.offset);
    auto chapters = chapters_since(path_, mark, Match::both);
    // Then by content: a copy has another inode, and a device may have another number after a reboot.
    if (chapters.empty() && mark.offset > 0) {
        if (current && current->continues(mark)) return begin(std::move(*current), mark.offset);
        chapters = chapters_since(path_, mark, Match::content);
    }
    if (chapters.empty()) {
        say_lost(
            fmt::format("{} is not the file that was read before, and that one is not beside it: lines in "
                        "between may be lost",
                        path_.string()));
        if (!current) return {};
        return begin(std::move(*current), 0);
    }
    if (current) chapters.push_back({std::move(*current), 0});
    auto begun = begin(std::move(chapters.front().file), chapters.front().offset);
    if (!begun) return begun;
    next_.assign(std::make_move_iterator(chapters.begin() + 1), std::make_move_iterator(chapters.end()));
    return {};
}

// The file became shorter, or has other bytes before the offset: it was truncated and perhaps written anew.
Result<void> FileTail::Reader::check_replaced() {
    const Mark here = mark();
    const auto status = file_->status();
    if (!status) return fail(status.error());
    const auto size = static_cast<std::uint64_t>(status->st_size);
    const std::uint64_t read = offset_ + buffer_.size();
    // Nothing was written since this was looked at last.
    const bool untouched =
        status->st_mtim.tv_sec == written_.tv_sec && status->st_mtim.tv_nsec == written_.tv_nsec;
    if (size == read && untouched) return {};
    if (size >= read && file_->continues(here)) {
        if (size == read) written_ = status->st_mtim;
        return {};
    }
    auto copies = offset_ > 0 ? chapters_since(path_, here, Match::content) : std::vector<Chapter>{};
    if (copies.empty()) {
        say_lost(
            fmt::format("{} was truncated, and no copy lies beside it: lines that were not read yet are lost",
                        path_.string()));
        return begin(std::move(*file_), 0);
    }
    LogFile current = std::move(*file_);
    if (auto begun = begin(std::move(copies.front().file), copies.front().offset); !begun) {
        file_ = std::move(current);
        return begun;
    }
    // It may have been renamed since, and stand among the rotated ones already.
    const bool there = std::any_of(copies.begin() + 1, copies.end(),
                                   [&](const Chapter& chapter) { return same_file(chapter.file, current); });
    if (!there) copies.push_back({std::move(current), 0});
    next_.insert(next_.begin(), std::make_move_iterator(copies.begin() + 1),
                 std::make_move_iterator(copies.end()));
    return {};
}

// Bytes that came to the buffer; 0 at the end of the file.
Result<std::size_t> FileTail::Reader::read_block() {
    if (auto checked = check_replaced(); !checked) return fail(checked.error());
    const auto block = file_->read(offset_ + buffer_.size(), kTailBlock);
    if (!block) return fail(block.error());
    buffer_ += *block;
    return block->size();
}

// At the end of a file: whether there is more to read, here or in another one.
Result<bool> FileTail::Reader::next_file() {
    if (next_.size() == 1) {
        // If that is the current one, it may have been copied and truncated since it was found: what is
        // between is looked for anew, below.
        auto current = LogFile::open(path_);
        if (!current) return fail(current.error());
        if (*current && same_file(**current, next_.front().file)) next_.clear();
    }
    if (!next_.empty()) {
        if (!buffer_.empty()) say_lost("the last line of a rotated file has no end");
        if (auto begun = begin(std::move(next_.front().file), next_.front().offset); !begun)
            return fail(begun.error());
        next_.pop_front();
        return true;
    }
    const bool last_look = std::exchange(left_, false);
    const auto mine = file_->status();
    if (!mine) return fail(mine.error());
    const bool deleted = mine->st_nlink == 0;
    auto current = LogFile::open(path_);
    if (!current) return fail(current.error());
    if (*current) {
        if ((*current)->is(*mine)) return false;
        // Watch, then look: its first byte may come at any moment.
        watch_.add((*current)->fd());
        const auto status = (*current)->status();
        if (!status) return fail(status.error());
        // A younger rotated file between the two: nobody writes to this one any more.
        const bool between = chapters_since(path_, mark(), Match::inode).size() > 1;
        if (status->st_size == 0 && !deleted && !between) return false;
    } else if (!deleted) {
        return false;
    }
    // Something may have come since the end was seen, so the old file gets one last look.
    if (!last_look) {
        left_ = true;
        return true;
    }
    if (*current) {
        if (auto left = leave(std::move(**current)); !left) return fail(left.error());
        return true;
    }
    file_.reset();  // deleted, and nothing in its place: to hold it would keep its space
    buffer_.clear();
    return false;
}

// From a rotated file that was drained to the next one: files that were rotated since come before the current
// one.
Result<void> FileTail::Reader::leave(LogFile current) {
    if (!buffer_.empty()) say_lost("the last line of a rotated file has no end");
    auto chapters = chapters_since(path_, mark(), Match::inode);
    if (!chapters.empty())
        chapters.erase(chapters.begin());
    else if (const auto mine = file_->status(); mine && mine->st_nlink == 0)
        // It was rotated until it was deleted, or compressed. What was written since lies in what is younger.
        chapters = chapters_younger(path_, *mine);
    chapters.push_back({std::move(current), 0});
    next_.assign(std::make_move_iterator(chapters.begin()), std::make_move_iterator(chapters.end()));
    Chapter next = std::move(next_.front());
    next_.pop_front();
    return begin(std::move(next.file), next.offset);
}

void FileTail::Reader::consume(std::size_t bytes) {
    if (bytes >= kFingerprintBytes)
        before_ = buffer_.substr(bytes - kFingerprintBytes, kFingerprintBytes);
    else
        before_.append(buffer_, 0, bytes);
    if (before_.size() > kFingerprintBytes) before_.erase(0, before_.size() - kFingerprintBytes);
    buffer_.erase(0, bytes);
    offset_ += bytes;
}

void FileTail::Reader::take_lines(Batch& batch, std::size_t most_lines) {
    const std::string_view text = buffer_;
    std::size_t at = 0;
    while (batch.lines.size() < most_lines) {
        const std::size_t end = text.find('\n', at);
        if (end == std::string_view::npos) {
            if (!skipping_ && text.size() - at <= kLongestLine) break;
            if (!std::exchange(skipping_, true)) ++batch.overlong;
            at = text.size();
            break;
        }
        if (std::exchange(skipping_, false)) {
            // the end of what is skipped
        } else if (end - at > kLongestLine) {
            ++batch.overlong;
        } else {
            batch.lines.emplace_back(text.substr(at, end - at));
        }
        at = end + 1;
    }
    consume(at);
}

Result<void> FileTail::Reader::collect(Batch& batch, std::size_t most_lines) {
    if (!started_)
        if (auto started = start(); !started) return started;
    std::size_t bytes = 0;
    for (;;) {
        if (!file_) {
            auto current = LogFile::open(path_);
            if (!current) return fail(current.error());
            if (!*current) return {};
            if (auto begun = begin(std::move(**current), 0); !begun) return begun;
        }
        take_lines(batch, most_lines);
        if (batch.lines.size() >= most_lines || bytes >= kMostBytes) {
            batch.more = true;
            return {};
        }
        const auto read = read_block();
        if (!read) return fail(read.error());
        bytes += *read;
        if (*read > 0) continue;
        const auto next = next_file();
        if (!next) return fail(next.error());
        if (!*next) return {};
    }
}

Result<Batch> FileTail::Reader::poll(std::size_t most_lines) {
    Batch batch;
    const auto collected = collect(batch, most_lines);
    // Lines that were taken are handed out all the same; the trouble shows again at the next poll.
    if (!collected && batch.lines.empty() && batch.overlong == 0) return fail(collected.error());
    if (!collected) batch.more = true;
    batch.mark = mark().text();
    batch.lost = std::exchange(lost_, {});
    return batch;
}

FileTail::FileTail(std::filesystem::path path, std::optional<Mark> mark)
    : reader_(std::make_unique<Reader>(std::move(path), mark)) {}
FileTail::~FileTail() = default;

Result<Batch> FileTail::poll(std::size_t most_lines) {
    return reader_->poll(most_lines);
}
int FileTail::watch_fd() const {
    return reader_->watch().fd();
}
void FileTail::clear() {
    reader_->watch().clear();
}
bool FileTail::present() const {
    return reader_->present();
}

}  // namespace postcensus::maillog
