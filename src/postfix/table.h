// SPDX-License-Identifier: MIT
// Publishes lookup tables: a text file and the index that the operator's own postmap(1) builds from it.
// Blocks.
//
// A reader never meets a missing, empty or half table: both files are built aside in a folder on the same
// file system, checked, synced, and renamed over the old ones, text first (Postfix complains of an index
// older than its text). Postfix opens a table anew when the link count of its open file is 0, so the old
// index must never be hard-linked.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/failure.h"
#include "postfix/main_cf.h"
#include "postfix/table_entries.h"
#include "postfix/table_head.h"

namespace postcensus::postfix {

// The tables that Postfix reads.
inline constexpr std::array<const char*, 4> kTables{"directory", "learned", "closed", "unknown"};

struct TableContent {
    std::string name;  // one of them
    TableHead head;
    TableEntries entries;                   // sorted by key, each key once
    std::vector<std::string> changed = {};  // keys that the new index is asked for in any case
};

class TableFolder {
  public:
    // `type`: one that resolve_table_type() gave.
    TableFolder(Settings settings, std::string type);

    Result<void> make_folder() const;

    // What postmap makes of this type, tried with an empty table in a folder inside `parent`. Nothing where
    // that fails for another reason than the type (a full disk).
    struct TriedType {
        std::string suffix;  // what it calls the index
        std::string notice;  // what it says against the type, if anything
    };
    Result<std::optional<TriedType>> try_type(const std::filesystem::path& parent) const;
    // From now on the index is called so.
    void set_suffix(std::string suffix) { suffix_ = std::move(suffix); }

    // Makes the folder if need be, checks that it can be written, drops what a killed publication left, and
    // learns what postmap calls an index of this type (from Postfix 3.11 on, hash: may be redirected to
    // lmdb). Before the first publication; whoever only looks up needs none of it.
    Result<void> prepare();

    // Returns the identity() of what it put out: another one soon after means that somebody interfered.
    Result<std::string> publish(const TableContent& content) const;

    // The empty spares of `unknown` and `closed` beside them, for failsafe. Made anew where one is missing.
    Result<void> ensure_spares() const;

    // Device, inode, size and time of the two files as one text: another text means that somebody else
    // touched the table.
    std::string identity(const std::string& name) const;

    // The head of a table's text. Nothing where there is no such file, or no head in it.
    std::optional<TableHead> head(const std::string& name) const;
    // When it was emptied by lapse.h. Nothing where it was not.
    std::optional<Time> emptied_at(const std::string& name) const;
    // All keys of a table's text, whoever wrote it; of its index where the text is gone.
    Result<std::vector<std::string>> keys(const std::string& name) const;

    std::filesystem::path text_path(const std::string& name) const { return settings_.maps / name; }
    std::filesystem::path index_path(const std::string& name) const;
    std::string type() const { return type_; }

    // What Postfix would find: postmap -q. Nothing: not found. A Failure is "don't know".
    Result<std::optional<std::string>> look_up(const std::string& name, const std::string& key) const;

  private:
    Result<void> build(const std::filesystem::path& folder, const std::string& name, std::string_view head,
                       std::string_view lines) const;
    Result<void> check(const std::filesystem::path& folder, const TableContent& content) const;
    Result<void> put_out(const std::filesystem::path& folder, const std::string& name) const;
    std::string identity_of(const std::filesystem::path& text, const std::filesystem::path& index) const;
    Result<std::string> read_index(const std::string& name) const;

    Settings settings_;
    std::string type_;
    std::string suffix_;
};

// The file name endings that an index may have, whatever its type.
const std::vector<std::string>& index_suffixes();

}  // namespace postcensus::postfix
