// SPDX-License-Identifier: MIT
// A recipient address as Postfix looks it up: one local part, one domain, both folded as Postfix folds them.
// An Address that exists is valid: bounded (500 bytes, its domain 255; RFC 5321, 4.5.3.1), of printable
// UTF-8, and never with an empty local part (published unquoted, that would be a wildcard for the whole
// domain). A domain with other than ASCII letters is kept in its ASCII form (IDNA 2008, RFC 5891: A-labels),
// in whichever form it came.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postcensus::mail {

inline constexpr std::size_t kLongestAddress = 500;  // in bytes, in the internal form

class Address {
  public:
    // From the internal form, without quoting: what a directory holds: `j smith@corp.example`. The last @
    // divides.
    static std::optional<Address> from_internal(std::string_view text);

    // From the quoted form of RFC 5321, as Postfix logs and postmap reads it: `"j smith"@corp.example`.
    static std::optional<Address> from_external(std::string_view text);

    // What text() gave, and we have kept: it is not looked at again. Nothing if there is no @ in it.
    static std::optional<Address> from_stored(std::string text);

    // The internal form, folded. Two addresses are the same recipient if these are equal.
    const std::string& text() const { return text_; }
    std::string_view local() const { return std::string_view(text_).substr(0, at_); }
    std::string_view domain() const { return std::string_view(text_).substr(at_ + 1); }

    // The quoted form: the key of a lookup table, the argument of RCPT TO.
    std::string external() const;

    // The internal and the quoted form with each form of the domain: mail comes under both.
    std::vector<std::string> forms() const;
    std::vector<std::string> external_forms() const;

    // Whether the key survives a table: postmap(1) takes a line that starts with # for a comment, and one key
    // that is too long would stop the publication of all.
    bool fits_table() const;

    // True if all of it is ASCII; else RCPT TO needs SMTPUTF8 (RFC 6531).
    bool is_ascii() const;

    auto operator<=>(const Address& other) const { return text_ <=> other.text_; }
    bool operator==(const Address& other) const { return text_ == other.text_; }

  private:
    static std::optional<Address> from_plain(std::string_view text);
    Address(std::string text, std::size_t at) : text_(std::move(text)), at_(at) {}
    std::string text_;
    std::size_t at_;
};

// A local part as it stands in the quoted form.
std::string quoted_local(std::string_view local);
void append_quoted_local(std::string& out, std::string_view local);

// Lower case for ASCII, and nothing else.
std::string fold(std::string_view text);

// A domain folded, in its ASCII form, without a final dot; nothing if it cannot be one.
std::optional<std::string> valid_domain(std::string_view text);

// A valid domain, and its form in UTF-8 if it has one.
std::vector<std::string> domain_forms(const std::string& domain);

}  // namespace postcensus::mail
