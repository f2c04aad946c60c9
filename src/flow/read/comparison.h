// SPDX-License-Identifier: MIT
// Compares what a reading meets with the state as it goes, read-only; only what differs is kept, aside.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "directory/reader.h"
#include "flow/read/scratch.h"
#include "store/database.h"
#include "store/directories.h"

namespace postcensus::flow {

// How this directory's objects are judged.
census::ListingPolicy policy_for(const directory::Settings& settings);

class Comparison {
  public:
    Comparison(store::Database& state, const directory::Settings& settings);

    // An object as the directory shows it now.
    Result<void> meet(const census::DirectoryObject& object);
    // Its key alone: it is there.
    Result<void> meet_key(const std::string& guid);
    Result<void> end(const std::string& guid);

    // After the last object: looks for those that the state has from before `began` and that were not met.
    Result<void> find_missing(directory::Reader& reader, store::Seq began);

    // All that was met has been compared.
    Result<void> finish();

    Scratch& changes() { return changes_; }
    std::int64_t with_addresses() const { return with_addresses_; }
    // Values that should be addresses and are not; the first of them; and the objects that had some before
    // and were met.
    std::size_t invalid_values() const { return invalid_values_; }
    const std::vector<census::Mistyped>& mistyped() const { return mistyped_; }
    const std::vector<std::string>& looked_at_again() const { return looked_at_again_; }

  private:
    Result<void> compare_batch();
    Result<void> compare(const census::Listing& listing, const std::optional<store::KnownObject>& object);

    store::Database& state_;
    std::string directory_;
    census::ListingPolicy policy_;
    Scratch changes_;
    std::vector<census::Listing> batch_;
    std::vector<std::string> keys_;
    std::vector<bool> met_;  // by the object's id in the state
    std::int64_t with_addresses_ = 0;
    std::size_t invalid_values_ = 0;
    std::vector<census::Mistyped> mistyped_;
    std::optional<std::set<std::string>> once_mistyped_;
    std::vector<std::string> looked_at_again_;
};

}  // namespace postcensus::flow
