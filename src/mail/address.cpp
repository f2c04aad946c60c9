// SPDX-License-Identifier: MIT
#include "mail/address.h"

#include <idn2.h>
#include <unicase.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/printable.h"

namespace postcensus::mail {
namespace {

// RFC 5321, 4.5.3.1, has 64, and asks not to impose it: addresses of Mailman, of SRS and of Exchange itself
// (IMCEAEX-…) are longer.
constexpr std::size_t kLongestLocal = kLongestAddress - 1 - 1;
constexpr std::size_t kLongestDomain = 255;
// What lmdb takes for a key, less the byte that postmap(1) adds; and what a RCPT TO line of 512 bytes has
// room for.
constexpr std::size_t kLongestKey = 498;

bool is_letter_or_digit(unsigned char byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

// atext of RFC 5322, and UTF-8 as RFC 6532 adds it.
bool is_atext(unsigned char byte) {
    return is_letter_or_digit(byte) || byte >= 0x80 ||
           std::string_view("!#$%&'*+-/=?^_`{|}~").find(static_cast<char>(byte)) != std::string_view::npos;
}

bool is_dot_atom(std::string_view local) {
    if (local.empty() || local.front() == '.' || local.back() == '.' ||
        local.find("..") != std::string_view::npos)
        return false;
    return std::all_of(local.begin(), local.end(),
                       [](char byte) { return byte == '.' || is_atext(static_cast<unsigned char>(byte)); });
}

bool all_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
}

struct Free {
    void operator()(void* memory) const { std::free(memory); }
};
using TextPtr = std::unique_ptr<char, Free>;
using BytesPtr = std::unique_ptr<std::uint8_t, Free>;

// Postfix folds with full Unicode case folding where it speaks SMTPUTF8 (casefold.c), else ASCII alone.
std::string fold_local(std::string_view local) {
    if (all_ascii(local)) return fold(local);
    std::size_t size = 0;
    const BytesPtr folded(u8_casefold(reinterpret_cast<const std::uint8_t*>(local.data()), local.size(),
                                      nullptr, nullptr, nullptr, &size));
    return folded ? std::string(reinterpret_cast<const char*>(folded.get()), size) : std::string{};
}

// No control character may reach a table, a log or an SMTP command.
bool valid_local(std::string_view local) {
    return !local.empty() && local.size() <= kLongestLocal && is_printable(local);
}

std::optional<std::string> to_ascii_domain(std::string_view text) {
    if (all_ascii(text)) return fold(text);
    char* raw = nullptr;
    const std::string terminated(text);
    const int result =
        idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(terminated.c_str()),
                       reinterpret_cast<std::uint8_t**>(&raw), IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    const TextPtr owner(raw);
    if (result != IDN2_OK) return std::nullopt;
    return fold(raw);
}

}  // namespace

void append_quoted_local(std::string& out, std::string_view local) {
    if (is_dot_atom(local)) {
        out += local;
        return;
    }
    out += '"';
    for (const char byte : local) {
        if (byte == '"' || byte == '\\') out += '\\';
        out += byte;
    }
    out += '"';
}

std::string quoted_local(std::string_view local) {
    std::string out;
    append_quoted_local(out, local);
    return out;
}

std::string fold(std::string_view text) {
    std::string out(text);
    for (char& byte : out)
        if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte - 'A' + 'a');
    return out;
}

std::optional<std::string> valid_domain(std::string_view text) {
    if (!text.empty() && text.back() == '.') text.remove_suffix(1);
    if (text.empty() || text.size() > kLongestDomain || !is_printable(text)) return std::nullopt;
    auto ascii = to_ascii_domain(text);
    if (!ascii || ascii->size() > kLongestDomain) return std::nullopt;
    std::string out = *std::move(ascii);
    std::size_t label = 0;
    for (const char byte : out) {
        const auto unsigned_byte = static_cast<unsigned char>(byte);
        if (byte == '.' ? label == 0 : !(is_letter_or_digit(unsigned_byte) || byte == '-' || byte == '_'))
            return std::nullopt;
        label = byte == '.' ? 0 : label + 1;
        if (label > 63) return std::nullopt;
    }
    if (label == 0) return std::nullopt;
    return out;
}

