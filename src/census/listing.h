// SPDX-License-Identifier: MIT
// What one directory object says about recipients, judged. Pure; the readers in directory/ fill a
// DirectoryObject from what a server sent, and judge() is the same for every reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "census/evidence.h"
#include "census/mistyped.h"

namespace postcensus::census {

// The values of one object that matter, as read: untrusted.
struct DirectoryObject {
    std::string guid;  // 16 bytes; the key that survives renames and moves
    std::string dn;
    std::vector<std::string> proxy_addresses;  // "SMTP:a@b", "smtp:c@d", "X500:/o=…"
    std::vector<std::string> mail;  // plain addresses: AD's `mail`, OpenLDAP's configured attributes
    std::optional<std::int64_t> recipient_type_details;
    bool mailbox = false;                  // shows an attribute that Exchange writes on mailboxes alone
    bool requires_authentication = false;  // msExchRequireAuthToSendTo
};

enum class PlainAddresses {
    ignored,
    alone,    // count where there are no proxyAddresses
    counted,  // always count
};

struct ListingPolicy {
    PlainAddresses plain = PlainAddresses::ignored;
};

// An object that has recipients, or had: with no addresses it lists nothing.
struct Listing {
    std::string guid;
    std::string dn;                        // printable
    bool closed = false;                   // refuses outside senders
    bool plain = false;                    // its addresses are plain ones, in place of proxyAddresses
    std::vector<mail::Address> addresses;  // sorted, each once
    // It shows none of the attributes that addresses are read from. If it listed some before, we may have
    // lost the right to see them; nobody can tell.
    bool bare = false;
    // Bare, though it is a mailbox by its other attributes: it has addresses, and hides them from us.
    // Whatever is concluded from what the directory does not list is doubtful: in this domain; empty: in all.
    std::optional<std::string> doubts;
    std::size_t invalid = 0;         // values that should be addresses and are none
    std::vector<Mistyped> mistyped;  // the first of these
    // Of addresses, kind and closed: what a change of answers can come from. A password change leaves it as
    // it was.
    std::uint64_t digest() const;
};

Listing judge(const DirectoryObject& object, const ListingPolicy& policy);

}  // namespace postcensus::census
