// SPDX-License-Identifier: MIT
// Prepares every SQL statement of the sources against a fresh state: a name that no table has shows here, not
// in a customer's night.
#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "catch.h"
#include "store/database.h"

using namespace postcensus;
using namespace std::chrono_literals;

namespace {

struct Literal {
    std::string text;  // adjacent literals in one
    std::size_t line = 0;
    bool concatenated = false;  // a + stands before or behind it
};

class Scanner {
  public:
    explicit Scanner(std::string source) : source_(std::move(source)) {}

    std::vector<Literal> literals() {
        std::vector<Literal> all;
        char before = '\0';     // the last character of code
        bool adjacent = false;  // nothing but blanks and comments since the last literal
        while (at_ < source_.size()) {
            if (skip_blank_or_comment()) continue;
            if (source_[at_] == '\'' && !is_word(before)) {
                read_quoted('\'');
                before = '\'';
                adjacent = false;
                continue;
            }
            if (source_[at_] == '"') {
                const std::size_t line = line_of(at_);
                const std::string text = before == 'R' ? read_raw() : read_quoted('"');
                if (adjacent)
                    all.back().text += text;
                else
                    all.push_back({text, line, before == '+'});
                adjacent = true;
                before = '"';
                continue;
            }
            if (adjacent && source_[at_] == '+') all.back().concatenated = true;
            adjacent = false;
            before = source_[at_++];
        }
        return all;
    }

  private:
    static bool is_word(char byte) {
        return std::isalnum(static_cast<unsigned char>(byte)) != 0 || byte == '_';
    }

    std::size_t line_of(std::size_t at) const {
        return 1 + static_cast<std::size_t>(
                       std::count(source_.begin(), source_.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    }

    bool skip_blank_or_comment() {
        const std::string_view rest = std::string_view(source_).substr(at_);
        if (std::isspace(static_cast<unsigned char>(rest.front())) != 0)
            ++at_;
        else if (rest.starts_with("//"))
            at_ = std::min(source_.find('\n', at_), source_.size());
        else if (rest.starts_with("/*"))
            at_ = std::min(source_.find("*/", at_ + 2), source_.size() - 2) + 2;
        else
            return false;
        return true;
    }

    std::string read_quoted(char quote) {
        std::string text;
        for (++at_; at_ < source_.size() && source_[at_] != quote; ++at_) {
            if (source_[at_] == '\\') ++at_;
            text += source_[at_];
        }
        ++at_;
        return text;
    }

    // R"mark(...)mark"
    std::string read_raw() {
        const std::size_t open = source_.find('(', at_);
        const std::string close = ")" + source_.substr(at_ + 1, open - at_ - 1) + "\"";
        const std::size_t end = source_.find(close, open);
        REQUIRE(end != std::string::npos);
        at_ = end + close.size();
        return source_.substr(open + 1, end - open - 1);
    }

    std::string source_;
    std::size_t at_ = 0;
};

bool is_statement(const std::string& text) {
    constexpr std::array<std::string_view, 6> kVerbs{"SELECT ", "INSERT ",  "UPDATE ",
                                                     "DELETE ", "REPLACE ", "WITH "};
    return std::any_of(kVerbs.begin(), kVerbs.end(),
                       [&text](std::string_view verb) { return text.starts_with(verb); });
}

std::vector<std::filesystem::path> sources() {
    std::vector<std::filesystem::path> files;
    for (const char* folder : {"src/store", "src/tasks", "cmd"})
        for (const auto& entry :
             std::filesystem::directory_iterator(std::filesystem::path(POSTCENSUS_SOURCE) / folder))
            if (entry.path().extension() == ".cpp" || entry.path().extension() == ".h")
                files.push_back(entry.path());
    return files;
}

}  // namespace

TEST_CASE("the scanner finds statements whole", "[store][sql]") {
    const auto found = Scanner(R"source(
        // "SELECT commented"
        f('"', "SELECT a "   // the first
          "FROM b", it's_not_reached);)source")
                           .literals();
    REQUIRE_FALSE(found.empty());
    CHECK(found[0].text == "SELECT a FROM b");
    CHECK(found[0].line == 3);
    CHECK_FALSE(found[0].concatenated);

    const auto joined =
        Scanner("f(\"SELECT a FROM \" + b, c + \"x\", 1'000, \"DELETE\\\"\", R\"(a\"b)\");").literals();
    REQUIRE(joined.size() == 4);
    CHECK(joined[0].concatenated);
    CHECK(joined[1].concatenated);
    CHECK_FALSE(joined[2].concatenated);
    CHECK(joined[2].text == "DELETE\"");
    CHECK(joined[3].text == "a\"b");
}

TEST_CASE("every statement fits the schema", "[store][sql]") {
    const auto temp = TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-");
    REQUIRE(temp);
    auto state = store::Database::open(temp->path() / "state.db", store::Database::Mode::create, 0ms);
    REQUIRE(state);

    std::size_t statements = 0;
    for (const std::filesystem::path& file : sources()) {
        auto text = read_file(file, 1'000'000);
        REQUIRE(text);
        for (const Literal& literal : Scanner(*text).literals()) {
            if (!is_statement(literal.text)) continue;
            ++statements;
            INFO(file.string() << ":" << literal.line << ": " << literal.text);
            CHECK_FALSE(literal.concatenated);
            // SQLite prepares up to the first semicolon only; braces are a text put together at run time.
            CHECK(literal.text.find_first_of(";{") == std::string::npos);
            const auto prepared = state->write([&](store::Writer& writer) {
                SQLite::Statement statement(writer.db, literal.text);
                return statement.getQuery();
            });
            if (!prepared) FAIL_CHECK(prepared.error().message << " " << prepared.error().detail);
        }
    }
    // Not all of them were overlooked.
    CHECK(statements >= 90);
}
