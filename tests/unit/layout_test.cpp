// SPDX-License-Identifier: MIT
// Reads the #includes of the sources, and fails on an arrow against the direction of the design:
// base <- mail <- census <- {directory maillog callout store postfix} <- config <- flow <- audit <- {check
// watch} <- cmd Those in the braces never include each other. Of the flow's five none includes a later one:
// read, follow, ask, decide, publish. Vendors' headers stay in the folders that wrap them.
#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "catch.h"

using namespace postcensus;

namespace {

// How far up a folder stands. Of two of the same height neither may include the other.
const std::map<std::string, int> kHeights{
    {"base", 0},        {"mail", 1},     {"census", 2},      {"directory", 3},    {"maillog", 3},
    {"callout", 3},     {"store", 3},    {"postfix", 3},     {"config", 4},       {"flow/read", 5},
    {"flow/follow", 6}, {"flow/ask", 7}, {"flow/decide", 8}, {"flow/publish", 9}, {"audit", 10},
    {"check", 11},      {"watch", 11},   {"cmd", 12}};

struct Vendor {
    std::string header;  // how an include of it begins
    std::set<std::string> folders;
};
const std::vector<Vendor> kVendors{
    {"ldap", {"directory"}},
    {"lber", {"directory"}},
    {"sqlite3", {"store"}},
    {"SQLiteCpp", {"store"}},
    {"systemd/sd-journal", {"maillog"}},
    {"systemd/sd-daemon", {"base"}},
    {"boost/asio", {"base", "callout", "flow/ask", "audit", "check", "watch"}},
    {"boost/program_options", {"config", "cmd"}},
};

struct Include {
    std::string folder;  // of the file that has it
    std::string file;
    std::string header;
    bool ours = false;  // in quotes
};

std::vector<Include> read_includes(const std::string& folder, const std::string& file,
                                   const std::string& text) {
    std::vector<Include> includes;
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        std::string line = text.substr(start, end - start);
        start = end + 1;
        line.erase(
            std::remove_if(line.begin(), line.end(), [](char byte) { return byte == ' ' || byte == '\t'; }),
            line.end());
        const bool ours = line.rfind("#include\"", 0) == 0;
        if (!ours && line.rfind("#include<", 0) != 0) continue;
        const std::size_t close = line.find(ours ? '"' : '>', 9);
        includes.push_back({folder, file, line.substr(9, close - 9), ours});
    }
    return includes;
}

// What is wrong with an include; empty if nothing.
std::string why_wrong(const Include& include) {
    if (include.ours) {
        const std::size_t slash = include.header.rfind('/');
        if (slash == std::string::npos) return "it does not name its folder";
        const std::string other = include.header.substr(0, slash);
        const auto from = kHeights.find(include.folder);
        const auto to = kHeights.find(other);
        if (from == kHeights.end() || to == kHeights.end()) return "the folder is none of the design";
        if (other != include.folder && to->second >= from->second)
            return "the arrow points against the direction";
        return {};
    }
    for (const Vendor& vendor : kVendors)
        if (include.header.rfind(vendor.header, 0) == 0 && vendor.folders.count(include.folder) == 0)
            return "this folder does not wrap it";
    return {};
}

std::vector<Include> all_includes() {
    const std::filesystem::path root(POSTCENSUS_SOURCE);
    std::vector<std::pair<std::string, std::filesystem::path>> folders{{"cmd", root / "cmd"}};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "src"))
        if (entry.is_directory() && entry.path() != root / "src/flow")
            folders.emplace_back(std::filesystem::relative(entry.path(), root / "src").string(),
                                 entry.path());
    std::vector<Include> all;
    for (const auto& [folder, path] : folders)
        for (const auto& entry : std::filesystem::directory_iterator(path)) {
            if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
            const auto text = read_file(entry.path(), 1'000'000);
            REQUIRE(text);
            const auto some =
                read_includes(folder, std::filesystem::relative(entry.path(), root).string(), *text);
            all.insert(all.end(), some.begin(), some.end());
        }
    return all;
}

}  // namespace

