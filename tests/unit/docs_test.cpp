// SPDX-License-Identifier: MIT
// The documentation names what the program has: every key, every command, the main.cf lines; and its links
// lead somewhere.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "catch.h"
#include "config/configuration.h"
#include "documents.h"
#include "postfix/main_cf.h"

namespace postcensus {
namespace {

namespace fs = std::filesystem;

// The lines between the heading of a section and the next heading.
std::vector<std::string> section_of(const std::string& text, const std::string& heading,
                                    const std::string& any_heading) {
    std::vector<std::string> section;
    bool inside = false;
    for (const std::string& line : lines_of(text)) {
        if (line.starts_with(any_heading)) inside = line.starts_with(heading);
        if (inside) section.push_back(line);
    }
    return section;
}

bool any_begins(const std::vector<std::string>& lines, const std::string& with) {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return line.starts_with(with); });
}

// [directory.NAME] and [route.NAME] carry a name, the others do not.
std::string bracket(const std::string& section) {
    return "[" + section + (section == "directory" || section == "route" ? "." : "]");
}

std::string replace_all(std::string text, const std::string& what, const std::string& with) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
    return text;
}

// The anchors that a Markdown viewer makes of headings: lower case, blanks become hyphens, signs go.
std::set<std::string> anchors_of(const Document& document) {
    std::set<std::string> anchors;
    for (const std::string& line : document.prose) {
        if (!line.starts_with('#')) continue;
        std::string anchor;
        for (const char sign : line.substr(std::min(line.find(' ') + 1, line.size()))) {
            const auto byte = static_cast<unsigned char>(sign);
            if (sign == ' ' || sign == '-')
                anchor += '-';
            else if (sign == '_' || std::isalnum(byte) != 0 || byte >= 128)
                anchor += static_cast<char>(std::tolower(byte));
        }
        anchors.insert(anchor);
    }
    return anchors;
}

}  // namespace

TEST_CASE("Every key is in the manual page and in the example", "[docs]") {
    const std::string page = read_document(kRoot / "docs/man/postcensus.conf.5.scd");
    const std::string example = read_document(kRoot / "docs/postcensus.conf.example");
    REQUIRE(!page.empty());
    REQUIRE(!example.empty());
    REQUIRE(!config::known_keys().empty());
    for (const std::string& key : config::known_keys()) {
        INFO(key);
        const std::size_t blank = key.find(' ');
        const std::string section = bracket(key.substr(0, blank));
        const std::string name = key.substr(blank + 1);
        CHECK(any_begins(section_of(page, "# SECTION " + section, "# "), "*" + name + "*"));
        CHECK(any_begins(section_of(example, section, "["), name + " ="));
    }
}

TEST_CASE("The manual page and the example have no key that the program does not know", "[docs]") {
    const std::vector<std::string> known = config::known_keys();
    const auto check = [&known](const std::string& section, const std::string& name) {
        INFO(section << " " << name);
        CHECK(std::find(known.begin(), known.end(), section + " " + name) != known.end());
    };
    const std::regex heading(R"((?:# SECTION )?\[([a-z]+).*)");
    std::string section;
    std::smatch found;
    for (const std::string& line : lines_of(read_document(kRoot / "docs/man/postcensus.conf.5.scd"))) {
        if (line.starts_with("# ")) section = std::regex_match(line, found, heading) ? found[1].str() : "";
        if (!section.empty() && std::regex_match(line, found, std::regex(R"(\*([a-z-]+)\*( =.*)?)")))
            check(section, found[1]);
    }
    for (const std::string& line : lines_of(read_document(kRoot / "docs/postcensus.conf.example"))) {
        if (std::regex_match(line, found, heading)) section = found[1];
        if (std::regex_match(line, found, std::regex(R"(([a-z-]+) =.*)"))) check(section, found[1]);
    }
}

