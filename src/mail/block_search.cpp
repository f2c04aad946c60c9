// SPDX-License-Identifier: MIT
#include "mail/block_search.h"

#include <cstdint>
#include <cstring>

#include "mail/log_event.h"

namespace postcensus::mail {
namespace {

// Sixteen bytes at once, on every machine that GCC and Clang know: the compiler makes them its vectors.
using Bytes = std::uint8_t __attribute__((vector_size(16)));
using Words = std::uint64_t __attribute__((vector_size(16)));

Bytes load(const char* at) {
    Bytes bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

Bytes all(char byte) {
    return Bytes{} + static_cast<std::uint8_t>(byte);
}

// Two bytes of a mark that rarely stand so far apart: the rest is compared only where both do.
struct Pair {
    std::string_view mark;
    std::size_t first, second;
};
constexpr Pair kReject{kRejectMark, 0, 5};      // "U    u"
constexpr Pair kDelivery{kDeliveryMark, 6, 8};  // "u="
static_assert(kReject.mark[0] == 'U' && kReject.mark[5] == 'u');
static_assert(kDelivery.mark[6] == 'u' && kDelivery.mark[8] == '=');
constexpr std::size_t kReach = 16 + 8;

bool stands_at(std::string_view text, std::size_t at) {
    const std::string_view rest = text.substr(at);
    return rest.starts_with(kReject.mark) || rest.starts_with(kDelivery.mark);
}

// The first mark at or behind `from`; npos if there is none.
std::size_t find_mark(std::string_view text, std::size_t from) {
    const Bytes reject_first = all(kReject.mark[kReject.first]);
    const Bytes reject_second = all(kReject.mark[kReject.second]);
    const Bytes delivery_first = all(kDelivery.mark[kDelivery.first]);
    const Bytes delivery_second = all(kDelivery.mark[kDelivery.second]);
    std::size_t at = from;
    for (; at + kReach <= text.size(); at += 16) {
        const char* here = text.data() + at;
        const Bytes hits = static_cast<Bytes>(
            ((load(here + kReject.first) == reject_first) & (load(here + kReject.second) == reject_second)) |
            ((load(here + kDelivery.first) == delivery_first) &
             (load(here + kDelivery.second) == delivery_second)));
        Words words;
        std::memcpy(&words, &hits, sizeof words);
        if ((words[0] | words[1]) == 0) continue;
        for (std::size_t i = 0; i < 16; ++i)
            if (hits[i] != 0 && stands_at(text, at + i)) return at + i;
    }
    for (; at < text.size(); ++at)
        if (stands_at(text, at)) return at;
    return std::string_view::npos;
}

}  // namespace

void find_event_lines(std::string_view block, const std::function<void(std::string_view)>& take) {
    for (std::size_t at = find_mark(block, 0); at != std::string_view::npos;) {
        const void* before = ::memrchr(block.data(), '\n', at);
        const std::size_t start =
            before == nullptr ? 0
                              : static_cast<std::size_t>(static_cast<const char*>(before) - block.data()) + 1;
        const std::size_t end = std::min(block.find('\n', at), block.size());
        take(block.substr(start, end - start));
        at = end < block.size() ? find_mark(block, end + 1) : std::string_view::npos;
    }
}

std::size_t count_newlines(std::string_view text) {
    const Bytes newline = all('\n');
    std::size_t count = 0;
    std::size_t at = 0;
    while (at + 16 <= text.size()) {
        // A lane counts to 255 before it is added up.
        Bytes sums{};
        for (int rounds = 0; rounds < 255 && at + 16 <= text.size(); ++rounds, at += 16)
            sums -= static_cast<Bytes>(load(text.data() + at) == newline);
        for (std::size_t i = 0; i < 16; ++i) count += sums[i];
    }
    for (; at < text.size(); ++at) count += text[at] == '\n' ? 1 : 0;
    return count;
}

}  // namespace postcensus::mail
