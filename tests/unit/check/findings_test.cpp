// SPDX-License-Identifier: MIT
#include "check/findings.h"

#include <nlohmann/json.hpp>

#include "catch.h"

using namespace postcensus;
using namespace postcensus::check;

namespace {

const Findings kSome{Finding::ok("postfix", "a", "is good"), Finding::warn("log", "b", "is late", "mend b"),
                     Finding::fail("callout", "c", "says \x1b[31m\x07", "line 1\nline 2"),
                     Finding::fail("callout", "d", "too", "line 1\nline 2")};

}  // namespace

TEST_CASE("findings as text", "[check][findings]") {
    CHECK(findings_text(kSome, false) ==
          "ok    postfix   a: is good\n"
          "warn  log       b: is late\n"
          "                -> mend b\n"
          "fail  callout   c: says \\x1b[31m\\x07\n"
          "                -> line 1\n"
          "                   line 2\n"
          "fail  callout   d: too\n"
          "                -> line 1 … (as above)\n"
          "1 ok, 1 warn, 2 fail\n");
    const std::string coloured = findings_text(kSome, true);
    CHECK(coloured.starts_with("\x1b[32mok  \x1b[0m  postfix   a: is good\n\x1b[33mwarn\x1b[0m"));
    CHECK(coloured.find("says \\x1b[31m") != std::string::npos);
    CHECK(findings_text({}, false) == "0 ok, 0 warn, 0 fail\n");
}

TEST_CASE("findings as JSON", "[check][findings]") {
    const auto json = nlohmann::json::parse(findings_json(kSome));
    REQUIRE(json["findings"].size() == 4);
    CHECK(json["worst"] == "fail");
    CHECK(json["findings"][0] ==
          nlohmann::json{
              {"level", "ok"}, {"area", "postfix"}, {"subject", "a"}, {"words", "is good"}, {"remedy", ""}});
    CHECK(json["findings"][2]["remedy"] == "line 1\nline 2");
    CHECK(json["findings"][2]["words"] == "says \\x1b[31m\\x07");
    CHECK(nlohmann::json::parse(findings_json({}))["worst"] == "ok");
}
