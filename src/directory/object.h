// SPDX-License-Identifier: MIT
// From an LDAP entry to the values that matter, for each flavour of directory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "census/listing.h"
#include "directory/session.h"

namespace postcensus::directory {

// What a reading asks for of each object.
std::vector<std::string> wanted_attributes(const Settings& settings);

// Which objects show recipients; and which may have some, whether they show them or not: an attribute that an
// account may not read matches no filter.
std::string recipients_filter(const Settings& settings);
std::string objects_filter(const Settings& settings);

// The attribute of the key that survives renames and moves: objectGUID or entryUUID.
std::string key_attribute(Flavour flavour);
// A key as a filter value (RFC 4515), and an entry's key: 16 bytes; empty if it has none.
std::string key_filter(Flavour flavour, std::string_view key);
std::string key_of(Flavour flavour, const Entry& entry);

// An attribute with more values than the server sends at once (AD: MaxValRange).
struct Rest {
    std::string attribute;
    std::int64_t next = 0;  // the first value that is missing
};

struct Decoded {
    census::DirectoryObject object;
    std::vector<Rest> rests;  // to be fetched by complete() before the object counts
};

// A Failure if the entry has no key: then this is not such a directory.
Result<Decoded> decode(const Settings& settings, const Entry& entry);

// Fetches the rest of the attributes that came in part. A part is never the whole: if it cannot be had, the
// reading is void.
Result<void> complete(Session& session, Decoded& decoded);

}  // namespace postcensus::directory
