// SPDX-License-Identifier: MIT
// What `watch` has to do with one directory: it follows the changes over one kept connection, and looks up
// single addresses over another. Each object here blocks, belongs to one worker at a time, and has a
// connection to the state of its own.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "directory/reader.h"
#include "flow/read/reading.h"
#include "store/database.h"

namespace postcensus::flow {

class ChangeFollower {
  public:
    ChangeFollower(directory::Settings settings, store::Database state);

    Result<Poll> poll();

    // From another thread: ends a poll that waits for the server, and all later ones.
    void interrupt() { interrupt_.interrupt(); }

    const directory::Settings& settings() const { return settings_; }

  private:
    directory::Settings settings_;
    store::Database state_;
    directory::Interrupt interrupt_;
    std::optional<directory::Reader> reader_;
};

// A question to all directories at once: who lists these addresses?
class AddressFinder {
  public:
    AddressFinder(std::vector<directory::Settings> directories, store::Database state);

    struct Request {
        std::vector<mail::Address> addresses;
        std::vector<mail::Address>
            controls;  // listed addresses, which must be found too (directory-complete)
    };
    struct Answer {
        std::vector<mail::Address> found;
        std::vector<mail::Address> doubtful;  // an object that hides its addresses may have it
        bool complete = false;                // every directory answered
        std::vector<mail::Address> controls;  // those that were found
        store::Seq began = 0;                 // the seq that was current before the first search
        std::string server;                   // that answered last
        std::vector<std::string> troubles;    // of the directories that did not
    };
    Answer find(const Request& request);

    void interrupt() { interrupt_.interrupt(); }

  private:
    struct Directory {
        directory::Settings settings;
        std::optional<directory::Reader> reader;
        std::chrono::steady_clock::time_point pause_until{};  // it did not answer a moment ago
    };
    Result<LookedUp> find_in(Directory& directory, const std::vector<mail::Address>& addresses);

    std::vector<Directory> directories_;
    store::Database state_;
    directory::Interrupt interrupt_;
};

}  // namespace postcensus::flow
