// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <thread>

#include "base/printable.h"
#include "check/main_cf.h"
#include "check/parts.h"
#include "check/rights.h"
#include "postfix/table.h"

namespace postcensus::check {
namespace {

using namespace std::chrono_literals;

constexpr const char* kTablesArea = "tables";
// Nobody can have it: invalid is no domain of the world (RFC 2606).
constexpr const char* kNobody = "postcensus-check@postcensus.invalid";

bool present(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

// A publication renames text and index one after the other: for a moment the index is the older one.
bool is_torn(const postfix::TableFolder& tables, const std::string& name) {
    for (int look = 0; look < 3; ++look) {
        if (look > 0) std::this_thread::sleep_for(200ms);
        std::error_code error;
        const auto text = std::filesystem::last_write_time(tables.text_path(name), error);
        const auto index = std::filesystem::last_write_time(tables.index_path(name), error);
        if (error || index >= text) return false;
    }
    return true;
}

// The way to a type that lasts: first the indexes, then main.cf.
std::string way_to_another_type(const std::vector<std::string>& types, const std::string& type) {
    const bool has_lmdb = std::find(types.begin(), types.end(), "lmdb") != types.end();
    const bool has_cdb = std::find(types.begin(), types.end(), "cdb") != types.end();
    const std::string other = has_lmdb || !has_cdb ? "lmdb" : "cdb";
    return fmt::format(
        "{0}[general]\ntable-type = {1}\n"
        "# systemctl reload postcensus-watch (where it does not run: postcensus sync); when the new indexes "
        "are in the folder,\n# {1}: instead of {2}: before our tables in main.cf, and postfix reload",
        has_lmdb || has_cdb ? "" : "apt-get install postfix-lmdb\n# and:\n", other, type);
}

// Also learns what the index is called here.
void check_type(const Snapshot& snapshot, const OurTables& ours, postfix::TableFolder& tables,
                const Tell& tell) {
    const auto& types = snapshot.table_types;
    if (std::find(types.begin(), types.end(), ours.type) == types.end()) {
        tell(Finding::fail(kTablesArea, "table-type",
                           fmt::format("this Postfix has no tables of the type {} (postconf -m)", ours.type),
                           fmt::format("apt-get install postfix-{}\n# or:\n[general]\ntable-type = {}",
                                       ours.type, shown(snapshot.value("default_database_type")))));
        return;
    }
    std::error_code error;
    const auto tried = tables.try_type(std::filesystem::temp_directory_path(error));
    if (!tried) {
        tell(Finding::fail(kTablesArea, "table-type", tried.error().message,
                           way_to_another_type(types, ours.type)));
        return;
    }
    if (*tried) tables.set_suffix((*tried)->suffix);
    if (!*tried || (*tried)->notice.empty())
        tell(Finding::ok(kTablesArea, "table-type", ours.type));
    else
        tell(Finding::warn(
            kTablesArea, "table-type",
            fmt::format("Postfix says of tables of the type {}: {}", ours.type, printable((*tried)->notice)),
            way_to_another_type(types, ours.type)));
}

// By owners and modes, as Postfix's own user meets them.
void check_rights(const Snapshot& snapshot, const postfix::TableFolder& tables, const Tell& tell) {
    const std::string owner = snapshot.value("mail_owner");
    auto user = find_user(owner.empty() ? "postfix" : owner);
    if (!user) {
        tell(Finding::warn(kTablesArea, "rights", user.error().message, "postconf mail_owner"));
        return;
    }
    std::vector<std::filesystem::path> told;
    for (const char* name : postfix::kTables)
        for (const std::filesystem::path& file : {tables.text_path(name), tables.index_path(name)}) {
            const auto obstacle = find_obstacle(*user, file);
            if (!obstacle || std::find(told.begin(), told.end(), obstacle->path) != told.end()) continue;
            told.push_back(obstacle->path);
            tell(Finding::warn(
                kTablesArea, obstacle->path.string(),
                fmt::format(
                    "Postfix's user {} may not {} it: smtpd opens its tables as root and gets through, "
                    "all else of Postfix does not",
                    user->name, obstacle->folder ? "enter" : "read"),
                fmt::format("chmod {} {}", obstacle->folder ? "a+x" : "a+r", obstacle->path.string())));
        }
    if (told.empty())
        tell(Finding::ok(kTablesArea, "rights",
                         fmt::format("Postfix's user {} can read the tables", user->name)));
}

void check_table(const postfix::TableFolder& tables, const std::string& name, const Tell& tell) {
    const char* mend = "postcensus sync\n# a running `watch` writes it again by itself";
    if (!present(tables.text_path(name)) || !present(tables.index_path(name))) {
        tell(Finding::fail(kTablesArea, name,
                           fmt::format("{} is missing: Postfix answers 451 where main.cf names it",
                                       present(tables.text_path(name)) ? tables.index_path(name).string()
                                                                       : tables.text_path(name).string()),
                           mend));
        return;
    }
    const auto head = tables.head(name);
    if (!head)
        tell(Finding::fail(kTablesArea, name, "its text has no head of Postcensus: somebody else wrote it",
                           mend));
    if (is_torn(tables, name))
        tell(Finding::fail(kTablesArea, name,
                           "its index is older than its text: a publication was broken off, and Postfix "
                           "answers from the old one",
                           mend));
    auto found = tables.look_up(name, kNobody);
    if (!found) {
        tell(Finding::fail(kTablesArea, name, found.error().message, mend));
        return;
    }
    if (*found) {
        tell(Finding::fail(
            kTablesArea, name,
            fmt::format("has an entry for {}, which nobody can have: it matches everybody", kNobody), mend));
        return;
    }
    if (!head) return;
    std::int64_t entries = 0;
    for (const auto& [domain, count] : head->counts) entries += count;
    tell(Finding::ok(kTablesArea, name,
                     fmt::format("answers; {} entries, written {}", entries, format_time(head->written))));
}

}  // namespace

void check_tables(const CheckScene& scene, const Tell& tell) {
    const auto& snapshot = scene.postfix.get();
    auto ours = our_tables(scene);
    if (!snapshot || !ours) return;  // check_postfix says it
    postfix::TableFolder tables(scene.configuration.postfix, ours->type);
    check_type(*snapshot, *ours, tables, tell);
    if (std::none_of(postfix::kTables.begin(), postfix::kTables.end(),
                     [&](const char* name) { return present(tables.text_path(name)); })) {
        tell(Finding::warn(kTablesArea, ours->maps.string(),
                           "there are no tables yet; main.cf must not name them before", "postcensus sync"));
        return;
    }
    check_rights(*snapshot, tables, tell);
    for (const char* name : postfix::kTables) check_table(tables, name, tell);
    for (const char* name : {"unknown.empty", "closed.empty"})
        if (!present(tables.text_path(name)) || !present(tables.index_path(name)))
            tell(Finding::warn(kTablesArea, name, "the spare that failsafe puts in place is missing",
                               "postcensus sync"));
}

}  // namespace postcensus::check
