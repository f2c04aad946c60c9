// SPDX-License-Identifier: MIT
// What the documents tell people to type: commands and options that the program has, units that are
// installed, keys and configurations that load. That the synopsis is the program's own:
// tests/lab/test_docs.py.
#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "base/file.h"
#include "catch.h"
#include "config/configuration.h"
#include "documents.h"

namespace postcensus {
namespace {

namespace fs = std::filesystem;

struct Line {
    std::string at;
    std::vector<std::string> words;
};

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

// The words of a command up to what the shell takes for itself, or a person ("…", "#").
std::vector<std::string> own_words(const std::string& command) {
    static const std::regex end(R"(^(\||>|<|&|#|;|&&|2>.*|\\)$|^<)");
    std::vector<std::string> own;
    for (const std::string& word : words_of(command)) {
        if (std::regex_search(word, end)) break;
        const bool last = word.size() > 1 && word.back() == ';';
        own.push_back(last ? word.substr(0, word.size() - 1) : word);
        if (last) break;
    }
    return own;
}

// Every command line of the documents that begins with `program`: in blocks at the start of a line or behind
// a pipe, and whole spans.
std::vector<Line> commands_of(const std::string& program) {
    const std::regex start("(?:^|\\| )(" + program + " .*)");
    std::vector<Line> found;
    const auto add = [&](const std::string& at, const std::string& text) {
        std::smatch match;
        if (std::regex_search(text, match, start)) found.push_back({at, own_words(match[1])});
    };
    for (const Document& document : all_documents()) {
        for (const CodeBlock& block : document.blocks)
            for (const std::string& line : block.lines) add(block.at + ": " + line, line);
        for (const CodeSpan& span : document.spans)
            if (span.text.starts_with(program + " ")) add(span.at + ": " + span.text, span.text);
    }
    return found;
}

// Command -> its options, from the manual's synopsis. True: the option takes a value.
using Options = std::map<std::string, bool>;

std::map<std::string, Options> synopsis() {
    std::map<std::string, Options> commands;
    const std::regex line(R"(^\*postcensus\* \*([a-z]+)\*(.*))");
    const std::regex option(R"(\*(--[a-z-]+)\*( _)?)");
    for (const std::string& text : lines_of(read_document(kRoot / "docs/man/postcensus.8.scd"))) {
        std::smatch match;
        if (!std::regex_match(text, match, line)) continue;
        Options& options = commands[match[1]];
        const std::string rest = match[2];
        for (std::sregex_iterator at(rest.begin(), rest.end(), option), end; at != end; ++at)
            options[(*at)[1]] = (*at)[2].matched;
    }
    return commands;
}

const Options kShared{{"--config", true}, {"--log-level", true}};

// Empty, or what is wrong with `postcensus …`.
std::string fault_of(const std::vector<std::string>& words, const std::map<std::string, Options>& commands) {
    std::size_t i = 1;
    for (; i < words.size() && words[i].starts_with('-'); ++i) {
        const std::string name = words[i].substr(0, words[i].find('='));
        if (name == "--help" || name == "--version") return {};
        if (!kShared.contains(name)) return "no option before a command: " + name;
        if (words[i] == name) ++i;
    }
    if (i >= words.size()) return "names no command";
    const auto command = commands.find(words[i]);
    if (command == commands.end()) return "no command: " + words[i];
    for (++i; i < words.size(); ++i) {
        if (!words[i].starts_with("--")) continue;
        const std::string name = words[i].substr(0, words[i].find('='));
        const auto option = command->second.find(name);
        if (name != "--help" && option == command->second.end())
            return "no option of " + command->first + ": " + name;
        if (name != "--help" && option->second && words[i] == name && ++i == words.size())
            return name + " wants a value";
    }
    return {};
}

// Sections of a configuration in the order of a block: name, then its keys with their values.
struct Section {
    std::string name;
    std::vector<std::pair<std::string, std::string>> keys;
    bool has(const std::string& key) const {
        return std::any_of(keys.begin(), keys.end(), [&](const auto& one) { return one.first == key; });
    }
};

std::set<std::string> keys_of(const std::string& section) {
    std::set<std::string> keys;
    for (const std::string& known : config::known_keys())
        if (known.starts_with(section + " ")) keys.insert(known.substr(section.size() + 1));
    return keys;
}

// The kind of section in which all of these keys are known; empty if there is none.
std::string kind_of(const Section& section) {
    for (const char* kind : {"directory", "route", "general", "log", "budget"}) {
        const std::set<std::string> known = keys_of(kind);
        if (std::all_of(section.keys.begin(), section.keys.end(),
                        [&](const auto& key) { return known.contains(key.first); }))
            return kind;
    }
    return {};
}

// A block that is a configuration, or a part of one; otherwise nothing.
std::vector<Section> configuration_in(const CodeBlock& block) {
    static const std::regex heading(R"(\[((general|log|budget)|(directory|route)\.[A-Za-z0-9-]+)\].*)");
    static const std::regex key(R"(([a-z][a-z-]*) =(?: (.*))?)");
    std::vector<Section> sections;
    for (const std::string& line : block.lines) {
        std::smatch match;
        if (line.empty() || line.starts_with('#')) continue;
        if (std::regex_match(line, match, heading)) {
            sections.push_back({match[1], {}});
        } else if (std::regex_match(line, match, key)) {
            if (sections.empty()) sections.push_back({"", {}});
            sections.back().keys.emplace_back(match[1], match[2]);
        } else {
            return {};
        }
    }
    if (!sections.empty() && sections.front().name.empty()) {
        const std::string kind = kind_of(sections.front());
        if (kind.empty()) return {};
        sections.front().name = kind == "directory" || kind == "route" ? kind + ".example" : kind;
    }
    return sections;
}

// A fragment gets what must be written, and files that there are.
std::string completed(std::vector<Section> sections, const fs::path& secret) {
    const auto begins = [&](const char* with) {
        return std::any_of(sections.begin(), sections.end(),
                           [&](const Section& one) { return one.name.starts_with(with); });
    };
    if (!begins("directory.")) sections.push_back({"directory.added", {}});
    std::string text;
    for (Section& section : sections) {
        if (section.name.starts_with("directory.")) {
            if (!section.has("uri") && !section.has("domain"))
                section.keys.emplace_back("uri", "ldaps://dc1.corp.example");
            if (!section.has("base")) section.keys.emplace_back("base", "DC=corp");
            if (!section.has("bind-dn")) section.keys.emplace_back("bind-dn", "CN=reader");
            if (!section.has("password-file")) section.keys.emplace_back("password-file", "");
        }
        if (section.name.starts_with("route.") && !section.has("domains"))
            section.keys.emplace_back("domains", "corp.example");
        text += "[" + section.name + "]\n";
        for (const auto& [key, value] : section.keys) {
            const bool file = key == "password-file" || key == "keytab";
            text += key + " = " + (file ? secret.string() : value) + "\n";
        }
    }
    return text;
}

}  // namespace

TEST_CASE("Every command line in the documents is one that the program takes", "[docs]") {
    const auto commands = synopsis();
    REQUIRE(commands.size() >= 10);
    const std::vector<Line> lines = commands_of("postcensus");
    REQUIRE(lines.size() > 40);
    for (const Line& line : lines) {
        INFO(line.at);
        CHECK(fault_of(line.words, commands) == "");
    }
    CHECK(fault_of({"postcensus", "sync", "--quick"}, commands) != "");
    CHECK(fault_of({"postcensus", "--full", "sync"}, commands) != "");
    CHECK(fault_of({"postcensus", "report", "--since"}, commands) != "");
    CHECK(fault_of({"postcensus", "--config", "b.conf", "read"}, commands) != "");
}

TEST_CASE("The README's table of commands has the options of the manual", "[docs]") {
    std::map<std::string, std::set<std::string>> shown;
    const std::regex option("--[a-z-]+");
    const std::regex cell(R"(^\| `([a-z]+)[ `].*)");
    for (const std::string& line : lines_of(read_document(kRoot / "README.md"))) {
        std::smatch match;
        if (!std::regex_match(line, match, cell)) continue;
        const std::string name = match[1];
        const std::string usage = line.substr(0, line.find(" | "));
        std::set<std::string>& options = shown[name];
        for (std::sregex_iterator at(usage.begin(), usage.end(), option), end; at != end; ++at)
            options.insert(at->str());
    }
    for (const auto& [name, options] : synopsis()) {
        INFO(name);
        std::set<std::string> manual;
        for (const auto& one : options) manual.insert(one.first);
        REQUIRE(shown.contains(name));
        CHECK(shown[name] == manual);
    }
}

TEST_CASE("Every unit in the documents is one that is installed", "[docs]") {
    std::set<std::string> units;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(kRoot / "systemd", error)) {
        const std::string name = entry.path().filename().string();
        units.insert(name.ends_with(".in") ? name.substr(0, name.size() - 3) : name);
    }
    REQUIRE(!units.empty());
    std::size_t met = 0;
    for (const char* program : {"systemctl", "journalctl"})
        for (const Line& line : commands_of(program))
            for (std::string word : line.words) {
                // journalctl -fu UNIT; `-u UNIT` and systemctl's are words of their own.
                if (!word.starts_with("postcensus")) continue;
                INFO(line.at << ": " << word);
                ++met;
                const bool typed = word.ends_with(".service") || word.ends_with(".timer");
                if (!typed) word += ".service";
                // An instance is made of the same source, or of a template beside it.
                const std::size_t at = word.find('@');
                const std::string type = word.substr(word.rfind('.'));
                const std::string stem = word.substr(0, at);
                CHECK((at == std::string::npos
                           ? units.contains(word)
                           : units.contains(stem + type) || units.contains(stem + "@" + type)));
            }
    CHECK(met > 10);
}

