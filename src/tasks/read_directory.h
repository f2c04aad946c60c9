// SPDX-License-Identifier: MIT
// Reads one directory into the state: whole, compared with what is there, applied in one transaction; or not
// at all.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "directory/reader.h"
#include "store/database.h"

namespace postcensus::tasks {

struct DirectoryRead {
    std::string summary;             // "corp: full read at ldaps://…: 3 added, 1 removed; 48211 listed"
    std::vector<std::string> added;  // only with dry_run: sorted
    std::vector<std::string> removed;
};

// With `dry_run` nothing is written. A reading that fails, or that is good but empty, leaves the state as it
// was, with a note of it.
Result<DirectoryRead> read_directory(store::Database& state, const directory::Settings& settings,
                                     bool dry_run, const directory::Progress& progress);

// After every directory of the configuration was read whole, by readings that began after `began`, and only
// then: directories that the configuration no longer has list nothing any more (nobody could withdraw what
// they listed), and what was adopted for domains that nobody can be asked about counts no more. Any one
// reading that failed might have listed these addresses. Removals pass the gate.
Result<void> finish_reading(const config::Configuration& configuration, store::Database& state,
                            store::Seq began);

}  // namespace postcensus::tasks
