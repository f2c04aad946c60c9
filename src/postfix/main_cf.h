// SPDX-License-Identifier: MIT
// Asks Postfix itself what its main.cf says, through postconf(1): defaults, includes and $names are its
// business. Blocks.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/failure.h"
#include "postfix/extension.h"

namespace postcensus::postfix {

struct Settings {
    std::filesystem::path config_dir = "/etc/postfix";
    std::filesystem::path maps;       // the folder of the tables
    std::string table_type = "auto";  // auto, hash, btree, lmdb, cdb
};

// The values of these parameters, expanded.
Result<std::map<std::string, std::string>> read_parameters(const std::filesystem::path& config_dir,
                                                           const std::vector<std::string>& names);

// How addresses are divided, from the values of recipient_delimiter, owner_request_special and
// double_bounce_sender.
Extensions read_extensions(const std::map<std::string, std::string>& values);

// The type of lookup table to build: what is configured; under `auto` the type by which main.cf names our
// tables, else Postfix's default.
Result<std::string> resolve_table_type(const Settings& settings);

// The main.cf lines for these tables, as an administrator pastes them.
std::string main_cf_lines(const Settings& settings, const std::string& table_type);

}  // namespace postcensus::postfix
