// SPDX-License-Identifier: MIT
// What `postcensus check` found at one thing that it tested. Pure values; texts in them that others wrote are
// printable already.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postcensus::check {

enum class Level { ok, warn, fail };

constexpr std::string_view name_of(Level level) {
    return level == Level::ok ? "ok" : level == Level::warn ? "warn" : "fail";
}

struct Finding {
    Level level = Level::ok;
    std::string area;     // postfix, tables, log, directory, callout, state, service
    std::string subject;  // what was tested: a parameter, a table, a server
    std::string words;    // what was found
    std::string remedy;   // lines to write or type, comments with #; empty if it is ok
    bool operator==(const Finding&) const = default;

    static Finding ok(std::string area, std::string subject, std::string words) {
        return {Level::ok, std::move(area), std::move(subject), std::move(words), {}};
    }
    static Finding warn(std::string area, std::string subject, std::string words, std::string remedy) {
        return {Level::warn, std::move(area), std::move(subject), std::move(words), std::move(remedy)};
    }
    static Finding fail(std::string area, std::string subject, std::string words, std::string remedy) {
        return {Level::fail, std::move(area), std::move(subject), std::move(words), std::move(remedy)};
    }
};

using Findings = std::vector<Finding>;

inline Level worst_of(const Findings& findings) {
    Level worst = Level::ok;
    for (const Finding& finding : findings) worst = std::max(worst, finding.level);
    return worst;
}

}  // namespace postcensus::check
