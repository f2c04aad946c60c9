// SPDX-License-Identifier: MIT
// Reads one directory into the state: whole, compared with what is there, applied in one transaction; or not
// at all. In full, or what has changed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "directory/reader.h"
#include "store/arrivals.h"
#include "store/database.h"

namespace postcensus::flow {

enum class ReadMode {
    automatic,  // changes; in full where there is no position to read them from, or once a day
    full,
    dry_run,  // in full, and nothing is written
};

struct DirectoryRead {
    std::string summary;             // "corp: full read at dc1: 3 added, 1 removed; 48211 listed"
    std::vector<std::string> added;  // only of a dry run: sorted
    std::vector<std::string> removed;
    std::int64_t unseen = 0;  // objects that were not found any more, newly
    std::int64_t hidden = 0;  // objects that are mailboxes and show no addresses, newly
};

// A reading that fails, or one in full that is good but empty, leaves the state as it was, with a note of it.
// What the first reading of a directory brings is answered by `answer` as it is stored; without one the
// decider looks at each address.
Result<DirectoryRead> read_directory(store::Database& state, const directory::Settings& settings,
                                     ReadMode mode, const directory::Reader::Progress& progress,
                                     const store::ListedAnswer& answer = {});

// The changes alone, over a connection that is kept.
struct Poll {
    bool possible = false;  // false: a full reading is needed first
    bool changed = false;   // something was found and applied
    std::string summary;
};
Result<Poll> read_changes(store::Database& state, const directory::Settings& settings,
                          directory::Reader& reader);

// Looks a few addresses up, live: what lists one of them now, or hides what it lists, is applied like any
// other reading. In the spelling of the question. A Failure is "don't know" for all of them.
struct LookedUp {
    std::vector<mail::Address> found;
    std::vector<mail::Address> doubtful;  // not found; but an object that hides its addresses may have them
};
Result<LookedUp> look_up(store::Database& state, const directory::Settings& settings,
                         directory::Reader& reader, const std::vector<mail::Address>& addresses);

// After every directory of the configuration was read whole, by readings that began after `began`, and only
// then: directories that the configuration no longer has list nothing any more (nobody could withdraw what
// they listed), and what was adopted for domains that nobody can be asked about counts no more. Any one
// reading that failed might have listed these addresses. Removals pass the gate.
Result<void> finish_reading(const config::Configuration& configuration, store::Database& state,
                            store::Seq began);

}  // namespace postcensus::flow
