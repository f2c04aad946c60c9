// SPDX-License-Identifier: MIT
// The lists of smtpd_*_restrictions, restriction by restriction, and our tables in them. Pure.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "check/master_cf.h"

namespace postcensus::check {

// The tables that main.cf has to name.
struct OurTables {
    std::string type;
    std::filesystem::path maps;
    bool present = true;  // false before the first good reading: main.cf must not name them yet

    // "lmdb:/var/lib/postcensus/maps/unknown"
    std::string name(std::string_view table) const;
};

// One of our tables as main.cf names it, rightly or not.
struct NamedTable {
    std::string table;  // directory, learned, closed, unknown
    std::string type;
    bool proxied = false;
    bool operator==(const NamedTable&) const = default;
};

// Nothing if this names no table of ours. `{ type:name, option }` is understood too.
std::optional<NamedTable> named_table(std::string_view word, const OurTables& ours);

struct Restriction {
    std::string name;
    std::string argument;     // of those that have one
    bool only_warns = false;  // warn_if_reject stands before it

    std::string text() const;
};

// A table without a name before it counts as check_recipient_access.
std::vector<Restriction> parse_restrictions(std::string_view list);

// The same with restriction classes replaced by what they stand for.
std::vector<Restriction> expand_restrictions(const Snapshot& snapshot, std::string_view list);

// What a restriction can do to a recipient that relay_recipient_maps does not have.
enum class Effect {
    none,
    permits,        // ends the list
    refuses,        // for good
    defers,         // with 4yz
    answers_all,    // refuses or defers, whoever it is
    answers_first,  // reject_unverified_recipient: says itself that the recipient does not exist
};
Effect effect_of(const Restriction& restriction);

}  // namespace postcensus::check
