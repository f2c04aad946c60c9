// SPDX-License-Identifier: MIT
#include "config/values.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <sstream>

#include "base/duration.h"
#include "base/file.h"
#include "base/printable.h"

namespace postcensus::config {
namespace {

constexpr std::size_t kLongestSecret = 4096;

std::optional<int> parse_int(const std::string& text) {
    int number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || rest != text.data() + text.size()) return std::nullopt;
    return number;
}

// ${NAME} becomes the variable's value; nothing if it is not set.
std::optional<std::string> expand(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t end = text.compare(i, 2, "${") == 0 ? text.find('}', i) : std::string::npos;
        if (end == std::string::npos) {
            out += text[i++];
            continue;
        }
        const std::string name = text.substr(i + 2, end - i - 2);
        const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody changes it
        if (value == nullptr) return std::nullopt;
        out += value;
        i = end + 1;
    }
    return out;
}

}  // namespace

Setter set_text(std::string& target) {
    return [&target](const std::string& text) -> Result<void> {
        target = text;
        return {};
    };
}

Setter set_path(std::filesystem::path& target, bool may_be_empty) {
    return [&target, may_be_empty](const std::string& text) -> Result<void> {
        if (text.empty() ? !may_be_empty : text.front() != '/')
            return fail(ExitCode::configuration,
                        fmt::format("'{}' is not an absolute path", printable(text)));
        target = text;
        return {};
    };
}

Setter set_duration(std::chrono::milliseconds& target, std::chrono::milliseconds least) {
    return [&target, least](const std::string& text) -> Result<void> {
        auto duration = parse_duration(text);
        if (!duration) return fail(duration.error());
        if (*duration < least)
            return fail(ExitCode::configuration,
                        fmt::format("{} is too short; at least {}", text, format_duration(least)));
        target = *duration;
        return {};
    };
}

Setter set_bool(bool& target) {
    return [&target](const std::string& text) -> Result<void> {
        if (text != "yes" && text != "no")
            return fail(ExitCode::configuration, fmt::format("'{}' is neither yes nor no", printable(text)));
        target = text == "yes";
        return {};
    };
}

Setter set_number(int& target, int least, int most) {
    return [&target, least, most](const std::string& text) -> Result<void> {
        const auto number = parse_int(text);
        if (!number || *number < least || *number > most)
            return fail(ExitCode::configuration,
                        fmt::format("'{}' is not a number from {} to {}", printable(text), least, most));
        target = *number;
        return {};
    };
}

Setter set_percent(int& target) {
    return [&target](const std::string& text) -> Result<void> {
        const auto number = text.ends_with('%') ? parse_int(text.substr(0, text.size() - 1)) : std::nullopt;
        if (!number || *number < 0 || *number > 100)
            return fail(ExitCode::configuration,
                        fmt::format("'{}' is not a percentage; write for example 10%", printable(text)));
        target = *number;
        return {};
    };
}

Setter one_of(std::string& target, std::vector<std::string> allowed) {
    return [&target, allowed = std::move(allowed)](const std::string& text) -> Result<void> {
        if (std::find(allowed.begin(), allowed.end(), text) == allowed.end())
            return fail(ExitCode::configuration,
                        fmt::format("'{}' is none of {}", printable(text), fmt::join(allowed, ", ")));
        target = text;
        return {};
    };
}

std::vector<std::string> split_words(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

Result<std::filesystem::path> find_secret(const std::string& files) {
    std::string tried;
    for (const std::string& word : split_words(files)) {
        const auto path = expand(word);
        if (path && ::access(path->c_str(), R_OK) == 0) return std::filesystem::path(*path);
        tried += (tried.empty() ? "" : "; ") +
                 (path ? *path + ": cannot be read" : word + " (the variable is not set)");
    }
    return fail(ExitCode::configuration, tried.empty() ? "no file is named" : tried);
}

Result<std::string> read_secret(const std::string& files) {
    std::string tried;
    for (const std::string& word : split_words(files)) {
        const auto path = expand(word);
        tried += (tried.empty() ? "" : "; ") + (path ? *path : word + " (the variable is not set)");
        if (!path) continue;
        auto content = read_file(*path, kLongestSecret);
        if (!content) {
            tried += ": cannot be read";
            continue;
        }
        while (!content->empty() && (content->back() == '\n' || content->back() == '\r')) content->pop_back();
        if (content->empty())
            return fail(ExitCode::configuration,
                        fmt::format("{} is empty: an empty password would be an anonymous login", *path));
        return content;
    }
    return fail(ExitCode::configuration, fmt::format("no password: {}", tried));
}

}  // namespace postcensus::config
