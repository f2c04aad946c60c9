// SPDX-License-Identifier: MIT
// A folder of tables and a Postfix configuration of its own for each test, with the real postmap(1).
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/process.h"
#include "catch.h"
#include "postfix/table.h"

namespace postcensus::postfix {

inline const Time kNoon = from_unix_ms(1'700'000'000'000);

// The types of tables that this machine's Postfix can build. What is missing is said; in CI it is a failure.
inline std::vector<std::string> usable_types() {
    const auto ran = run_process({"postconf", "-m"}, {}, std::chrono::seconds{20});
    const std::string known = ran ? "\n" + ran->output : std::string{};
    std::vector<std::string> types;
    for (const std::string type : {"lmdb", "hash", "btree", "cdb"}) {
        if (known.find("\n" + type + "\n") != std::string::npos) {
            types.push_back(type);
            continue;
        }
        const char* ci = std::getenv("CI");  // NOLINT(concurrency-mt-unsafe): nobody changes it
        if (ci != nullptr && std::string(ci) == "true")
            FAIL_CHECK("this machine's postmap cannot build tables of type " << type);
        else
            WARN("skipped: this machine's postmap cannot build tables of type " << type);
    }
    return types;
}

class Maps {
  public:
    explicit Maps(const std::string& type)
        : folder_(TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value()),
          tables({.config_dir = folder_.path() / "etc", .maps = folder_.path() / "maps"}, type) {
        std::filesystem::create_directory(folder_.path() / "etc");
        REQUIRE(write_file(folder_.path() / "etc" / "main.cf", "compatibility_level = 3.6\n", 0644));
        // Postfix waits until a main.cf that was just written is some seconds old.
        const auto time = std::filesystem::last_write_time(etc() / "main.cf");
        std::filesystem::last_write_time(etc() / "main.cf", time - std::chrono::seconds{10});
        REQUIRE(tables.prepare());
    }

    std::filesystem::path path() const { return folder_.path() / "maps"; }
    std::filesystem::path path(const std::string& name) const { return path() / name; }
    std::filesystem::path etc() const { return folder_.path() / "etc"; }
    std::filesystem::path index(const std::string& name) const { return tables.index_path(name); }

    // The value, "-" if there is none, or what is wrong.
    std::string find(const std::string& table, const std::string& key) const {
        const auto found = tables.look_up(table, key);
        if (!found) return "failure: " + found.error().message;
        return found->value_or("-");
    }

    // What lies in the folder, sorted.
    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(path()))
            names.push_back(entry.path().filename().string());
        std::sort(names.begin(), names.end());
        return names;
    }

  private:
    TempFolder folder_;

  public:
    TableFolder tables;
};

using KeyValue = std::pair<std::string, std::string>;

inline TableContent content(const std::string& name, std::vector<KeyValue> lines,
                            std::optional<Time> until = {}, Time written = kNoon) {
    std::sort(lines.begin(), lines.end());
    TableEntries entries;
    for (const auto& [key, value] : lines) entries.add(key, value);
    return {name,
            {.state_id = "0123abcd", .generation = 7, .written = written, .until = until},
            std::move(entries)};
}

}  // namespace postcensus::postfix
