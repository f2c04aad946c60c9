// SPDX-License-Identifier: MIT
#include "directory/object.h"

#include <fmt/format.h>
#include <ldap.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "base/printable.h"
#include "mail/address.h"

namespace postcensus::directory {
namespace {

constexpr std::size_t kKeySize = 16;
// Of one attribute; a server that never ends is at fault.
constexpr std::int64_t kMostValues = 100'000;
constexpr std::size_t kMostValueBytes = 32UL * 1024 * 1024;

bool same_name(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
               const auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
               return low(x) == low(y);
           });
}

// A long attribute comes in ranges: "proxyAddresses;range=0-1499", the last one "…;range=1500-*". Microsoft:
// "Searching Using Range Retrieval".
struct AttributeName {
    std::string_view base;
    bool ranged = false;
    bool sound = true;  // the range can be read
    std::int64_t first = 0;
    std::optional<std::int64_t> last;  // of a range that is not the last
};

std::optional<std::int64_t> index_of(std::string_view text) {
    std::int64_t number = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < 0 || number > kMostValues)
        return std::nullopt;
    return number;
}

AttributeName parse_name(std::string_view name) {
    const std::size_t semicolon = name.find(';');
    AttributeName parsed;
    parsed.base = name.substr(0, semicolon);
    if (semicolon == std::string_view::npos) return parsed;
    static constexpr std::string_view kRange = ";range=";
    const std::size_t option = mail::fold(name).find(kRange);
    if (option == std::string::npos) return parsed;
    std::string_view range = name.substr(option + kRange.size());
    range = range.substr(0, range.find(';'));
    const std::size_t dash = range.find('-');
    parsed.ranged = true;
    parsed.sound = dash != std::string_view::npos;
    if (!parsed.sound) return parsed;
    const auto first = index_of(range.substr(0, dash));
    parsed.last = index_of(range.substr(dash + 1));
    parsed.sound = first && (range.substr(dash + 1) == "*" || (parsed.last && *parsed.last >= *first));
    parsed.first = first.value_or(0);
    return parsed;
}

// Whether these values are what the range in the name says, beginning at `from`. What does not add up would
// be a part that looks like the whole, or a reading without an end.
bool adds_up(const AttributeName& name, const Attribute& attribute, std::int64_t from) {
    if (!name.sound || name.first != from) return false;
    return !name.last || static_cast<std::int64_t>(attribute.values.size()) == *name.last - name.first + 1;
}

bool is_true(std::string_view value) {
    return same_name(value, "TRUE");
}

// "f81d4fae-7dec-11d0-a765-00a0c91e6bf6" (RFC 4530) to its 16 bytes.
std::string parse_uuid(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i + 1 < text.size();) {
        if (text[i] == '-') {
            ++i;
            continue;
        }
        unsigned byte = 0;
        if (std::from_chars(text.data() + i, text.data() + i + 2, byte, 16).ec != std::errc{}) return {};
        out += static_cast<char>(byte);
        i += 2;
    }
    return out;
}

// Where the values of an address attribute belong; nothing for other attributes.
std::vector<std::string>* values_for(const Settings& settings, std::string_view name,
                                     census::DirectoryObject& object) {
    if (same_name(name, "proxyAddresses") &&
        (settings.flavour == Flavour::ad ||
         std::any_of(settings.attributes.begin(), settings.attributes.end(),
                     [&](const std::string& wanted) { return same_name(name, wanted); })))
        return &object.proxy_addresses;
    if (settings.flavour == Flavour::ad) return same_name(name, "mail") ? &object.mail : nullptr;
    const bool wanted = std::any_of(settings.attributes.begin(), settings.attributes.end(),
                                    [&](const std::string& candidate) { return same_name(name, candidate); });
    return wanted ? &object.mail : nullptr;
}

}  // namespace

std::vector<std::string> wanted_attributes(const Settings& settings) {
    if (settings.flavour == Flavour::ad)
        return {"objectGUID",
                "proxyAddresses",
                "mail",
                "msExchRecipientTypeDetails",
                "msExchRequireAuthToSendTo",
                "msExchMailboxGuid",
                "homeMDB"};
    std::vector<std::string> wanted{"entryUUID", "modifyTimestamp"};
    wanted.insert(wanted.end(), settings.attributes.begin(), settings.attributes.end());
    return wanted;
}

std::string recipients_filter(const Settings& settings) {
    if (settings.flavour == Flavour::ad)
        return settings.use_mail ? "(|(proxyAddresses=*)(mail=*))" : "(proxyAddresses=*)";
    std::string any;
    for (const std::string& attribute : settings.attributes) any += fmt::format("({}=*)", attribute);
    return fmt::format("(&{}(|{}))", settings.filter, any);
}

