// SPDX-License-Identifier: MIT
#include "census/listing.h"

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/printable.h"

namespace postcensus::census {
namespace {

constexpr std::size_t kMostMistyped = 10;  // of one object
constexpr std::size_t kLongestMistyped = 200;

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

    const auto leave_out = [&listing](std::string_view value, std::string_view why) {
        if (++listing.invalid > kMostMistyped) return;
        listing.mistyped.push_back(
            {listing.guid, listing.dn, printable(value, kLongestMistyped), std::string(why)});
    };
    const auto add = [&](std::string_view value, std::string_view text) {
        text = trim_blanks(text);
        const std::string_view flaw = flaw_of_address(text);
        if (flaw.empty())
            listing.addresses.push_back(*mail::Address::from_internal(text));
        else
            leave_out(value, flaw);
    };
    for (const std::string& raw : object.proxy_addresses) {
        const std::string_view value = trim_blanks(raw);
        if (is_smtp(value))
            add(raw, value.substr(5));
        else if (const std::string_view flaw = flaw_of_type(value); !flaw.empty())
            leave_out(raw, flaw);
    }
    if (policy.plain == PlainAddresses::counted ||
        (policy.plain == PlainAddresses::alone && object.proxy_addresses.empty()))
        for (const std::string& value : object.mail) add(value, value);
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
