// SPDX-License-Identifier: MIT
#include "postfix/table.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "base/unique_fd.h"
#include "mail/address.h"
#include "postfix/maps.h"

using namespace postcensus;
using namespace postcensus::postfix;
using namespace std::chrono_literals;

namespace {

using Texts = std::vector<std::string>;

unsigned mode_of(const std::filesystem::path& path) {
    struct stat facts {};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    return facts.st_mode & 0777U;
}

Texts keys_of(const std::vector<KeyValue>& entries) {
    Texts keys;
    for (const auto& [key, value] : entries) keys.push_back(key);
    return keys;
}

}  // namespace

TEST_CASE("Postfix finds what was published", "[postfix][table]") {
    for (const std::string& type : usable_types()) {
        CAPTURE(type);
        const Maps maps(type);
        const mode_t before = ::umask(077);
        const auto published = maps.tables.publish(content(
            "unknown", {{"a@c.example", "REJECT no such user"}, {"b@c.example", "DUNNO"}}, kNoon + 1h));
        ::umask(before);
        if (!published) FAIL(published.error().message);
        CHECK(maps.find("unknown", "a@c.example") == "REJECT no such user");
        CHECK(maps.find("unknown", "b@c.example") == "DUNNO");
        CHECK(maps.find("unknown", "d@c.example") == "-");
        CHECK(maps.files() == Texts{"unknown", maps.index("unknown").filename().string()});
        // smtpd reads them as another user, whatever our umask.
        CHECK(mode_of(maps.path("unknown")) == 0644);
        CHECK(mode_of(maps.index("unknown")) == 0644);

        const auto head = maps.tables.head("unknown");
        REQUIRE(head);
        CHECK(head->generation == 7);
        CHECK(head->until == kNoon + 1h);
        CHECK(maps.tables.keys("unknown") == Texts{"a@c.example", "b@c.example"});
        // An empty table is a table.
        REQUIRE(maps.tables.publish(content("unknown", {})));
        CHECK(maps.find("unknown", "a@c.example") == "-");
        CHECK(maps.tables.keys("unknown") == Texts{});
    }
}

TEST_CASE("a head is read whole, however many domains it names", "[postfix][table]") {
    const Maps maps("lmdb");
    for (const int domains : {1, 1'000, 40'000}) {
        TableHead head{.state_id = "0123abcd", .generation = domains, .written = kNoon};
        for (int i = 0; i < domains; ++i)
            head.counts["a-domain-of-a-usual-length-" + std::to_string(i) + ".example"] = i;
        const std::string text = format_head("directory", head);
        REQUIRE(write_file(maps.path("directory"), text + "a@c.example\tOK\n", 0644));
        const auto read = maps.tables.head("directory");
        REQUIRE(read);
        CHECK(read->generation == domains);
        CHECK(read->counts == head.counts);
        REQUIRE(write_file(maps.path("directory"), text.substr(0, text.size() - 1), 0644));
        CHECK_FALSE(maps.tables.head("directory"));
    }
}

TEST_CASE("keys of every kind survive", "[postfix][table]") {
    std::vector<KeyValue> entries{{"@d.example", "OK"}};
    for (const char* local : {"plain",        "j smith", "j  smith", "a\"b",   "a\\b", "a@b", "a,b",  "a#b",
                              ":include",     "'",       "\"",       "a\"b c", "a.b",  ".a",  "a..b", "-a",
                              "\xC3\xA4rger", "a+b",     "a=b",      "a/b",    "a%b"}) {
        const auto address = mail::Address::from_internal(std::string(local) + "@c.example");
        CAPTURE(local);
        REQUIRE(address);
        entries.push_back({address->external(), "OK"});
    }
    std::sort(entries.begin(), entries.end());
    for (const std::string& type : usable_types()) {
        CAPTURE(type);
        const Maps maps(type);
        const auto published = maps.tables.publish(content("directory", entries));
        if (!published) FAIL(published.error().message << " " << published.error().detail);
        for (const auto& [key, value] : entries) {
            CAPTURE(key);
            CHECK(maps.find("directory", key) == "OK");
        }
        CHECK(maps.find("directory", "@c.example") == "-");
        CHECK(maps.tables.keys("directory") == keys_of(entries));
    }
}

TEST_CASE("a key that ends with a backslash is read again as it was", "[postfix][table]") {
    const auto address = mail::Address::from_internal("a\\@c.example");
    REQUIRE(address);
    const Maps maps("lmdb");
    REQUIRE(write_file(maps.path("learned"), address->external() + "\tOK\n\"b c\"@c.example\tOK\n", 0644));
    CHECK(maps.tables.keys("learned") == Texts{address->external(), "\"b c\"@c.example"});
}

