// SPDX-License-Identifier: MIT
#include "census/listing.h"

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/printable.h"

namespace postcensus::census {
namespace {

// msExchRecipientTypeDetails of objects that are Exchange's own, never somebody's mailbox: system attendant,
// system mailbox, arbitration, mailbox plan, discovery, monitoring.
constexpr std::array<std::int64_t, 6> kSystemKinds{8192, 16384, 8388608, 16777216, 536870912, 549755813888};

// Kinds that say that it is no recipient: user, contact, groups without mail, disabled and linked user, role
// group, computer.
constexpr std::array<std::int64_t, 9> kNoRecipientKinds{65536,   131072,   262144,     524288,    1048576,
                                                        2097152, 33554432, 1073741824, 4294967296};

template <std::size_t Count>
bool is_kind(const DirectoryObject& object, const std::array<std::int64_t, Count>& kinds) {
    return object.recipient_type_details &&
           std::find(kinds.begin(), kinds.end(), *object.recipient_type_details) != kinds.end();
}

// Where an object that shows no proxyAddresses may have addresses after all. Exchange writes proxyAddresses
// on all that is its own. `mail` alone is weaker: that one the operator may have declared the whole truth.
std::optional<std::string> doubts_of(const DirectoryObject& object, const ListingPolicy& policy) {
    const bool exchange =
        object.mailbox || (object.recipient_type_details && !is_kind(object, kNoRecipientKinds));
    if (exchange) return std::string{};
    if (policy.plain == PlainAddresses::alone) return std::nullopt;
    for (const std::string& value : object.mail)
        if (const auto address = mail::Address::from_internal(value)) return std::string(address->domain());
    return std::nullopt;
}

// "smtp:" in any case; SMTP: is the primary address, smtp: the others, and both receive.
bool is_smtp(std::string_view value) {
    return mail::fold(value.substr(0, 5)) == "smtp:";
}

}  // namespace

Listing judge(const DirectoryObject& object, const ListingPolicy& policy) {
    Listing listing;
    listing.guid = object.guid;
    listing.dn = printable(object.dn, 1000);
    listing.closed = object.requires_authentication;
    if (is_kind(object, kSystemKinds)) return listing;

    const auto add = [&listing](std::string_view text) {
        const auto address = mail::Address::from_internal(text);
        if (address && address->fits_table())
            listing.addresses.push_back(*address);
        else
            ++listing.invalid;
    };
    for (const std::string& value : object.proxy_addresses)
        if (is_smtp(value)) add(std::string_view(value).substr(5));
    if (policy.plain == PlainAddresses::counted ||
        (policy.plain == PlainAddresses::alone && object.proxy_addresses.empty()))
        for (const std::string& value : object.mail) add(value);
    const bool no_proxies = object.proxy_addresses.empty();
    if (policy.plain == PlainAddresses::counted) {
        listing.bare = no_proxies && object.mail.empty();
    } else if (no_proxies) {
        listing.doubts = doubts_of(object, policy);
        listing.plain = !listing.addresses.empty();
        listing.bare = listing.doubts.has_value() || !object.mail.empty();
    }

    std::sort(listing.addresses.begin(), listing.addresses.end());
    listing.addresses.erase(std::unique(listing.addresses.begin(), listing.addresses.end()),
                            listing.addresses.end());
    return listing;
}

std::uint64_t Listing::digest() const {
    // Who chose his own addresses for an equal digest could only hide a change of his own object from a later
    // full read.
    Fnv1a hash;
    hash.mix(closed ? "closed" : "open");
    for (const mail::Address& address : addresses) hash.mix(address.text()).mix("\n");
    return hash.value();
}

}  // namespace postcensus::census
