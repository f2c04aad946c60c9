// SPDX-License-Identifier: MIT
// Reads text from the left; what a function does not find it leaves.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

namespace postcensus::mail {

// Objects, not functions: what is called through a pointer is not inlined.
inline constexpr auto is_digit = [](char byte) { return byte >= '0' && byte <= '9'; };
inline constexpr auto is_alnum = [](char byte) {
    return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
};

struct Scanner {
    std::string_view text;

    // Inlined, the comparison with a word of the source is a few instructions.
    [[gnu::always_inline]] bool take(std::string_view word) {
        if (!text.starts_with(word)) return false;
        text.remove_prefix(word.size());
        return true;
    }

    template <typename Wanted>
    std::string_view take_while(Wanted wanted) {
        const auto end = std::find_if_not(text.begin(), text.end(), wanted);
        const auto taken = text.substr(0, static_cast<std::size_t>(end - text.begin()));
        text.remove_prefix(taken.size());
        return taken;
    }

    // Exactly so many digits.
    std::optional<int> take_number(std::size_t digits) {
        if (text.size() < digits ||
            !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(digits), is_digit))
            return std::nullopt;
        int number = 0;
        for (const char byte : text.substr(0, digits)) number = number * 10 + (byte - '0');
        text.remove_prefix(digits);
        return number;
    }
};

}  // namespace postcensus::mail
