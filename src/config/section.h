// SPDX-License-Identifier: MIT
// Binds the keys of one section to settings: Boost.Program_options knows the keys, their defaults and which
// are missing; a setter types and checks each value. An error names file, line, section and key.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <functional>
#include <string>

#include "config/ini.h"

namespace postcensus::config {

// Checks a value and stores it. Its Failure says what is wrong with the value and what to write instead.
using Setter = std::function<Result<void>(const std::string&)>;

class SectionBinder {
  public:
    SectionBinder(std::string file, std::string section)
        : file_(std::move(file)), section_(std::move(section)) {}

    // A key with its default, which is set like a written value.
    SectionBinder& key(const std::string& name, const std::string& default_value, Setter setter);
    // A key that must be written.
    SectionBinder& required(const std::string& name, Setter setter);

    Result<void> bind(const IniSection& section) const;

    std::vector<std::string> names() const;

  private:
    struct Key {
        std::string name;
        std::string default_value;
        bool required = false;
        Setter setter;
    };
    std::string file_;
    std::string section_;
    std::vector<Key> keys_;
};

// "FILE:LINE: [SECTION] KEY: WHAT".
tl::unexpected<Failure> mistake(const std::string& file, const IniSection& section, const std::string& key,
                                const std::string& what);

}  // namespace postcensus::config
