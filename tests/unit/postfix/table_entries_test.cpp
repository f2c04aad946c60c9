// SPDX-License-Identifier: MIT
#include "postfix/table_entries.h"

#include <algorithm>
#include <random>

#include "catch.h"

using namespace postcensus::postfix;

namespace {

using Texts = std::vector<std::string>;

TableEntries entries_of(const Texts& keys) {
    TableEntries entries;
    for (const std::string& key : keys) entries.add(key, "OK");
    return entries;
}

Texts keys_of(const TableEntries& entries) {
    Texts keys;
    for (std::size_t i = 0; i < entries.size(); ++i) keys.emplace_back(entries.at(i).key);
    return keys;
}

// Sorted by key, each key once; the text says the same; each key is found where it stands.
void check_sorted(Texts keys) {
    TableEntries entries = entries_of(keys);
    entries.sort();
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    CHECK(keys_of(entries) == keys);
    std::string text;
    for (const std::string& key : keys) text += key + "\tOK\n";
    CHECK(entries.text() == text);
    for (std::size_t i = 0; i < keys.size(); i += 1 + keys.size() / 10) CHECK(entries.find(keys[i]) == i);
    CHECK_FALSE(entries.find("nobody@c.example"));
}

}  // namespace

TEST_CASE("entries are sorted, however they come", "[postfix][table_entries]") {
    check_sorted({});
    check_sorted({"a@c.example"});
    check_sorted({"a@c.example", "a@c.example"});
    check_sorted({"b@c.example", "a@c.example"});
    // A shorter key stands before a longer one that begins with it.
    check_sorted({"a@c.example.org", "a@c.example"});
    std::mt19937 random(1);
    const auto some = [&](std::size_t count) {
        Texts keys;
        for (std::size_t i = 0; i < count; ++i)
            keys.push_back("u" + std::to_string(random() % 2000) + "@c.example");
        return keys;
    };
    for (int round = 0; round < 40; ++round) {
        // Up to forty runs, each of which is sorted, and behind them what is not.
        Texts keys;
        for (int run = 0; run <= round; ++run) {
            Texts sorted = some(random() % 100);
            std::sort(sorted.begin(), sorted.end());
            keys.insert(keys.end(), sorted.begin(), sorted.end());
        }
        const Texts last = some(random() % 50);
        keys.insert(keys.end(), last.begin(), last.end());
        CAPTURE(round);
        check_sorted(keys);
    }
}

TEST_CASE("entries are counted by domain", "[postfix][table_entries]") {
    TableEntries entries =
        entries_of({"a@c.example", "a@d.example", "b@c.example", "@e.example", "\"x@y\"@c.example"});
    entries.sort();
    CHECK(entries.count_by_domain() ==
          std::map<std::string, std::int64_t>{{"c.example", 3}, {"d.example", 1}, {"e.example", 1}});
    CHECK(entries.at(*entries.find("a@d.example")).value == "OK");
}
