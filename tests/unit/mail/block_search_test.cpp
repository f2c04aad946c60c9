// SPDX-License-Identifier: MIT
#include "mail/block_search.h"

#include <random>
#include <string>
#include <vector>

#include "catch.h"
#include "mail/log_event.h"

using namespace postcensus;

namespace {

using Lines = std::vector<std::string>;

Lines found(std::string_view block) {
    Lines lines;
    mail::find_event_lines(block, [&](std::string_view line) { lines.emplace_back(line); });
    return lines;
}

bool marked(const std::string& line) {
    return line.find(mail::kRejectMark) != std::string::npos ||
           line.find(mail::kDeliveryMark) != std::string::npos;
}

}  // namespace

TEST_CASE("lines with a mark are found wherever it stands", "[mail][block_search]") {
    const std::string mark(mail::kRejectMark);
    const std::string other(mail::kDeliveryMark);
    CHECK(found("").empty());
    CHECK(found("nothing\n").empty());
    CHECK(found(mark) == Lines{mark});
    CHECK(found(mark + "\n" + other + "\n") == Lines{mark, other});
    CHECK(found("x" + mark + "\ny\n" + mark + other + mark + "z\n") ==
          Lines{"x" + mark, mark + other + mark + "z"});
    for (std::size_t before = 0; before < 70; ++before)
        for (std::size_t behind = 0; behind < 40; ++behind) {
            const std::string line = std::string(before, 'u') + mark + std::string(behind, '=');
            CHECK(found("a\n" + line + "\nb\n") == Lines{line});
            CHECK(found(line) == Lines{line});
            CHECK(found(std::string(before, 'U') + mark.substr(0, mark.size() - 1) + "\n").empty());
        }
}

TEST_CASE("the search finds what a plain one finds", "[mail][block_search]") {
    std::mt19937 random(1);
    // Pieces of the marks, so that near hits are many.
    const std::vector<std::string> pieces{"User unknown", "User",   " unknown", "U", "u",
                                          ", status=",    ", stat", "us=",      "=", "s",
                                          "\n",           "\n",     " ",        "x"};
    for (int round = 0; round < 2000; ++round) {
        std::string block;
        for (std::size_t i = 0; i < random() % 60; ++i) block += pieces[random() % pieces.size()];
        block += "\n";
        Lines expected;
        std::size_t newlines = 0;
        for (std::size_t start = 0; start < block.size();) {
            const std::size_t end = block.find('\n', start);
            const std::string line = block.substr(start, end - start);
            if (marked(line)) expected.push_back(line);
            start = end + 1;
            ++newlines;
        }
        CHECK(found(block) == expected);
        CHECK(mail::count_newlines(block) == newlines);
    }
    CHECK(mail::count_newlines(std::string(100'000, '\n')) == 100'000);
    CHECK(mail::count_newlines("") == 0);
}
