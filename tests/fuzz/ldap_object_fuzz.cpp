// SPDX-License-Identifier: MIT
// libFuzzer target: whatever a directory sends for an object, what is read of it is bounded and valid, a part
// is never taken for the whole, and where it lies is never told wrongly.
//
// The input is a list of fields that end with \0: the object's DN, a base, then names and values in turn; a
// value that begins with \1 belongs to the attribute before. The first byte chooses the flavour.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/printable.h"
#include "census/listing.h"
#include "directory/dn.h"
#include "directory/object.h"
#include "mail/address.h"

using namespace postcensus;

namespace {

[[noreturn]] void report(const char* what, std::string_view text) {
    std::fprintf(stderr, "%s: %s\n", what, printable(text, 4000).c_str());
    std::abort();
}

std::vector<std::string> split(std::string_view input) {
    std::vector<std::string> fields;
    while (!input.empty()) {
        const std::size_t size = std::min(input.find('\0'), input.size());
        fields.emplace_back(input.substr(0, size));
        input.remove_prefix(std::min(size + 1, input.size()));
    }
    return fields;
}

std::string swap_case(std::string text) {
    for (char& byte : text)
        if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'))
            byte = static_cast<char>(byte ^ 0x20);
    return text;
}

// No name lies elsewhere than itself, in any case, nor does what is put below it.
void check_place(const std::string& dn, const std::string& base) {
    using directory::Place;
    using directory::place_of;
    if (place_of(dn, dn) == Place::elsewhere) report("a name lies outside of itself", dn);
    // Behind a backslash a letter may be a part of a byte, and # begins bytes.
    if (place_of(swap_case(dn), dn) == Place::elsewhere && dn.find_first_of("\\#") == std::string::npos)
        report("case moves an object", dn);
    const Place place = place_of(dn, base);
    if (!dn.empty() && place == Place::below && place_of("CN=x," + dn, base) != Place::below)
        report("a child lies outside", dn);
    if (place_of(dn, "") == Place::elsewhere) report("a name lies outside of the root", dn);
}

// What a name says of a range, read in another way: digits, a dash, digits or a star, and nothing else.
bool may_be_whole(const directory::Attribute& attribute) {
    const std::string name = mail::fold(attribute.name);
    const std::size_t range = name.find(";range=");
    if (range == std::string::npos || name.find(';') == std::string::npos) return true;
    const std::string rest = name.substr(range + 7, name.find(';', range + 7) - range - 7);
    return rest.size() > 2 && rest.ends_with("-*") && rest.find_first_not_of('0') == rest.size() - 2;
}

void check_listing(const census::Listing& listing, std::size_t values) {
    if (!is_printable(listing.dn) || listing.dn.size() > 1100) report("the name is not safe", listing.dn);
    if (listing.addresses.size() + listing.invalid > values) report("more addresses than values", listing.dn);
    if (listing.mistyped.size() > 10) report("too many are named", listing.dn);
    for (const census::Mistyped& one : listing.mistyped)
        if (!is_printable(one.value) || one.value.size() > 300 || one.why.empty())
            report("a mistyped value is not safe", one.value);
    for (const mail::Address& address : listing.addresses) {
        const auto again = mail::Address::from_external(address.external());
        if (!again || *again != address) report("an address has no quoted form", address.text());
        if (!address.fits_table() || address.local().empty())
            report("an address fits no table", address.text());
        if (address.text().find("\xE2\x80\x8B") != std::string::npos) report("zero width", address.text());
    }
    if (listing.bare && !listing.plain && !listing.addresses.empty()) report("bare, and lists", listing.dn);
    if (listing.doubts && !listing.bare) report("doubtful, and not bare", listing.dn);
}

void check_object(const directory::Settings& settings, const directory::Entry& entry) {
    const auto decoded = directory::decode(settings, entry);
    if (!decoded) {
        if (!is_printable(decoded.error().message))
            report("the failure is not safe", decoded.error().message);
        return;
    }
    std::size_t values = 0;
    std::size_t parts = 0;
    bool exchange = false;
    for (const directory::Attribute& attribute : entry.attributes) {
        const std::string name = mail::fold(attribute.name.substr(0, attribute.name.find(';')));
        exchange = exchange || (name == "msexchmailboxguid" && !attribute.values.empty());
        if (name != "proxyaddresses" && name != "mail") continue;
        values += attribute.values.size();
        if (!may_be_whole(attribute)) ++parts;
    }
    if (decoded->rests.size() != parts) report("a part is taken for the whole", entry.dn);
    if (decoded->object.guid.size() != 16) report("no key", entry.dn);
    for (const auto plain :
         {census::PlainAddresses::ignored, census::PlainAddresses::alone, census::PlainAddresses::counted}) {
        const census::Listing listing = census::judge(decoded->object, {plain});
        check_listing(listing, values);
        const bool of_ad =
            plain != census::PlainAddresses::counted && settings.flavour == directory::Flavour::ad;
        if (of_ad && exchange && decoded->object.proxy_addresses.empty() && !listing.doubts &&
            !decoded->object.recipient_type_details)
            report("a mailbox without addresses is no doubt", entry.dn);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::vector<std::string> fields =
        split(std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1));
    if (fields.size() < 2) return 0;
    check_place(fields[0], fields[1]);
    directory::Settings settings;
    settings.flavour = data[0] % 2 == 0 ? directory::Flavour::ad : directory::Flavour::ldap;
    settings.attributes = {"mail", "proxyAddresses"};
    directory::Entry entry;
    entry.dn = fields[0];
    const std::string key = settings.flavour == directory::Flavour::ad
                                ? std::string(16, 'k')
                                : "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
    entry.attributes.push_back(
        {directory::key_attribute(settings.flavour) == "objectGUID" ? "objectGUID" : "entryUUID", {key}});
    for (std::size_t i = 2; i < fields.size(); ++i) {
        if (fields[i].starts_with('\1'))
            entry.attributes.back().values.push_back(std::string_view(fields[i]).substr(1));
        else
            entry.attributes.push_back({fields[i], {}});
    }
    check_object(settings, entry);
    return 0;
}