TEST_CASE("keys are read whoever wrote the table", "[postfix][table]") {
    const Maps maps("lmdb");
    REQUIRE(write_file(
        maps.path("learned"),
        "# by hand\n\na@c.example OK\n  continued\n\tcontinued\n\"j smith\"@c.example\t\tOK\n@d.example OK",
        0644));
    CHECK(maps.tables.keys("learned") == Texts{"a@c.example", "\"j smith\"@c.example", "@d.example"});
    CHECK_FALSE(maps.tables.head("learned"));
    CHECK_FALSE(maps.tables.keys("directory").has_value());
    CHECK_FALSE(maps.tables.head("directory"));
}

TEST_CASE("a line that postmap skips stops the publication", "[postfix][table]") {
    struct Case {
        const char* name;
        std::vector<KeyValue> entries;
    };
    const std::vector<Case> cases{
        {"the same key twice", {{"b@c.example", "OK"}, {"b@c.example", "OK"}}},
        {"no value", {{"b@c.example", ""}}},
        {"a comment", {{"#b@c.example", "OK"}}},
        {"no key", {{"", "OK"}}},
        {"a key of two words", {{"b b@c.example", "OK"}}},
        {"a value of two lines", {{"b@c.example", "OK\nx"}}},
    };
    for (const std::string& type : usable_types()) {
        const Maps maps(type);
        REQUIRE(maps.tables.publish(content("directory", {{"a@c.example", "OK"}})));
        const std::string before = maps.tables.identity("directory");
        const Texts files = maps.files();
        for (const Case& one : cases) {
            CAPTURE(type, one.name);
            const auto published = maps.tables.publish(content("directory", one.entries));
            REQUIRE_FALSE(published);
            CHECK(published.error().code == ExitCode::cannot_write);
            CHECK(published.error().message.find("directory") != std::string::npos);
            CHECK(maps.tables.identity("directory") == before);
            CHECK(maps.files() == files);
        }
        CHECK(maps.find("directory", "a@c.example") == "OK");
    }
}

TEST_CASE("a table that somebody touched has another identity", "[postfix][table]") {
    const Maps maps(usable_types().at(0));
    const std::string missing = maps.tables.identity("learned");
    REQUIRE(maps.tables.publish(content("learned", {{"a@c.example", "OK"}})));
    const std::string first = maps.tables.identity("learned");
    CHECK(first != missing);
    CHECK(maps.tables.identity("learned") == first);
    REQUIRE(maps.tables.publish(content("learned", {{"a@c.example", "OK"}})));
    const std::string second = maps.tables.identity("learned");
    CHECK(second != first);
    const auto time = std::filesystem::last_write_time(maps.path("learned"));
    std::filesystem::last_write_time(maps.path("learned"), time + 1ms);
    CHECK(maps.tables.identity("learned") != second);
    std::filesystem::last_write_time(maps.path("learned"), time);
    CHECK(maps.tables.identity("learned") == second);
    std::filesystem::remove(maps.index("learned"));
    CHECK(maps.tables.identity("learned") != second);
}

TEST_CASE("the old index has no name any more", "[postfix][table]") {
    // Postfix opens a table anew when the link count of the file that it has open is 0.
    for (const std::string& type : usable_types()) {
        CAPTURE(type);
        const Maps maps(type);
        REQUIRE(maps.tables.publish(content("unknown", {{"a@c.example", "REJECT"}})));
        const UniqueFd open(::open(maps.index("unknown").c_str(), O_RDONLY | O_CLOEXEC));
        REQUIRE(open);
        REQUIRE(maps.tables.publish(content("unknown", {{"b@c.example", "REJECT"}})));
        struct stat facts {};
        REQUIRE(::fstat(open.get(), &facts) == 0);
        CHECK(facts.st_nlink == 0);
    }
}

TEST_CASE("what a killed publication left is dropped", "[postfix][table]") {
    Maps maps(usable_types().at(0));
    REQUIRE(maps.tables.publish(content("learned", {{"a@c.example", "OK"}})));
    const Texts files = maps.files();
    std::filesystem::create_directory(maps.path(".build-abc"));
    REQUIRE(write_file(maps.path(".build-abc") / "directory", "a@c.example\tOK\n", 0600));
    REQUIRE(maps.tables.prepare());
    CHECK(maps.files() == files);
    CHECK(maps.find("learned", "a@c.example") == "OK");
}

