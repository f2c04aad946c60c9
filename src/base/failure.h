// SPDX-License-Identifier: MIT
// The result type of the program: a value, or a Failure that an operator can act on.
//
// What can be expected to go wrong (a server away, a bad value, a full disk) is a Failure. A broken invariant
// throws std::logic_error and ends at the one catch in cmd/main.cpp.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace postcensus {

// The exit codes of every command, after sysexits(3).
enum class ExitCode : int {
    done = 0,
    finding = 1,         // a negative finding: removals held, a read not applied
    usage = 64,          // the command line
    unavailable = 69,    // a server is away or at fault
    software = 70,       // a bug of ours
    cannot_write = 73,   // a file or folder
    try_again = 75,      // another holds the lock, a newer state, no answer yet
    configuration = 78,  // the configuration file or what it names
};

// What somebody does something about. Chosen where the failure is met; nobody reads it out of a message,
// which may hold a server's words and is worded anew at times.
enum class Trouble {
    other,
    no_room,      // the disk or a quota is full
    bad_disk,     // it fails (EIO), or may only be read
    credentials,  // a directory refused the login itself: to try it again may lock the account
    certificate,  // a server's certificate is not trusted, or is for another name
};

// `message` says what failed, on what, why, and the remedy; it may be shown to anyone who may run the
// command. `detail` goes to the log only (it may hold a server's own words). Neither ever holds a secret.
struct Failure {
    ExitCode code = ExitCode::software;
    std::string message;
    std::string detail = {};
    Trouble trouble = Trouble::other;
};

template <typename T>
using Result = tl::expected<T, Failure>;

inline tl::unexpected<Failure> fail(ExitCode code, std::string message, std::string detail = {}) {
    return tl::make_unexpected(Failure{code, std::move(message), std::move(detail)});
}

inline tl::unexpected<Failure> fail(Failure failure) {
    return tl::make_unexpected(std::move(failure));
}

}  // namespace postcensus
