// SPDX-License-Identifier: MIT
#include "directory/dn.h"

#include <ldap.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "mail/address.h"

namespace postcensus::directory {
namespace {

struct FreeBytes {
    void operator()(std::uint8_t* bytes) const { std::free(bytes); }
};
using Bytes = std::unique_ptr<std::uint8_t, FreeBytes>;

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
}

// Blanks at the ends do not count, nor do several in a row (RFC 4518, 2.6.1).
std::string squeeze(std::string_view text) {
    std::string out;
    for (const char byte : text)
        if (byte != ' ' || (!out.empty() && out.back() != ' ')) out += byte;
    if (out.ends_with(' ')) out.pop_back();
    return out;
}

std::string without_marks(const std::uint8_t* text, std::size_t size) {
    std::string out;
    for (std::size_t i = 0; i < size;) {
        ucs4_t point = 0;
        const int length = ::u8_mbtouc(&point, text + i, size - i);
        if (!::uc_is_general_category(point, UC_NON_SPACING_MARK))
            out.append(reinterpret_cast<const char*>(text + i), static_cast<std::size_t>(length));
        i += static_cast<std::size_t>(length);
    }
    return out;
}

// A value as a server that ignores case, accents and width compares it; nothing if it is no text.
std::optional<std::string> comparable(std::string_view value) {
    if (is_ascii(value)) return squeeze(mail::fold(value));
    const auto* text = reinterpret_cast<const std::uint8_t*>(value.data());
    if (::u8_check(text, value.size()) != nullptr) return std::nullopt;
    std::size_t size = 0;
    const Bytes folded(::u8_casefold(text, value.size(), nullptr, UNINORM_NFKD, nullptr, &size));
    if (!folded) return std::nullopt;
    return squeeze(without_marks(folded.get(), size));
}

struct Part {
    std::string type;
    std::optional<std::string> value;
    std::string raw;
    auto operator<=>(const Part&) const = default;
};
using Name = std::vector<Part>;  // of one level; more than one part is rare

struct FreeDn {
    void operator()(LDAPRDN* dn) const { ldap_dnfree(dn); }
};

// From the root downwards; nothing if it cannot be read.
std::optional<std::vector<Name>> take_apart(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) return std::nullopt;
    LDAPDN raw = nullptr;
    if (ldap_str2dn(std::string(text).c_str(), &raw, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS)
        return std::nullopt;
    const std::unique_ptr<LDAPRDN, FreeDn> dn(raw);
    std::vector<Name> names;
    for (std::size_t i = 0; raw != nullptr && raw[i] != nullptr; ++i) {
        Name name;
        for (std::size_t j = 0; raw[i][j] != nullptr; ++j) {
            const LDAPAVA& part = *raw[i][j];
            const std::string_view type(part.la_attr.bv_val, part.la_attr.bv_len);
            const std::string_view value(part.la_value.bv_val, part.la_value.bv_len);
            const bool binary = (part.la_flags & LDAP_AVA_BINARY) != 0;
            name.push_back({mail::fold(type), binary ? std::nullopt : comparable(value), std::string(value)});
        }
        std::sort(name.begin(), name.end());
        names.push_back(std::move(name));
    }
    std::reverse(names.begin(), names.end());
    return names;
}

// The short names of RFC 4514, section 3. "2.5.4.11" and "organizationalUnitName" are other spellings of
// "OU".
bool is_short_name(std::string_view type) {
    static constexpr std::array<std::string_view, 9> kNames{"cn", "ou", "dc",     "o",  "c",
                                                            "l",  "st", "street", "uid"};
    return std::find(kNames.begin(), kNames.end(), type) != kNames.end();
}

Place compare(const Part& a, const Part& b) {
    if (a.type != b.type)
        return is_short_name(a.type) && is_short_name(b.type) ? Place::elsewhere : Place::unknown;
    if (a.raw == b.raw || (a.value && a.value == b.value)) return Place::below;
    const bool plain = a.value && b.value && is_ascii(*a.value) && is_ascii(*b.value);
    return plain ? Place::elsewhere : Place::unknown;
}

Place compare(const Name& a, const Name& b) {
    if (a.size() != b.size()) return Place::elsewhere;
    Place sum = Place::below;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const Place one = compare(a[i], b[i]);
        if (one == Place::elsewhere && a.size() == 1) return one;
        // The order of several parts is ours: a difference is one for sure only if there is nothing to order.
        if (one != Place::below) sum = Place::unknown;
    }
    return sum;
}

}  // namespace

Place place_of(std::string_view dn, std::string_view base) {
    const auto inner = take_apart(dn);
    const auto outer = take_apart(base);
    if (!inner || !outer) return Place::unknown;
    if (inner->size() < outer->size()) return Place::elsewhere;
    Place sum = Place::below;
    for (std::size_t i = 0; i < outer->size(); ++i) {
        const Place one = compare((*inner)[i], (*outer)[i]);
        if (one == Place::elsewhere) return one;
        if (one == Place::unknown) sum = one;
    }
    return sum;
}

}  // namespace postcensus::directory
