// SPDX-License-Identifier: MIT
// What a real Postfix 3.7 logged of hostile and honest sessions (fixtures/maillog), line by line, under each
// prefix that log lines have.
#include <string>
#include <vector>

#include "base/file.h"
#include "catch.h"
#include "mail/log_event.h"

using namespace postcensus;

namespace {

struct Prefix {
    std::string before, name;  // "Nov  4 01:02:03 host ", "postfix"
    std::string syslog_name;
};

const std::vector<Prefix> kPrefixes{
    {"Nov  4 01:02:03 gateway ", "postfix", "postfix"},
    {"Nov 04 01:02:03 gateway ", "postfix", "postfix"},
    {"2026-11-04T01:02:03+01:00 gateway ", "postfix", "postfix"},
    {"2026-11-04T01:02:03.123456Z gateway.corp.example ", "postfix", "postfix"},
    {"2026-11-04T01:02:03 gateway ", "postfix-in", "postfix"},
    {"Nov 14 01:02:03 gateway ", "mx-in", "mx-in"},
    {"Nov  4 01:02:03 gateway mail.info ", "postfix", "postfix"},
    {"Nov 4 01:02:03.123456 ", "postfix", "postfix"},
    {"<22>Nov  4 01:02:03 gateway ", "postfix", "postfix"},
    {"\xEF\xBB\xBF"
     "2026 Nov  4 01:02:03 gateway ",
     "postfix", "postfix"},
    {"Wed 2026-11-04 01:02:03 CET gateway ", "postfix", "postfix"},
    {"postfix-1  | 2026-11-04T01:02:03.123456789Z Nov  4 01:02:03 gateway ", "postfix", "postfix"},
    {"2026-11-04T01:02:03.123456789Z stdout F Nov  4 01:02:03 gateway ", "postfix", "postfix"},
    {"10 Mär 2026 01:02:03 gateway ", "postfix", "postfix"},
};

std::vector<std::string> lines_of(const std::string& name) {
    const auto text =
        read_file(std::filesystem::path(POSTCENSUS_SOURCE) / "fixtures" / "maillog" / name, 1'000'000);
    REQUIRE(text);
    std::vector<std::string> lines;
    for (std::size_t start = 0; start < text->size();) {
        const std::size_t end = text->find('\n', start);
        lines.push_back(text->substr(start, end - start));
        start = end + 1;
    }
    return lines;
}

// "12 miss anna@corp.example", "13 hostile"; nothing for a line that is no event.
std::vector<std::string> outcomes(const std::vector<std::string>& lines, const std::string& syslog_name) {
    constexpr const char* kDropped[] = {"hostile", "cut", "invalid", "strange", "namesake"};
    std::vector<std::string> found;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto result = mail::read_line(lines[i], {syslog_name});
        const std::string number = std::to_string(i + 1) + " ";
        if (result.event)
            found.push_back(number + std::string(mail::name_of(result.event->kind)) + " " +
                            result.event->recipient.external());
        if (result.dropped) found.push_back(number + kDropped[static_cast<int>(*result.dropped)]);
    }
    return found;
}

}  // namespace

TEST_CASE("what Postfix logs is understood under every prefix", "[mail][fixture]") {
    const auto lines = lines_of("postfix-3.7.log");
    const auto expected = lines_of("postfix-3.7.expected");
    REQUIRE(expected.size() > 25);
    CHECK(outcomes(lines, "postfix") == expected);
    for (const Prefix& prefix : kPrefixes) {
        CAPTURE(prefix.before, prefix.name);
        std::vector<std::string> others;
        for (const std::string& line : lines) {
            const std::size_t tag = line.find("postfix/");
            others.push_back(
                prefix.before + prefix.name +
                (tag == std::string::npos ? line : line.substr(tag + std::string("postfix").size())));
        }
        CHECK(outcomes(others, prefix.syslog_name) == expected);
    }
}
