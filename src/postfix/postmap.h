// SPDX-License-Identifier: MIT
// Runs postmap(1). Blocks.
//
// postmap speaks on standard error of two kinds of things: of the lines and keys that it cannot do (it names
// each line that it skips, and ends with 0 all the same), and of what it thinks of a table's type, its place
// and main.cf. Only the first kind says anything of the table. What is known to be of the second kind is
// taken off; all else counts, so a word of a newer Postfix that nobody knows yet remains "don't know".
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"

namespace postcensus::postfix {

struct PostmapResult {
    int status = 0;
    std::string output;
    std::string errors;       // objections() only
    std::string type_notice;  // what it says of the table's type, if anything
};

Result<PostmapResult> run_postmap(const std::filesystem::path& config_dir,
                                  const std::vector<std::string>& arguments, const std::string& input,
                                  std::chrono::milliseconds limit);

// What is left of standard error without the lines that are known to say nothing of a table's content. Pure.
std::string objections(std::string_view errors);

// The first line by which postmap says that tables of this type will not be for ever, or that it builds
// another type instead: from Postfix 3.11 on. Empty: nothing of that. Pure.
std::string type_notice(std::string_view errors);

}  // namespace postcensus::postfix