// From Postfix 3.11 on `postmap hash:x` may write x.lmdb: non_bdb_migration_level.
TEST_CASE("a redirected type has the index that postmap made", "[postfix][table]") {
    const auto bin = TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value();
    REQUIRE(write_file(bin.path() / "postmap",
                       "#!/bin/sh\nexec /usr/sbin/postmap $(echo \"$@\" | sed 's/hash:/lmdb:/')\n", 0755));
    const std::string path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): one thread
    ::setenv("PATH", (bin.path().string() + ":" + path).c_str(), 1);
    Maps maps("hash");
    CHECK(maps.index("unknown").filename() == "unknown.lmdb");
    const auto published = maps.tables.publish(content("unknown", {{"a@c.example", "OK"}}));
    CHECK(maps.find("unknown", "a@c.example") == "OK");
    REQUIRE(maps.tables.ensure_spares());
    CHECK(maps.files() == Texts{"closed.empty", "closed.empty.lmdb", "unknown", "unknown.empty",
                                "unknown.empty.lmdb", "unknown.lmdb"});
    REQUIRE(published);
    CHECK(*published == maps.tables.identity("unknown"));
    ::setenv("PATH", path.c_str(), 1);
}

TEST_CASE("a type that this Postfix has not is said with its remedy", "[postfix][table]") {
    const auto folder =
        TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value();
    TableFolder tables({.config_dir = "/etc/postfix", .maps = folder.path() / "maps"}, "mysql");
    const auto prepared = tables.prepare();
    REQUIRE_FALSE(prepared);
    CHECK(prepared.error().code == ExitCode::configuration);
    CHECK(prepared.error().message.find("postconf -m") != std::string::npos);
}

TEST_CASE("keys are read from the index where the text is gone", "[postfix][table]") {
    for (const std::string& type : usable_types()) {
        CAPTURE(type);
        const Maps maps(type);
        REQUIRE(
            maps.tables.publish(content("directory", {{"a@c.example", "OK"}, {"\"b c\"@c.example", "OK"}})));
        std::filesystem::remove(maps.path("directory"));
        auto keys = maps.tables.keys("directory");
        if (type == "cdb") {
            REQUIRE_FALSE(keys);
            CHECK(keys.error().message.find("restore the text") != std::string::npos);
            continue;
        }
        REQUIRE(keys);
        std::sort(keys->begin(), keys->end());
        CHECK(*keys == Texts{"\"b c\"@c.example", "a@c.example"});
    }
}

TEST_CASE("a new index is asked for what changed", "[postfix][table]") {
    const Maps maps(usable_types().at(0));
    std::vector<KeyValue> lines;
    for (int i = 10'000; i < 13'000; ++i) lines.emplace_back("n" + std::to_string(i) + "@c.example", "OK");
    TableContent table = content("directory", lines);
    CHECK(table.entries.find("n10000@c.example") == 0U);
    CHECK(table.entries.find("n12999@c.example") == 2999U);
    CHECK_FALSE(table.entries.find("n1299@c.example"));
    CHECK_FALSE(table.entries.find("z@c.example"));
    table.changed = {"n12345@c.example", "not-there@c.example"};
    CHECK(maps.tables.publish(table));
}

TEST_CASE("a failure is never an answer", "[postfix][table]") {
    const Maps maps(usable_types().at(0));
    CHECK(maps.find("directory", "a@c.example").find("failure: ") == 0);
    // No main.cf: postmap fails, and nothing is published.
    std::filesystem::remove(maps.etc() / "main.cf");
    CHECK_FALSE(maps.tables.publish(content("directory", {{"a@c.example", "OK"}})).has_value());
    CHECK(maps.files().empty());
}

TEST_CASE("a reader meets no gap while a table is replaced", "[postfix][table]") {
    for (const std::string& type : usable_types()) {
        CAPTURE(type);
        const Maps maps(type);
        REQUIRE(maps.tables.publish(content("directory", {{"a@c.example", "0"}})));
        std::atomic<bool> stop = false;
        std::atomic<int> lookups = 0;
        std::atomic<int> wrong = 0;
        std::thread reader([&] {
            while (!stop) {
                const auto found = maps.tables.look_up("directory", "a@c.example");
                if (!found || !*found || (*found)->empty()) ++wrong;
                ++lookups;
                lookups.notify_one();
            }
        });
        bool published = true;
        for (int i = 1; i <= 20; ++i) {
            const int before = lookups;
            std::vector<KeyValue> entries{{"a@c.example", std::to_string(i)}};
            for (int more = 0; more < i * 20; ++more)
                entries.push_back({"m" + std::to_string(more) + "@c.example", "OK"});
            published = published && maps.tables.publish(content("directory", entries));
            lookups.wait(before);
        }
        stop = true;
        reader.join();
        CHECK(published);
        CHECK(wrong == 0);
        CHECK(lookups >= 20);
        CHECK(maps.find("directory", "a@c.example") == "20");
    }
}