std::string objects_filter(const Settings& settings) {
    if (settings.flavour == Flavour::ldap) return settings.filter;
    return "(|(proxyAddresses=*)(mail=*)(msExchMailboxGuid=*)(homeMDB=*)(msExchRecipientTypeDetails=*))";
}

std::string key_attribute(Flavour flavour) {
    return flavour == Flavour::ad ? "objectGUID" : "entryUUID";
}

std::string key_filter(Flavour flavour, std::string_view key) {
    std::string value;
    for (std::size_t i = 0; i < key.size(); ++i) {
        if (flavour == Flavour::ldap && (i == 4 || i == 6 || i == 8 || i == 10)) value += '-';
        value +=
            fmt::format("{}{:02x}", flavour == Flavour::ad ? "\\" : "", static_cast<unsigned char>(key[i]));
    }
    return fmt::format("({}={})", key_attribute(flavour), value);
}

std::string key_of(Flavour flavour, const Entry& entry) {
    const std::string_view value = entry.value(key_attribute(flavour));
    std::string key = flavour == Flavour::ad ? std::string(value) : parse_uuid(value);
    return key.size() == kKeySize ? key : std::string{};
}

Result<Decoded> decode(const Settings& settings, const Entry& entry) {
    Decoded decoded;
    census::DirectoryObject& object = decoded.object;
    object.dn = entry.dn;
    object.guid = key_of(settings.flavour, entry);
    if (object.guid.empty())
        return fail(
            ExitCode::unavailable,
            fmt::format("{} has no {}: is flavour = {} right for this directory?", printable(entry.dn),
                        key_attribute(settings.flavour), settings.flavour == Flavour::ad ? "ad" : "ldap"));
    for (const Attribute& attribute : entry.attributes) {
        const AttributeName name = parse_name(attribute.name);
        if (std::vector<std::string>* values = values_for(settings, name.base, object)) {
            if (name.ranged && !adds_up(name, attribute, 0))
                return fail(ExitCode::unavailable,
                            fmt::format("{} of {} is no range of values that can be read",
                                        printable(attribute.name), printable(entry.dn)));
            values->insert(values->end(), attribute.values.begin(), attribute.values.end());
            if (name.last) decoded.rests.push_back({std::string(name.base), *name.last + 1});
        } else if (attribute.values.empty()) {
            continue;
        } else if (same_name(name.base, "msExchMailboxGuid") || same_name(name.base, "homeMDB")) {
            object.mailbox = true;
        } else if (same_name(name.base, "msExchRequireAuthToSendTo")) {
            object.requires_authentication = is_true(attribute.values.front());
        } else if (same_name(name.base, "msExchRecipientTypeDetails")) {
            const std::string_view text = attribute.values.front();
            std::int64_t number = 0;
            if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc{})
                object.recipient_type_details = number;
        }
    }
    return decoded;
}

Result<void> complete(Session& session, Decoded& decoded) {
    for (const Rest& rest : decoded.rests) {
        std::vector<std::string>& values = same_name(rest.attribute, "proxyAddresses")
                                               ? decoded.object.proxy_addresses
                                               : decoded.object.mail;
        std::size_t bytes = 0;
        for (std::optional<std::int64_t> next = rest.next; next;) {
            const std::int64_t from = *next;
            bool moved_on = false;
            auto found = session.read({.base = decoded.object.dn,
                                       .attributes = {fmt::format("{};range={}-*", rest.attribute, from)}},
                                      [&](const Entry& entry) -> Result<void> {
                                          for (const Attribute& attribute : entry.attributes) {
                                              const AttributeName name = parse_name(attribute.name);
                                              if (!name.ranged || !same_name(name.base, rest.attribute))
                                                  continue;
                                              moved_on = !moved_on && adds_up(name, attribute, from);
                                              if (!moved_on) return {};
                                              next = name.last ? std::optional(*name.last + 1) : std::nullopt;
                                              for (const std::string_view value : attribute.values)
                                                  bytes += value.size();
                                              values.insert(values.end(), attribute.values.begin(),
                                                            attribute.values.end());
                                          }
                                          return {};
                                      });
            if (!found) return fail(found.error());
            if (!moved_on || bytes > kMostValueBytes ||
                static_cast<std::int64_t>(values.size()) > kMostValues)
                return fail(ExitCode::unavailable,
                            fmt::format("{} gave only a part of {} of {}", session.uri(), rest.attribute,
                                        printable(decoded.object.dn)));
        }
    }
    decoded.rests.clear();
    return {};
}

}  // namespace postcensus::directory