TEST_CASE("Every key = value in the prose is a key of the configuration", "[docs]") {
    std::set<std::string> known;
    for (const std::string& key : config::known_keys()) known.insert(key.substr(key.find(' ') + 1));
    const std::regex key("([a-z][a-z-]*) =( .*)?");
    std::size_t met = 0;
    for (const Document& document : all_documents())
        for (const CodeSpan& span : document.spans) {
            std::smatch match;
            if (!std::regex_match(span.text, match, key)) continue;
            INFO(span.at << ": " << span.text);
            ++met;
            CHECK(known.contains(match[1]));
        }
    CHECK(met > 10);
}

TEST_CASE("Every configuration in the documents loads", "[docs]") {
    const TempFolder folder = TempFolder::create(fs::temp_directory_path(), "postcensus-test-").value();
    const fs::path secret = folder.path() / "secret";
    const fs::path file = folder.path() / "example.conf";
    std::ofstream(secret) << "secret\n";
    std::size_t met = 0;
    for (const Document& document : all_documents())
        for (const CodeBlock& block : document.blocks) {
            const std::vector<Section> sections = configuration_in(block);
            if (sections.empty()) continue;
            ++met;
            const std::string text = completed(sections, secret);
            std::ofstream(file) << text;
            const auto loaded = config::load(file);
            INFO(block.at << "\n" << text << (loaded ? std::string() : loaded.error().message));
            CHECK(loaded);
        }
    CHECK(met >= 6);
}

}  // namespace postcensus
