// SPDX-License-Identifier: MIT
// Ends the leases of tables that nobody tends: the heart of `postcensus failsafe`. Needs neither
// configuration nor state, and no disk space where the empty spares stand ready.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/failure.h"

namespace postcensus::postfix {

struct Lapsed {
    std::string table;
    std::string why;
};

// `all`: what is still good too, as its program is being removed.
enum class Lapse { over, all };

// Empties `unknown` and `closed` in this folder, each if the time in its head is over, if it was written in
// the future, or if it has no head that says until when it is good. Tables that are empty already, or are not
// there, are left alone. Every table is tried, whatever became of the one before; the first Failure is
// returned.
Result<std::vector<Lapsed>> lapse_tables(const std::filesystem::path& maps, Time now,
                                         Lapse which = Lapse::over);

// Empties the index with this ending (".lmdb") and leaves the text: an index that no text speaks of any more.
Result<void> empty_index(const std::filesystem::path& maps, const std::string& name,
                         const std::string& suffix);

// Empties one table now, whatever its head says: a withdrawal that could not be published otherwise.
Result<void> empty_table(const std::filesystem::path& maps, const std::string& name);

}  // namespace postcensus::postfix
