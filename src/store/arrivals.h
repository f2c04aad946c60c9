// SPDX-License-Identifier: MIT
// Addresses by the hundred thousand, as the first reading of a directory brings them. They are kept aside,
// sorted, and stored in the order of their index, with the answer that a listing alone gives: nothing else is
// known of them. Inside Database::write(); may throw SQLite::Exception.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/addresses.h"

namespace postcensus::store {

// The answer for an address of which nothing is known but that a directory lists it; nothing where the
// decider has to say. Those that get one are undecided no more, and have no event of their own: the reading
// is it.
using ListedAnswer =
    std::function<std::optional<census::Verdict>(SQLite::Database&, const std::string& domain, bool closed)>;

class Arrivals {
  public:
    // `known`: called for an address that is there already, before its listings are stored.
    Arrivals(Writer& writer, ListedAnswer answer, std::function<void(AddressId)> known);

    void add(const mail::Address& address, std::int64_t object, bool closed);

    // Stores those that are left. Once, at the end. Returns how many addresses were new.
    std::int64_t finish();

  private:
    struct Arrival {  // kept small: there may be a million
        std::int64_t object;
        std::uint32_t start;  // in text_: domain, a zero byte, local part
        std::uint16_t size;
        std::uint8_t domain_size;
        bool closed;
    };
    using Run = std::vector<Arrival>::const_iterator;  // the listings of one address
    struct Answer {
        bool known = false;
        bool decided = false;
        bool accepted = false;
        census::Verdict verdict;
        std::string answer, reason;  // their names
        std::int64_t addresses = 0;  // that have it, and are not counted yet
    };
    std::string_view text(const Arrival& arrival) const {
        return std::string_view(text_).substr(arrival.start, arrival.size);
    }
    void store();
    void store_one(Run from, Run to);
    AddressId add_new(std::string local, Run from, Run to);
    void store_new();
    void store_listings();
    Answer& answer(bool closed);
    void leave_domain();

    Writer& writer_;
    ListedAnswer answer_;
    std::function<void(AddressId)> known_;
    bool no_addresses_;      // there were none when this run began
    std::string index_sql_;  // of the index of listings by object, while there is none
    std::string text_;
    std::vector<Arrival> arrivals_;
    struct New {
        AddressId id;
        std::string local;
        const Answer* listed;
    };
    struct Listed {
        AddressId address;
        std::int64_t object;
        bool closed;
    };
    std::vector<New> new_;  // a few, until they are stored together
    std::vector<Listed> listings_;
    AddressId last_id_ = 0;
    std::int64_t added_ = 0;
    std::string domain_;             // of the address at hand
    std::array<Answer, 2> answers_;  // there: open, closed
    bool any_closed_ = false;
    AddressBook book_;
    CensusCount census_;
    SQLite::Statement find_, insert_, insert_eight_, list_, list_eight_;
};

}  // namespace postcensus::store