TEST_CASE("The example loads, and shows the defaults", "[docs]") {
    const TempFolder scratch = TempFolder::create(fs::temp_directory_path(), "postcensus-test-").value();
    std::ofstream(scratch.path() / "password") << "secret\n";
    std::ofstream(scratch.path() / "example.conf")
        << replace_all(read_document(kRoot / "docs/postcensus.conf.example"),
                       "/etc/postcensus/credentials/corp", (scratch.path() / "password").string());
    std::ofstream(scratch.path() / "short.conf")
        << "[directory.corp]\nuri = ldaps://dc1.corp.example\nbase = DC=corp\nbind-dn = "
           "CN=reader\npassword-file = "
        << (scratch.path() / "password").string() << "\n[route.exchange]\ndomains = corp.example\n";
    const auto example = config::load(scratch.path() / "example.conf");
    INFO((example ? std::string() : example.error().message));
    REQUIRE(example);
    const auto defaults = config::load(scratch.path() / "short.conf");
    INFO((defaults ? std::string() : defaults.error().message));
    REQUIRE(defaults);

    CHECK(example->state.path == defaults->state.path);
    CHECK(example->postfix.maps == defaults->postfix.maps);
    CHECK(example->postfix.table_type == defaults->postfix.table_type);
    CHECK(example->postfix.config_dir == defaults->postfix.config_dir);
    CHECK(example->publish_interval == defaults->publish_interval);
    CHECK(example->gate.percent == defaults->gate.percent);
    CHECK(example->log.path == defaults->log.path);
    CHECK(example->log.syslog_names == defaults->log.syslog_names);
    CHECK(example->log.source == defaults->log.source);
    CHECK(example->budget.total.per_second == defaults->budget.total.per_second);
    CHECK(example->budget.domain.per_second == defaults->budget.domain.per_second);
    CHECK(example->budget.network.per_second == defaults->budget.network.per_second);
    CHECK(example->budget.relays.empty());
    REQUIRE(example->directories.size() == 1);
    CHECK(example->directories[0].ca_file == defaults->directories[0].ca_file);
    CHECK(example->directories[0].starttls == defaults->directories[0].starttls);
    CHECK(example->directories[0].insecure == defaults->directories[0].insecure);
    CHECK(example->directories[0].use_mail == defaults->directories[0].use_mail);
    REQUIRE(example->routes.size() == 1);
    const config::Route &shown = example->routes[0], &plain = defaults->routes[0];
    CHECK(shown.asks());
    CHECK_FALSE(plain.asks());
    CHECK(shown.accept.empty());
    CHECK(shown.callout.mail_from == plain.callout.mail_from);
    CHECK(shown.callout.helo == plain.callout.helo);
    CHECK(shown.callout.tls == plain.callout.tls);
    CHECK(shown.callout.sessions == plain.callout.sessions);
    CHECK_FALSE(shown.callout.control);
    CHECK(shown.policy.confirmation_interval == plain.policy.confirmation_interval);
    CHECK(shown.policy.unknown_expire == plain.policy.unknown_expire);
    CHECK(shown.deliverable_refresh == plain.deliverable_refresh);
}

TEST_CASE("Every command is in the manual page and in the README", "[docs]") {
    const std::string page = read_document(kRoot / "docs/man/postcensus.8.scd");
    const std::string readme = read_document(kRoot / "README.md");
    for (const std::string command :
         {"sync", "watch", "failsafe", "probe", "report", "explain", "scan", "check", "approve", "forget"}) {
        INFO(command);
        CHECK(page.find("*" + command + "*") != std::string::npos);
        CHECK(std::regex_search(readme, std::regex("`" + command + "[ `]")));
    }
}

TEST_CASE("The README has the main.cf lines that the program prints", "[docs]") {
    postfix::Settings settings;
    settings.maps = "/var/lib/postcensus/maps";
    const std::string block = "\n```\n" + postfix::main_cf_lines(settings, "hash") + "```\n";
    INFO(block);
    CHECK(read_document(kRoot / "README.md").find(block) != std::string::npos);
}

TEST_CASE("Links between the documents lead to files and to sections", "[docs]") {
    const std::regex link(R"(\]\(([^)#]*)(#[^)]*)?\))");
    const std::vector<Document> documents = all_documents();
    std::map<fs::path, std::set<std::string>> anchors;
    for (const Document& document : documents) anchors[fs::canonical(document.path)] = anchors_of(document);
    REQUIRE(documents.size() >= 9);
    for (const Document& document : documents) {
        std::string text;
        for (const std::string& line : document.prose) text += line + "\n";
        for (std::sregex_iterator at(text.begin(), text.end(), link), end; at != end; ++at) {
            const std::string target = (*at)[1];
            const std::string anchor = (*at)[2].matched ? (*at)[2].str().substr(1) : "";
            if (target.find("://") != std::string::npos) continue;
            INFO(document.path.string() << " -> " << target << "#" << anchor);
            const fs::path file = target.empty() ? document.path : document.path.parent_path() / target;
            REQUIRE(fs::exists(file));
            if (!anchor.empty()) CHECK(anchors[fs::canonical(file)].contains(anchor));
        }
    }
}

TEST_CASE("The flow is one picture, and names what there is in the sources", "[docs]") {
    const std::string flow = read_document(kRoot / "docs/flow.md");
    const auto picture = [](const std::string& text) {
        std::string out;
        for (const std::string& line : lines_of(text.substr(0, text.find("'--------'"))))
            if (line.starts_with("    Active") || !out.empty()) out += line + "\n";
        return out;
    };
    CHECK(picture(read_document(kRoot / "README.md")) == picture(flow));
    const auto rows = [&](const std::regex& row) {
        std::vector<std::pair<std::string, std::string>> found;  // in the other order
        for (const std::string& line : lines_of(flow))
            if (std::smatch match; std::regex_match(line, match, row)) found.emplace_back(match[2], match[1]);
        return found;
    };
    const auto steps = rows(std::regex(R"(\|[^|]*\| `(src/[^`]+)` \| `(\w+)` \|.*)"));
    CHECK(steps.size() > 15);
    for (const auto& [name, file] : steps) {
        INFO(name << ", " << file);
        CHECK(std::regex_search(read_document(kRoot / file), std::regex("\\b" + name + "\\b")));
    }
    const auto words = rows(std::regex(R"(\| ([a-z]+) \|[^|]*\| `(src/[^`]+)` \|)"));
    CHECK(words.size() > 30);
    CHECK(std::is_sorted(words.begin(), words.end(),
                         [](const auto& one, const auto& other) { return one.second < other.second; }));
    for (const auto& [file, word] : words) {
        INFO(word << ", " << file);
        CHECK(std::regex_search(read_document(kRoot / file), std::regex(word, std::regex::icase)));
    }
}

}  // namespace postcensus
