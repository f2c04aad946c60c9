// SPDX-License-Identifier: MIT
// Asks Postfix's own lookup tables, of whatever type, through postmap(1) -q. Blocks.
//
// postmap exits 0 if it found something, 1 and silent if not; whatever objection it has on standard error
// (postmap.h) means that it does not know (postmap(1), and tried): a database that is down is no "no".
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"

namespace postcensus::postfix {

// The words of a list in main.cf: divided by commas and blanks, but not within { }.
std::vector<std::string> split_list(std::string_view text);

// The tables among them, "type:name". The prefix proxy: is taken off: Postfix's private socket is not ours to
// use.
std::vector<std::string> tables_in(std::string_view text);

// Whether the table's keys are patterns: Postfix asks such a table for the whole address only.
bool is_pattern_table(std::string_view table);

// What this table has for these keys. A key must hold no line end and no tab.
Result<std::map<std::string, std::string>> look_up(const std::filesystem::path& config_dir,
                                                   const std::string& table,
                                                   const std::vector<std::string>& keys);

}  // namespace postcensus::postfix
