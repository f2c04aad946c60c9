// SPDX-License-Identifier: MIT
// What belongs to the decider for as long as its process decides, reloads of the configuration included: the
// locks, so that nobody comes between two configurations; and tables that it emptied and could not note in
// the state yet. For one thread at a time.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/failure.h"
#include "base/lock_file.h"

namespace postcensus::flow {

// A table that was emptied because it could not be withdrawn by a publication. Else its new look would be
// taken for somebody else's work.
struct Withdrawn {
    std::string table;
    Time at;
    std::string why;
};

class Tenure {
  public:
    // True: this process has the lock, by now or for long. False: another one has it.
    Result<bool> take(const std::filesystem::path& lock, const std::string& content);
    // Whether the lock is held, and still there to keep others away.
    bool holds(const std::filesystem::path& lock) const;
    // Lets go of all others: the configuration that runs now does not need them.
    void keep_only(const std::vector<std::filesystem::path>& locks);

    std::vector<Withdrawn>& unnoted() { return unnoted_; }
    // Whether these words were not the last ones: what fails each second is said once.
    bool is_news(const std::string& words) { return std::exchange(said_, words) != words; }

  private:
    std::map<std::filesystem::path, LockFile> locks_;
    std::vector<Withdrawn> unnoted_;
    std::string said_;
};

}  // namespace postcensus::flow
