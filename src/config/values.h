// SPDX-License-Identifier: MIT
// Setters for the kinds of values that a configuration has. Each checks, and says what to write instead.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "config/section.h"

namespace postcensus::config {

Setter set_text(std::string& target);
Setter set_path(std::filesystem::path& target, bool may_be_empty = false);
Setter set_duration(std::chrono::milliseconds& target, std::chrono::milliseconds least);
Setter set_bool(bool& target);
Setter set_number(int& target, int least, int most);
Setter set_percent(int& target);
Setter one_of(std::string& target, std::vector<std::string> allowed);

std::vector<std::string> split_words(const std::string& text);

// The first of these files that can be read, ${NAME} standing for a variable of the environment.
Result<std::filesystem::path> find_secret(const std::string& files);

// A list of files to try in turn, ${NAME} standing for a variable of the environment: the content of the
// first that can be read, without its last newline.
Result<std::string> read_secret(const std::string& files);

}  // namespace postcensus::config
