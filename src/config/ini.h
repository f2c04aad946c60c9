// SPDX-License-Identifier: MIT
// Splits a configuration file into sections and keys, with the line of each: Boost's own INI reader gives no
// line numbers and cuts `CN=Svc#1` at the #. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"

namespace postcensus::config {

struct IniKey {
    std::string name;
    std::string value;
    int line = 0;
};

struct IniSection {
    std::string name;  // "route.exchange"
    int line = 0;
    std::vector<IniKey> keys;

    // Where a key is set; where the section begins if it is not.
    int line_of(const std::string& key) const;
};

// `#` starts a comment at the start of a line or after a blank. `file` is for the errors only.
Result<std::vector<IniSection>> split_ini(std::string_view text, const std::string& file);

}  // namespace postcensus::config
