// SPDX-License-Identifier: MIT
#include "postfix/table_entries.h"

#include <algorithm>
#include <iterator>

namespace postcensus::postfix {
namespace {

constexpr std::size_t kMostRuns = 16;
constexpr std::size_t kUsualLine = 36;  // bytes

}  // namespace

void TableEntries::add(std::string_view key, std::string_view value) {
    const std::size_t start = text_.size();
    text_.append(key).append(1, '\t').append(value).append(1, '\n');
    lines_.push_back(
        {start, static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(text_.size() - start)});
}

void TableEntries::reserve(std::size_t count) {
    lines_.reserve(count);
    text_.reserve(count * kUsualLine);
}

// Lines compare as their keys do: no byte that stands in a key is below the tab behind it. Most come sorted,
// domain by domain, and behind them what was added since: runs that are merged cost far less than a sort.
void TableEntries::sort() {
    const auto before = [this](const Line& a, const Line& b) { return view(a) < view(b); };
    std::vector<std::size_t> runs{0};  // where each begins
    for (std::size_t i = 1; i < lines_.size(); ++i)
        if (!before(lines_[i - 1], lines_[i])) {
            runs.push_back(i);
            if (runs.size() > kMostRuns) break;
        }
    if (runs.size() == 1) return;
    if (runs.size() > kMostRuns) {
        // All behind the first runs is one that is sorted now.
        const auto rest = lines_.begin() + static_cast<std::ptrdiff_t>(runs[kMostRuns / 2]);
        std::sort(rest, lines_.end(), before);
        runs.resize(kMostRuns / 2 + 1);
    }
    while (runs.size() > 1) {
        std::vector<Line> merged;
        merged.reserve(lines_.size());
        std::vector<std::size_t> longer;
        const auto at = [&](std::size_t run) {
            return lines_.begin() +
                   static_cast<std::ptrdiff_t>(run < runs.size() ? runs[run] : lines_.size());
        };
        for (std::size_t run = 0; run < runs.size(); run += 2) {
            longer.push_back(merged.size());
            std::merge(at(run), at(run + 1), at(run + 1), at(run + 2), std::back_inserter(merged), before);
        }
        lines_ = std::move(merged);
        runs = std::move(longer);
    }
    const auto same = [this](const Line& a, const Line& b) { return view(a) == view(b); };
    lines_.erase(std::unique(lines_.begin(), lines_.end(), same), lines_.end());
    rewrite();
}

// The text in the order of the lines. What stood together before is copied together.
void TableEntries::rewrite() {
    std::string sorted;
    sorted.reserve(text_.size());
    for (std::size_t i = 0; i < lines_.size();) {
        const std::size_t from = lines_[i].start;
        std::size_t end = from;
        const std::size_t start = sorted.size();
        for (; i < lines_.size() && lines_[i].start == end; ++i) {
            end += lines_[i].size;
            lines_[i].start = start + (lines_[i].start - from);
        }
        sorted.append(text_, from, end - from);
    }
    text_ = std::move(sorted);
}

TableEntry TableEntries::at(std::size_t index) const {
    const Line& line = lines_[index];
    const std::string_view whole = view(line);
    return {whole.substr(0, line.key_size), whole.substr(line.key_size + 1, line.size - line.key_size - 2)};
}

std::optional<std::size_t> TableEntries::find(std::string_view key) const {
    const auto found = std::lower_bound(
        lines_.begin(), lines_.end(), key, [this](const Line& line, std::string_view wanted) {
            return std::string_view(text_).substr(line.start, line.key_size) < wanted;
        });
    if (found == lines_.end() || std::string_view(text_).substr(found->start, found->key_size) != key)
        return std::nullopt;
    return static_cast<std::size_t>(found - lines_.begin());
}

void TableEntries::clear() {
    text_.clear();
    lines_.clear();
}

std::map<std::string, std::int64_t> TableEntries::count_by_domain() const {
    std::map<std::string, std::int64_t> counts;
    auto last = counts.end();
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        const std::string_view key = at(i).key;
        const std::string_view domain = key.substr(key.rfind('@') + 1);
        if (last == counts.end() || last->first != domain)
            last = counts.try_emplace(std::string(domain)).first;
        ++last->second;
    }
    return counts;
}

}  // namespace postcensus::postfix
