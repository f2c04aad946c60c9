// SPDX-License-Identifier: MIT
// One reading of a directory, from its first search to its one transaction: compared with the state as it
// goes, applied whole or not at all. Blocks; belongs to one thread.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "directory/reader.h"
#include "flow/read/comparison.h"
#include "store/readings.h"

namespace postcensus::flow {

// Its place in the order of readings. Before its first search.
Result<store::Seq> begin_reading(store::Database& state);

class DirectoryReading {
  public:
    // All of these must outlive it.
    DirectoryReading(store::Database& state, const directory::Settings& settings, directory::Reader& reader,
                     const directory::Reader::Progress& progress);

    // `began`: taken before refresh() of the reader.
    void start(store::Seq began, std::string from);

    Result<void> read_all();
    Result<void> read_changes();
    // Finds what is gone by looking at every key.
    Result<void> sweep();
    Result<void> look_up(const std::vector<mail::Address>& addresses,
                         const std::function<void(const census::DirectoryObject&)>& note);
    Result<void> find_missing();

    // Success with nothing in it is what a lost read permission looks like.
    tl::unexpected<Failure> empty() const;
    bool is_empty() const { return compare_.with_addresses() == 0; }

    // `answer`: for what the first reading of a directory brings.
    Result<store::Applied> apply(const store::ListedAnswer& answer = {});
    void move_position(store::Writer& writer);

    store::Reading& reading() { return reading_; }
    Comparison& compared() { return compare_; }
    const std::string& position() const { return position_; }

  private:
    Result<void> take(Result<directory::ReadSummary> summary);
    // An attribute that nobody shows any more is one that we may not read any more: whoever has it left would
    // look as if it had lost addresses.
    Result<void> check_attributes(const directory::ReadSummary& summary);
    Result<void> replay(store::ReadingWriter& out);
    void warn_of_invalid() const;

    store::Database& state_;
    const directory::Settings& settings_;
    directory::Reader& reader_;
    const directory::Reader::Progress& progress_;
    Comparison compare_;
    store::Reading reading_;
    std::string from_;      // the position where it starts
    std::string position_;  // where the next one starts
    std::set<std::string> shown_;
};

}  // namespace postcensus::flow
