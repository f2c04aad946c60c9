// SPDX-License-Identifier: MIT
#include "postfix/postmap.h"

#include <algorithm>
#include <array>

#include "base/process.h"

namespace postcensus::postfix {
namespace {

constexpr std::string_view kDeprecated = "hash/btree support is deprecated";
constexpr std::string_view kAdvice = ". Please switch to cdb or lmdb";

// "postmap: warning: ...", by whatever name it was called; a notice without a level is "postmap: ...".
std::string_view without_speaker(std::string_view line) {
    const std::size_t colon = line.find(": ");
    const std::size_t blank = line.find(' ');
    if (colon != std::string_view::npos && blank == colon + 1) line.remove_prefix(colon + 2);
    for (const std::string_view level : {"warning: ", "info: "})
        if (line.starts_with(level)) return line.substr(level.size());
    return line;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
        text.remove_suffix(1);
    return text;
}

// "See https://www.postfix.org/NON_BERKELEYDB_README.html for details."
bool names_the_readme(std::string_view text) {
    if (!text.starts_with("See ") && !text.starts_with("see ")) return false;
    text.remove_prefix(4);
    const std::size_t blank = text.find(' ');
    return text.substr(0, blank).find("NON_BERKELEYDB_README") != std::string_view::npos &&
           (blank == std::string_view::npos || text.substr(blank).starts_with(" for "));
}

bool is_deprecation(std::string_view text) {
    if (names_the_readme(text)) return true;
    if (!text.starts_with(kDeprecated)) return false;
    text.remove_prefix(kDeprecated.size());
    if (text.starts_with(kAdvice)) text.remove_prefix(kAdvice.size());
    if (text.starts_with('.')) text.remove_prefix(1);
    text = trimmed(text);
    return text.empty() || names_the_readme(text);
}

// "redirecting hash:/a/table to cdb:/a/table": it is the same table, of another type. Any name may stand
// there.
bool is_redirection(std::string_view text) {
    for (const std::string_view from :
         {"redirecting hash:", "redirecting btree:", "Redirecting hash:", "Redirecting btree:"})
        for (const std::string_view to : {" to cdb:", " to lmdb:"}) {
            if (!text.starts_with(from)) continue;
            const std::string_view rest = text.substr(from.size());
            if (rest.size() <= to.size() || (rest.size() - to.size()) % 2 != 0) continue;
            const std::size_t name = (rest.size() - to.size()) / 2;
            if (rest.substr(name, to.size()) == to && rest.substr(0, name) == rest.substr(name + to.size()))
                return true;
        }
    return false;
}

// "/etc/postfix/main.cf, line 12: overriding earlier entry: mynetworks=10.0.0.0/8": of a file of parameters,
// never of a table's text. The last one counts, for Postfix itself as well.
bool is_of_a_parameter(std::string_view text) {
    constexpr std::string_view kFile = ".cf, line ";
    const std::size_t file = text.find(kFile);
    if (file == std::string_view::npos ||
        text.substr(0, file).find_first_of(" :,\"'") != std::string_view::npos)
        return false;
    text.remove_prefix(file + kFile.size());
    const std::size_t number = text.find_first_not_of("0123456789");
    return number != 0 && number != std::string_view::npos &&
           text.substr(number).starts_with(": overriding earlier entry: ");
}

// A machine without IPv6 (or IPv4), a Postfix without EAI, root in the folder of our user (3.12).
bool is_of_the_machine(std::string_view text) {
    constexpr std::array<std::string_view, 4> kBeginnings{
        "inet_protocols: disabling IPv6 name/address support: ",
        "inet_protocols: disabling IPv4 name/address support: ",
        "smtputf8_enable is true, but EAI support is not compiled in",
        "Creating root-owned database file(s) ",
    };
    return std::any_of(kBeginnings.begin(), kBeginnings.end(),
                       [&](std::string_view beginning) { return text.starts_with(beginning); });
}

template <typename Visit>
void for_each_line(std::string_view text, const Visit& visit) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        visit(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

}  // namespace

std::string objections(std::string_view errors) {
    std::string left;
    // What was cut off may have been one.
    if (errors.size() >= kMostErrors) return std::string(errors);
    for_each_line(errors, [&](std::string_view line) {
        const std::string_view text = trimmed(without_speaker(trimmed(line)));
        if (text.empty() || is_deprecation(text) || is_redirection(text) || is_of_a_parameter(text) ||
            is_of_the_machine(text))
            return;
        left.append(line).append(1, '\n');
    });
    return left;
}

std::string type_notice(std::string_view errors) {
    std::string notice;
    for_each_line(errors, [&](std::string_view line) {
        const std::string_view text = trimmed(without_speaker(trimmed(line)));
        if (notice.empty() && (is_deprecation(text) || is_redirection(text))) notice = text;
    });
    return notice;
}

Result<PostmapResult> run_postmap(const std::filesystem::path& config_dir,
                                  const std::vector<std::string>& arguments, const std::string& input,
                                  std::chrono::milliseconds limit) {
    std::vector<std::string> command{"postmap", "-c", config_dir.string()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    auto ran = run_process(command, input, limit);
    if (!ran) return fail(ran.error());
    return PostmapResult{ran->status, std::move(ran->output), objections(ran->errors),
                         type_notice(ran->errors)};
}

}  // namespace postcensus::postfix
