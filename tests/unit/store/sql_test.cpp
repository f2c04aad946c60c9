// SPDX-License-Identifier: MIT
// Prepares every SQL statement of the sources against a fresh state: a name that no table has shows here, not
// in a customer's night.
#include "base/file.h"
#include "catch.h"
#include "store/database.h"
#include "store/sql_literals.h"

using namespace postcensus;
using namespace postcensus::store;
using namespace std::chrono_literals;

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
