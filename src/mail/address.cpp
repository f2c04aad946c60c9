// SPDX-License-Identifier: MIT
#include "mail/address.h"

#include <algorithm>

#include "base/printable.h"

namespace postcensus::mail {
namespace {

constexpr std::size_t kLongestLocal = 64;
constexpr std::size_t kLongestDomain = 255;

bool is_alnum(unsigned char byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

// atext of RFC 5322, and UTF-8 as RFC 6532 adds it.
bool is_atext(unsigned char byte) {
    return is_alnum(byte) || byte >= 0x80 ||
           std::string_view("!#$%&'*+-/=?^_`{|}~").find(static_cast<char>(byte)) != std::string_view::npos;
}

bool is_dot_atom(std::string_view local) {
    if (local.empty() || local.front() == '.' || local.back() == '.' ||
        local.find("..") != std::string_view::npos)
        return false;
    return std::all_of(local.begin(), local.end(),
                       [](char byte) { return byte == '.' || is_atext(static_cast<unsigned char>(byte)); });
}

// No control character may reach a table, a log or an SMTP command.
bool valid_local(std::string_view local) {
    return !local.empty() && local.size() <= kLongestLocal && printable(local) == local;
}

}  // namespace

std::string fold(std::string_view text) {
    std::string out(text);
    for (char& byte : out)
        if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte - 'A' + 'a');
    return out;
}

std::optional<std::string> valid_domain(std::string_view text) {
    if (!text.empty() && text.back() == '.') text.remove_suffix(1);
    if (text.empty() || text.size() > kLongestDomain || printable(text) != text) return std::nullopt;
    std::string out = fold(text);
    std::size_t label = 0;
    for (const char byte : out) {
        const auto unsigned_byte = static_cast<unsigned char>(byte);
        if (byte == '.' ? label == 0
                        : !(is_alnum(unsigned_byte) || byte == '-' || byte == '_' || unsigned_byte >= 0x80))
            return std::nullopt;
        label = byte == '.' ? 0 : label + 1;
        if (label > 63) return std::nullopt;
    }
    if (label == 0) return std::nullopt;
    return out;
}

std::optional<Address> Address::from_internal(std::string_view text) {
    const std::size_t at = text.rfind('@');
    if (at == std::string_view::npos || !valid_local(text.substr(0, at))) return std::nullopt;
    const auto domain = valid_domain(text.substr(at + 1));
    if (!domain) return std::nullopt;
    return Address(fold(text.substr(0, at)) + "@" + *domain, at);
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

std::string Address::external() const {
    if (is_dot_atom(local())) return text_;
    std::string out = "\"";
    for (const char byte : local()) {
        if (byte == '"' || byte == '\\') out += '\\';
        out += byte;
    }
    return out + "\"@" + std::string(domain());
}

bool Address::is_ascii() const {
    return std::all_of(text_.begin(), text_.end(),
                       [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
}

}  // namespace postcensus::mail
