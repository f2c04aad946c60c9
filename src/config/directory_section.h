// SPDX-License-Identifier: MIT
// [directory.NAME]: which servers, how to log in, which objects.
#pragma once

#include <string>

#include "config/configuration.h"
#include "config/section.h"
#include "directory/settings.h"

namespace postcensus::config {

// What the section says before it is checked as a whole.
struct DirectoryDraft {
    directory::Settings settings;
    std::string uri, flavour, bind, password_file, keytab, attributes;
};

SectionBinder bind_directory(const std::string& file, const std::string& section, DirectoryDraft& draft);

// Fits the keys together, and reads the secrets unless they are left.
Result<void> finish_directory(const std::string& file, const IniSection& section, DirectoryDraft& draft,
                              Secrets secrets);

}  // namespace postcensus::config
