// SPDX-License-Identifier: MIT
#include "flow/read/changes.h"

#include <fmt/format.h>

#include <algorithm>

#include "directory/servers.h"
#include "flow/read/directory_login.h"

namespace postcensus::flow {
namespace {

using namespace std::chrono_literals;

// A poll waits less than a full reading: the next one comes soon.
constexpr auto kPollTimeout = 30s;
constexpr auto kWholePoll = 10min;
// A sender waits behind a lookup, and the callout behind it.
constexpr auto kLookupTimeout = 5s;
constexpr auto kWholeLookup = 30s;  // a hundred addresses are five searches, twice if one is found
constexpr auto kPauseAfterTrouble = 30s;

directory::Settings with_timeout(directory::Settings settings, std::chrono::seconds timeout,
                                 std::chrono::seconds whole) {
    settings.answer_timeout = timeout;
    settings.whole_timeout = whole;
    settings.connect_timeout = std::min(settings.connect_timeout, timeout);
    return settings;
}

}  // namespace

ChangeFollower::ChangeFollower(directory::Settings settings, store::Database state)
    : settings_(with_timeout(std::move(settings), kPollTimeout, kWholePoll)), state_(std::move(state)) {}

Result<Poll> ChangeFollower::poll() {
    // A connection that was kept may have been closed by the server meanwhile: that alone is no trouble.
    for (const bool kept : {reader_.has_value(), false}) {
        if (!reader_) {
            auto opened = open_directory(state_, settings_, Other::later, &interrupt_);
            if (!opened) return fail(opened.error());
            reader_.emplace(*std::move(opened));
        }
        reader_->begin_work();
        auto poll = read_changes(state_, settings_, *reader_);
        if (poll) return poll;
        const bool of_state = poll.error().code != ExitCode::unavailable;
        if (!of_state) reader_.reset();
        if (!kept || of_state || interrupt_.interrupted()) return poll;
    }
    return Poll{};
}

AddressFinder::AddressFinder(std::vector<directory::Settings> directories, store::Database state)
    : state_(std::move(state)) {
    for (directory::Settings& settings : directories)
        directories_.push_back(
            {with_timeout(std::move(settings), kLookupTimeout, kWholeLookup), std::nullopt, {}});
}

Result<LookedUp> AddressFinder::find_in(Directory& directory, const std::vector<mail::Address>& addresses) {
    for (const bool kept : {directory.reader.has_value(), false}) {
        if (!directory.reader) {
            auto opened = open_for_questions(state_, directory.settings, &interrupt_);
            if (!opened) return fail(opened.error());
            directory.reader.emplace(*std::move(opened));
        }
        directory.reader->begin_work();
        auto found = look_up(state_, directory.settings, *directory.reader, addresses);
        if (found) return found;
        directory.reader.reset();
        if (!kept || interrupt_.interrupted()) return found;
    }
    return LookedUp{};
}

AddressFinder::Answer AddressFinder::find(const Request& request) {
    Answer answer;
    answer.complete = true;
    auto began = state_.current_seq();
    if (!began) {
        answer.complete = false;
        answer.troubles.push_back(began.error().message);
        return answer;
    }
    answer.began = *began;
    std::vector<mail::Address> addresses = request.addresses;
    addresses.insert(addresses.end(), request.controls.begin(), request.controls.end());
    for (Directory& directory : directories_) {
        if (directory.pause_until > std::chrono::steady_clock::now()) {
            answer.complete = false;
            continue;
        }
        auto found = find_in(directory, addresses);
        if (!found) {
            directory.pause_until = std::chrono::steady_clock::now() + kPauseAfterTrouble;
            answer.complete = false;
            answer.troubles.push_back(directory.settings.name + ": " + found.error().message);
            continue;
        }
        answer.server = directory::short_name(directory.reader->uri());
        answer.doubtful.insert(answer.doubtful.end(), found->doubtful.begin(), found->doubtful.end());
        for (const mail::Address& address : found->found) {
            const bool asked = std::find(request.addresses.begin(), request.addresses.end(), address) !=
                               request.addresses.end();
            (asked ? answer.found : answer.controls).push_back(address);
        }
    }
    return answer;
}

}  // namespace postcensus::flow
