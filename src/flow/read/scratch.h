// SPDX-License-Identifier: MIT
// What a reading found to be different, kept aside until it is known to be whole: append-only, in memory at
// first and then in a nameless file beside the state, so that memory stays constant and the state stays free
// for others. Gone with the process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "census/listing.h"

namespace postcensus::flow {

class Scratch {
  public:
    enum class Kind : char { put = 'p', end = 'e', hide = 'h', unseen = 'u', seen = 's' };
    struct Change {
        Kind kind = Kind::put;
        census::Listing listing;  // of all but `put` and `hide`, only the guid
    };

    // `folder`: the state's; a file is made there only if the changes grow large.
    explicit Scratch(std::filesystem::path folder) : folder_(std::move(folder)) {}

    Result<void> put(const census::Listing& listing);
    Result<void> hide(const census::Listing& listing);
    Result<void> add(Kind kind, const std::string& guid);

    std::int64_t size() const { return count_; }
    std::int64_t count(Kind kind) const;

    // In the order in which they were added.
    Result<void> for_each(const std::function<void(const Change&)>& take);

  private:
    void append(Kind kind, const census::Listing& listing);
    Result<void> grown();

    std::filesystem::path folder_;
    std::string buffer_;
    UniqueFd file_;
    std::int64_t count_ = 0, ends_ = 0, hidden_ = 0, unseen_ = 0, seen_ = 0;
};

}  // namespace postcensus::flow
