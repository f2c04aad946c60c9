// SPDX-License-Identifier: MIT
#include "postfix/postmap.h"

#include <cstdlib>
#include <map>

#include "postfix/lookup.h"
#include "postfix/maps.h"

using namespace postcensus;
using namespace postcensus::postfix;

namespace {

// Postfix 3.11's words, and those of every Postfix about main.cf and the machine.
const std::vector<std::string> kNotices{
    "postmap: warning: hash/btree support is deprecated. Please switch to cdb or lmdb.",
    "postmap: hash/btree support is deprecated. Please switch to cdb or lmdb.",
    "hash/btree support is deprecated. Please switch to cdb or lmdb.",
    "postmap: warning: hash/btree support is deprecated",
    "/usr/sbin/postmap: warning: hash/btree support is deprecated. Please switch to cdb or lmdb. See "
    "https://www.postfix.org/NON_BERKELEYDB_README.html for details.",
    "postmap: warning: See https://www.postfix.org/NON_BERKELEYDB_README.html for details.",
    "postmap: warning: See /usr/share/doc/postfix/NON_BERKELEYDB_README.gz",
    "See NON_BERKELEYDB_README for alternatives\r",
    "postmap: redirecting hash:/var/lib/postcensus/maps/.build-a/unknown to "
    "cdb:/var/lib/postcensus/maps/.build-a/unknown",
    "postmap: info: redirecting btree:/a b:c to lmdb:/a b:c",
    "postmap: Redirecting btree:ignored to lmdb:ignored",
    "postmap: warning: /etc/postfix/main.cf, line 3: overriding earlier entry: mynetworks=127.0.0.1",
    "postmap: warning: inet_protocols: disabling IPv6 name/address support: Address family not supported by "
    "protocol",
    "postmap: warning: smtputf8_enable is true, but EAI support is not compiled in",
    "postmap: warning: Creating root-owned database file(s) /a/unknown.* in non-root-owned directory /a. "
    "Files /a/unknown, /a/unknown.*, and directory /a should have the same owner.",
};

const std::vector<std::string> kObjections{
    "postmap: warning: unknown, line 3: expected format: key whitespace value",
    "postmap: warning: unknown.db: duplicate entry: \"a@c.example\"",
    "postmap: warning: something that nobody knows yet",
    "postmap: fatal: open database /a/unknown.db: No such file or directory",
    "postmap: fatal: hash/btree support is deprecated. Please switch to cdb or lmdb.",
    "postmap: fatal: Berkeley DB support for 'hash:/a' is not available for this OS distribution; see "
    "https://www.postfix.org/NON_BERKELEYDB_README.html for alternatives",
    "postmap: warning: Non-Berkeley-DB migration error: no server",
    "postmap: warning: hash/btree support is deprecated. Please switch to cdb or lmdb. And one key is lost.",
    "postmap: redirecting hash:/a to cdb:/b",
    "postmap: redirecting mysql:/a to cdb:/a",
    "postmap: warning: dict_mysql: see NON_BERKELEYDB_README",
    // What a key or a value says is nobody's word.
    "postmap: warning: unknown, line 3: unbalanced '\"' in '\"x.cf, line 1: overriding earlier entry: '",
    "postmap: warning: x: y.cf, line 1: overriding earlier entry: a",
    "postmap: warning: unknown, line 1: hash/btree support is deprecated. Please switch to cdb or lmdb.",
};

// A postmap in front of the real one that says something first.
class Wrapper {
  public:
    explicit Wrapper(const std::string& words)
        : bin_(TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value()),
          path_(std::getenv("PATH")) {  // NOLINT(concurrency-mt-unsafe): one thread
        REQUIRE(write_file(bin_.path() / "words", words + "\n", 0644));
        REQUIRE(write_file(
            bin_.path() / "postmap",
            "#!/bin/sh\ncat " + (bin_.path() / "words").string() + " >&2\nexec /usr/sbin/postmap \"$@\"\n",
            0755));
        ::setenv("PATH", (bin_.path().string() + ":" + path_).c_str(), 1);
    }
    ~Wrapper() { ::setenv("PATH", path_.c_str(), 1); }
    Wrapper(const Wrapper&) = delete;
    Wrapper& operator=(const Wrapper&) = delete;