// Nearly every address is plain ASCII with an ordinary domain: one look and one string for it. Nothing is
// said of all others.
std::optional<Address> Address::from_plain(std::string_view text) {
    if (text.size() > kLongestAddress) return std::nullopt;
    std::string out(text.size(), '\0');
    std::size_t at = std::string_view::npos;
    std::size_t label = 0;  // its length, behind the last @ so far
    bool domain = true;     // what stands there can be one
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char byte = text[i];
        if (byte < ' ' || byte >= 0x7F) return std::nullopt;
        out[i] = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
        if (byte == '@') {
            at = i;
            label = 0;
            domain = true;
        } else if (byte == '.') {
            domain = domain && label > 0;
            label = 0;
        } else {
            domain = domain && ++label <= 63 &&
                     (is_letter_or_digit(static_cast<unsigned char>(byte)) || byte == '-' || byte == '_');
        }
    }
    if (at == std::string_view::npos || at == 0 || !domain || label == 0 ||
        text.size() - at - 1 > kLongestDomain)
        return std::nullopt;
    return Address(std::move(out), at);
}

std::optional<Address> Address::from_internal(std::string_view text) {
    if (auto plain = from_plain(text)) return plain;
    const std::size_t at = text.rfind('@');
    if (at == std::string_view::npos || !valid_local(text.substr(0, at))) return std::nullopt;
    const auto domain = valid_domain(text.substr(at + 1));
    std::string local = fold_local(text.substr(0, at));
    if (!domain || local.empty() || local.size() + 1 + domain->size() > kLongestAddress) return std::nullopt;
    const std::size_t length = local.size();
    return Address(std::move(local) + "@" + *domain, length);
}

std::optional<Address> Address::from_external(std::string_view text) {
    if (text.empty() || text.front() != '"') {
        const std::size_t at = text.rfind('@');
        if (at == std::string_view::npos || !is_dot_atom(text.substr(0, at))) return std::nullopt;
        return from_internal(text);
    }
    std::string local;
    std::size_t i = 1;
    for (; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\' && ++i == text.size()) return std::nullopt;
        local += text[i];
    }
    if (i + 1 >= text.size() || text[i + 1] != '@') return std::nullopt;
    const std::string_view domain = text.substr(i + 2);
    if (domain.find('@') != std::string_view::npos) return std::nullopt;
    return from_internal(local + "@" + std::string(domain));
}

std::optional<Address> Address::from_stored(std::string text) {
    const std::size_t at = text.rfind('@');
    if (at == std::string::npos) return std::nullopt;
    return Address(std::move(text), at);
}

bool Address::fits_table() const {
    // Nearly all are so short that no quotes and no other form of the domain make them too long.
    if (text_.front() == '#') return false;
    if (text_.size() <= kLongestKey / 4) return true;
    const std::vector<std::string> forms = external_forms();
    return std::all_of(forms.begin(), forms.end(),
                       [](const std::string& form) { return form.size() <= kLongestKey; });
}

std::string Address::external() const {
    return quoted_local(local()) + "@" + std::string(domain());
}

std::vector<std::string> Address::forms() const {
    std::vector<std::string> all = domain_forms(std::string(domain()));
    for (std::string& form : all) form.insert(0, std::string(local()) + "@");
    return all;
}

std::vector<std::string> Address::external_forms() const {
    std::vector<std::string> all = domain_forms(std::string(domain()));
    for (std::string& form : all) form.insert(0, quoted_local(local()) + "@");
    return all;
}

bool Address::is_ascii() const {
    return all_ascii(text_);
}

std::vector<std::string> domain_forms(const std::string& domain) {
    std::vector<std::string> forms{domain};
    if (domain.find("xn--") == std::string::npos) return forms;
    char* raw = nullptr;
    const int result = idn2_to_unicode_8z8z(domain.c_str(), &raw, 0);
    const TextPtr owner(raw);
    // What is written like a label of IDNA 2008 may be none: its other form would be another domain's.
    if (result == IDN2_OK && domain != raw && valid_domain(raw) == domain) forms.emplace_back(raw);
    return forms;
}

}  // namespace postcensus::mail
