// SPDX-License-Identifier: MIT
#include "postfix/table_entries.h"

#include <algorithm>

namespace postcensus::postfix {

void TableEntries::add(std::string_view key, std::string_view value) {
    const std::size_t start = text_.size();
    text_.append(key).append(1, '\t').append(value).append(1, '\n');
    lines_.push_back(
        {start, static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(text_.size() - start)});
}

// Lines compare as their keys do: no byte that stands in a key is below the tab behind it.
void TableEntries::sort() {
    const auto before = [this](const Line& a, const Line& b) { return view(a) < view(b); };
    const auto same = [this](const Line& a, const Line& b) { return view(a) == view(b); };
    if (std::is_sorted(lines_.begin(), lines_.end(), before) &&
        std::adjacent_find(lines_.begin(), lines_.end(), same) == lines_.end())
        return;
    std::sort(lines_.begin(), lines_.end(), before);
    lines_.erase(std::unique(lines_.begin(), lines_.end(), same), lines_.end());
    std::string sorted;
    sorted.reserve(text_.size());
    for (Line& line : lines_) {
        const std::size_t start = sorted.size();
        sorted.append(view(line));
        line.start = start;
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
