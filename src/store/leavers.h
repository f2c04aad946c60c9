// SPDX-License-Identifier: MIT
// Objects that have left without a word: where we have no right to read deleted objects, an object that
// readings do not find any more stays *unseen*. Every function here runs inside Database::read() or write()
// and may throw SQLite::Exception.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/addresses.h"
#include "store/database.h"

namespace postcensus::store {

struct Leaver {
    std::string directory, guid, dn;
    std::vector<AddressId> addresses;
};

// Unseen objects (not those that are there and hide their addresses) each of whose addresses the mail server
// has refused since, twice and nothing else, at least `interval` apart; and that a full reading which began
// after that did not find either.
// `is_asked`: whether the server of a domain can be asked. No: an object with an address there waits for the
// operator. Nothing: no route names the domain, and its addresses say nothing.
std::vector<Leaver> find_leavers(
    SQLite::Database& db, Milliseconds interval,
    const std::function<std::optional<bool>(const std::string& domain)>& is_asked);

// In the history of its addresses. Its listings are ended by ReadingWriter::end().
void note_left(Writer& writer, const Leaver& leaver, Time now);

}  // namespace postcensus::store
