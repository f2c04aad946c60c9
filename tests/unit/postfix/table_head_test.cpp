// SPDX-License-Identifier: MIT
#include "postfix/table_head.h"

#include "catch.h"

using namespace postcensus;
using namespace postcensus::postfix;
using namespace std::chrono_literals;

namespace {

const Time kNoon = from_unix_ms(1'700'000'000'000);

TableHead whole_head() {
    return {.state_id = "0123abcd",
            .generation = 42,
            .written = kNoon,
            .until = kNoon + 1h,
            .counts = {{"c.example", 3}, {"d.example", 0}}};
}

}  // namespace

TEST_CASE("a head is read as it was written", "[postfix][table_head]") {
    const auto read =
        parse_head(format_head("unknown", whole_head()) + "a@c.example\tREJECT\n# end of head\n");
    REQUIRE(read);
    CHECK(read->state_id == "0123abcd");
    CHECK(read->generation == 42);
    CHECK(read->written == kNoon);
    CHECK(read->until == kNoon + 1h);
    CHECK(read->counts == whole_head().counts);

    const auto bare = parse_head(format_head("directory", {.state_id = "x", .written = kNoon}));
    REQUIRE(bare);
    CHECK_FALSE(bare->until);
    CHECK(bare->counts.empty());
    CHECK(bare->generation == 0);
}

TEST_CASE("the end of a lease is rounded up", "[postfix][table_head]") {
    for (const auto& [more, rounded] : {std::pair(0ms, 0s), {1ms, 1s}, {999ms, 1s}, {1000ms, 1s}}) {
        TableHead head = whole_head();
        head.until = kNoon + more;
        const auto read = parse_head(format_head("unknown", head));
        REQUIRE(read);
        CHECK(read->until == kNoon + rounded);
    }
}

TEST_CASE("every line of a head is a comment", "[postfix][table_head]") {
    const std::string text = format_head("unknown", whole_head());
    CHECK(text.find("# table: unknown\n") != std::string::npos);
    CHECK(text.back() == '\n');
    for (std::size_t start = 0; start < text.size(); start = text.find('\n', start) + 1)
        CHECK(text[start] == '#');
}

TEST_CASE("a head cut anywhere is none", "[postfix][table_head]") {
    const std::string text = format_head("unknown", whole_head());
    for (std::size_t length = 0; length < text.size(); ++length) {
        if (!parse_head(text.substr(0, length))) continue;
        FAIL_CHECK("cut after " << length << " bytes, it was taken for whole");
    }
    REQUIRE(parse_head(text));
    // The entries behind it may be cut: the head is whole.
    CHECK(parse_head(text + "a@c.exam")->until == kNoon + 1h);
}

TEST_CASE("what is no head of ours is none", "[postfix][table_head]") {
    const std::string text = format_head("unknown", whole_head());
    const auto with = [&text](const std::string& from, const std::string& to) {
        std::string changed = text;
        const std::size_t at = changed.find(from);
        REQUIRE(at != std::string::npos);
        return changed.replace(at, from.size(), to);
    };
    const std::vector<std::string> cases{
        "",
        "a@c.example\tOK\n",
        "\n" + text,
        " " + text,
        with("# state: 0123abcd", "# state: "),
        with("# state: 0123abcd\n", ""),
        with("# until: 20", "# until: tomorrow, 20"),
        with("# until: ", "# until: \n# until: "),
        with("# generation: 42", "# generation: 42x"),
        with("# generation: 42", "# generation: "),
        with("# written: ", "# written: x"),
        with("# count: c.example 3", "# count: c.example"),
        with("# count: c.example 3", "# count: c.example x"),
        with("# end of head", "# the end"),
        with("# generation: 42\n", "a@c.example\tOK\n"),
        with("# generation: 42\n", "\n"),
    };
    for (const std::string& one : cases) {
        INFO(one);
        CHECK_FALSE(parse_head(one));
    }
    // Of a part it is known whether there may be more.
    for (std::size_t length = 0; length < text.size(); ++length) {
        CAPTURE(length);
        CHECK(may_be_part_of_head(text.substr(0, length)));
        CHECK_FALSE(parse_head(text.substr(0, length)));
    }
    for (const std::string& none : {text, text + "a@c.example\tOK\n", std::string("a@c.example\tOK\n"),
                                    text.substr(0, text.size() - 5) + "\na@c.example\tOK\n"})
        CHECK_FALSE(may_be_part_of_head(none));
    // A later version may say more.
    const auto more = parse_head(with("# generation: 42\n", "# generation: 42\n# digest: abc\n"));
    REQUIRE(more);
    CHECK(more->until == kNoon + 1h);
}