TEST_CASE("an arrow against the direction is seen", "[layout]") {
    const auto wrong = [](const std::string& folder, const std::string& line) {
        const auto includes = read_includes(folder, "f.cpp", "// first\n" + line + "\nint x;\n");
        REQUIRE(includes.size() == 1);
        return !why_wrong(includes[0]).empty();
    };
    CHECK_FALSE(wrong("census", "#include \"mail/address.h\""));
    CHECK_FALSE(wrong("store", "#include \"store/database.h\""));
    CHECK_FALSE(wrong("flow/read", "#include \"directory/reader.h\""));
    CHECK_FALSE(wrong("store", "#include <SQLiteCpp/SQLiteCpp.h>"));
    CHECK_FALSE(wrong("mail", "#include <string>"));
    CHECK(wrong("mail", "#include \"census/evidence.h\""));
    CHECK(wrong("store", "  #  include \"postfix/table.h\"  // why not"));
    CHECK(wrong("postfix", "#include \"store/database.h\""));
    CHECK(wrong("config", "#include \"watch/watch.h\""));
    CHECK(wrong("watch", "#include \"cmd/command.h\""));
    CHECK(wrong("base", "#include \"util/text.h\""));
    CHECK(wrong("store", "#include \"database.h\""));
    CHECK(wrong("flow/read", "#include \"flow/decide/decision.h\""));
    CHECK(wrong("check", "#include \"watch/watch.h\""));
    CHECK(wrong("flow/decide", "#include <SQLiteCpp/SQLiteCpp.h>"));
    CHECK(wrong("config", "#include <ldap.h>"));
    CHECK(wrong("cmd", "#include <boost/asio/io_context.hpp>"));
    CHECK(wrong("check", "#include <boost/program_options.hpp>"));
}

TEST_CASE("dependencies point one way", "[layout]") {
    const std::vector<Include> includes = all_includes();
    std::set<std::string> folders;
    std::size_t ours = 0;
    for (const Include& include : includes) {
        folders.insert(include.folder);
        if (include.ours) ++ours;
        const std::string why = why_wrong(include);
        if (!why.empty()) FAIL_CHECK(include.file << " includes " << include.header << ": " << why);
    }
    // All of the design was read, and nothing beside it.
    for (const auto& [folder, height] : kHeights) {
        CAPTURE(folder);
        CHECK(folders.count(folder) == 1);
    }
    CHECK(folders.size() == kHeights.size());
    CHECK(ours > 150);
}

TEST_CASE("each vendor is used where it is wrapped", "[layout]") {
    // A name that no source includes any more would be checked in vain. The journal comes with a later
    // version.
    const std::vector<Include> includes = all_includes();
    for (const Vendor& vendor : kVendors) {
        if (vendor.header == "systemd/sd-journal" || vendor.header == "lber") continue;
        CAPTURE(vendor.header);
        CHECK(std::any_of(includes.begin(), includes.end(), [&](const Include& include) {
            return include.header.rfind(vendor.header, 0) == 0;
        }));
    }
}

TEST_CASE("a file's namespace is its folder", "[layout]") {
    const std::filesystem::path root(POSTCENSUS_SOURCE);
    for (const char* top : {"src", "cmd"})
        for (const auto& entry : std::filesystem::recursive_directory_iterator(root / top)) {
            if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
            const std::string path = std::filesystem::relative(entry.path(), root).string();
            const std::string folder =
                path.starts_with("src/") ? path.substr(4, path.find('/', 4) - 4) : "cmd";
            const std::string wanted = folder == "base" ? "postcensus" : "postcensus::" + folder;
            const auto text = read_file(entry.path(), 1'000'000);
            REQUIRE(text);
            CAPTURE(path);
            const std::string begin = "\nnamespace postcensus";
            for (std::size_t at = text->find(begin); at != std::string::npos; at = text->find(begin, at + 1))
                CHECK(text->substr(at + 11, text->find(" {", at) - at - 11) == wanted);
        }
}

// Words are for people: they are worded anew, and hold what servers say.
TEST_CASE("nothing is chosen by the words of a message", "[layout]") {
    const std::filesystem::path root(POSTCENSUS_SOURCE);
    const std::regex searched(
        R"((message|reason|detail)(\(\))?\.(find|rfind|contains|starts_with|ends_with|substr)\()");
    for (const char* top : {"src", "cmd"})
        for (const auto& entry : std::filesystem::recursive_directory_iterator(root / top)) {
            if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
            // The journal's field of that name is a line of a log.
            if (entry.path().filename() == "journal_tail.cpp") continue;
            const auto text = read_file(entry.path(), 1'000'000);
            REQUIRE(text);
            CAPTURE(entry.path().string());
            CHECK_FALSE(std::regex_search(*text, searched));
        }
}

TEST_CASE("a header says what it is, and is read once", "[layout]") {
    const std::filesystem::path root(POSTCENSUS_SOURCE);
    int headers = 0;
    for (const char* folder : {"src", "cmd"})
        for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
            const auto extension = entry.path().extension();
            if (extension != ".h" && extension != ".cpp") continue;
            const auto text = read_file(entry.path(), 1'000'000);
            REQUIRE(text);
            CAPTURE(entry.path().string());
            CHECK(text->rfind("// SPDX-License-Identifier: MIT\n", 0) == 0);
            if (extension == ".cpp") continue;
            ++headers;
            CHECK(text->find("\n#pragma once\n") != std::string::npos);
            CHECK(text->rfind("// SPDX-License-Identifier: MIT\n// ", 0) == 0);
        }
    CHECK(headers > 30);
}
