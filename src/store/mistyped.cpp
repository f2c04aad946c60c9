// SPDX-License-Identifier: MIT
#include "store/mistyped.h"

#include "store/directories.h"
#include "store/report_parts.h"

namespace postcensus::store {

std::set<std::string> mistyped_objects(SQLite::Database& db, const std::string& directory) {
    SQLite::Statement all(
        db,
        "SELECT guid FROM mistyped WHERE directory_id = (SELECT id FROM directory WHERE name "
        "= ?)");
    all.bind(1, directory);
    std::set<std::string> guids;
    while (all.executeStep()) guids.insert(blob_of(all.getColumn(0)));
    return guids;
}

std::vector<census::Mistyped> load_mistyped(SQLite::Database& db, const std::string& directory) {
    SQLite::Statement all(db,
                          "SELECT guid, dn, value, why FROM mistyped WHERE directory_id = (SELECT id FROM "
                          "directory WHERE name = ?) ORDER BY dn, value");
    all.bind(1, directory);
    std::vector<census::Mistyped> mistyped;
    while (all.executeStep())
        mistyped.push_back({blob_of(all.getColumn("guid")), all.getColumn("dn").getString(),
                            all.getColumn("value").getString(), all.getColumn("why").getString()});
    return mistyped;
}

void note_mistyped(Writer& writer, const std::string& directory, bool full,
                   const std::vector<std::string>& met, const std::vector<census::Mistyped>& mistyped) {
    const std::int64_t id = directory_id(writer, directory);
    SQLite::Statement drop(writer.db, "DELETE FROM mistyped WHERE directory_id = ?1 AND (?2 OR guid = ?3)");
    drop.bind(1, id);
    drop.bind(2, full ? 1 : 0);
    if (full) drop.exec();
    for (const std::string& guid : met) {
        drop.reset();
        bind_blob(drop, 3, guid);
        drop.exec();
    }
    SQLite::Statement count(writer.db, "SELECT count(*) FROM mistyped WHERE directory_id = ?");
    count.bind(1, id);
    count.executeStep();
    auto known = static_cast<std::size_t>(count.getColumn(0).getInt64());
    SQLite::Statement add(
        writer.db,
        "INSERT OR REPLACE INTO mistyped (directory_id, guid, dn, value, why) VALUES (?, ?, "
        "?, ?, ?)");
    for (const census::Mistyped& one : mistyped) {
        if (known++ >= kMostMistyped) break;
        add.reset();
        add.bind(1, id);
        bind_blob(add, 2, one.guid);
        add.bind(3, one.dn);
        add.bind(4, one.value);
        add.bind(5, one.why);
        add.exec();
    }
}

void load_mistyped(SQLite::Database& db, const Scope& scope, census::Report& report) {
    SQLite::Statement total(db, "SELECT count(*) FROM mistyped");
    report.mistyped_total = count_of(total);
    SQLite::Statement some(db,
                           "SELECT name, dn, value, why FROM mistyped JOIN directory ON directory.id = "
                           "directory_id ORDER BY name, dn, value LIMIT :most");
    bind_scope(some, scope);
    while (some.executeStep())
        report.mistyped.push_back({some.getColumn("name").getString(), some.getColumn("dn").getString(),
                                   some.getColumn("value").getString(), some.getColumn("why").getString()});
}

}  // namespace postcensus::store