  private:
    TempFolder bin_;
    std::string path_;
};

}  // namespace

TEST_CASE("what postmap says of types and of main.cf is no objection to a table", "[postfix][postmap]") {
    std::string all;
    for (const std::string& notice : kNotices) {
        CAPTURE(notice);
        CHECK(objections(notice).empty());
        all += notice + "\n";
    }
    CHECK(objections(all).empty());
    for (const std::string& objection : kObjections) {
        CAPTURE(objection);
        CHECK(objections(objection) == objection + "\n");
        CHECK(objections(all + objection + "\n" + all) == objection + "\n");
    }
    CHECK(objections("").empty());
    CHECK_FALSE(objections(std::string(64UL * 1024, '\n')).empty());  // cut off
}

TEST_CASE("what is said of a type is told apart", "[postfix][postmap]") {
    CHECK(type_notice(kNotices[0]) == "hash/btree support is deprecated. Please switch to cdb or lmdb.");
    CHECK(type_notice(kNotices[11] + "\n" + kNotices[10]) == "Redirecting btree:ignored to lmdb:ignored");
    CHECK(type_notice(kNotices[11]).empty());
    CHECK(type_notice(kObjections[4]).empty());
}

TEST_CASE("a table is published and asked whatever postmap says of its type", "[postfix][postmap]") {
    for (const std::string& notice : kNotices) {
        CAPTURE(notice);
        const Wrapper wrapper(notice);
        Maps maps(usable_types().at(0));
        const auto published = maps.tables.publish(content("unknown", {{"a@c.example", "OK"}}));
        if (!published) FAIL(published.error().message);
        REQUIRE(maps.tables.ensure_spares());
        CHECK(maps.find("unknown", "a@c.example") == "OK");
        CHECK(maps.find("unknown", "b@c.example") == "-");
        const std::string table = maps.tables.type() + ":" + maps.path("unknown").string();
        const auto found = look_up(maps.etc(), table, {"a@c.example", "b@c.example"});
        REQUIRE(found);
        CHECK(*found == std::map<std::string, std::string>{{"a@c.example", "OK"}});
        CHECK(look_up(maps.etc(), table, {"b@c.example"})->empty());
        const auto tried = maps.tables.try_type(maps.etc());
        REQUIRE(tried);
        REQUIRE(*tried);
        CHECK((*tried)->notice == type_notice(notice));
    }
}

TEST_CASE("any other word of postmap is no answer, and no table", "[postfix][postmap]") {
    for (const std::string& objection : kObjections) {
        CAPTURE(objection);
        Maps maps(usable_types().at(0));
        REQUIRE(maps.tables.publish(content("unknown", {{"a@c.example", "OK"}})));
        const Wrapper wrapper(kNotices[0] + "\n" + objection);
        CHECK_FALSE(maps.tables.publish(content("unknown", {{"b@c.example", "OK"}})));
        CHECK(maps.find("unknown", "b@c.example").find("failure: ") == 0);
        const std::string table = maps.tables.type() + ":" + maps.path("unknown").string();
        CHECK_FALSE(look_up(maps.etc(), table, {"b@c.example"}));
    }
}

// The real postmap says this of a main.cf that names a parameter twice.
TEST_CASE("a parameter that stands twice in main.cf stops nothing", "[postfix][postmap]") {
    Maps maps(usable_types().at(0));
    REQUIRE(write_file(maps.etc() / "main.cf",
                       "compatibility_level = 3.6\nmynetworks = 127.0.0.1\nmynetworks = 127.0.0.2\n", 0644));
    REQUIRE(maps.tables.publish(content("learned", {{"a@c.example", "OK"}})));
    CHECK(maps.find("learned", "b@c.example") == "-");
}
