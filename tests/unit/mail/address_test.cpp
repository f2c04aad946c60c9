// SPDX-License-Identifier: MIT
#include "mail/address.h"

#include <string>

#include "catch.h"

using postcensus::mail::Address;
using postcensus::mail::fold;
using postcensus::mail::valid_domain;

namespace {

std::string internal(std::string_view text) {
    const auto address = Address::from_internal(text);
    return address ? address->text() : "none";
}
std::string external(std::string_view text) {
    const auto address = Address::from_external(text);
    return address ? address->text() : "none";
}
std::string key(std::string_view text) {
    const auto address = Address::from_internal(text);
    return address ? address->external() : "none";
}

}  // namespace

TEST_CASE("an address is folded, and the last @ divides it", "[mail][address]") {
    const auto address = Address::from_internal("John.Smith@Corp.Example");
    REQUIRE(address);
    CHECK(address->text() == "john.smith@corp.example");
    CHECK(address->local() == "john.smith");
    CHECK(address->domain() == "corp.example");
    CHECK(*address == *Address::from_external("JOHN.SMITH@corp.example"));
    CHECK(internal("a@b@corp.example") == "a@b@corp.example");
    CHECK(Address::from_internal("a@b@corp.example")->local() == "a@b");
    CHECK(internal("x@corp.example.") == "x@corp.example");
    CHECK(internal("MÜLLER@corp.example") == "müller@corp.example");
}

TEST_CASE("what could be a wildcard or break a table line is no address", "[mail][address]") {
    for (const char* text :
         {"", "@", "a", "a@", "@corp.example", "a@.", "a@b..c", "a@.b", "a@b c", "a@b\n", "a\nb@c", "a\x01@c",
          "a\xff@c", "a\xe2\x80\xae@c", "a@[192.0.2.1]", "a@b>c", "a@b/c", "a\x7f@c"}) {
        INFO(text);
        CHECK(internal(text) == "none");
    }
    CHECK(internal(std::string("a\0b@c", 5)) == "none");
    CHECK(external("\"\"@corp.example") == "none");
}

TEST_CASE("a local part may be long, an address 500 bytes", "[mail][address]") {
    const std::string local(500 - 1 - 255, 'x');
    const std::string label(63, 'd');
    const std::string domain = label + "." + label + "." + label + "." + label;
    CHECK(internal(local + "@" + domain) == local + "@" + domain);
    CHECK(internal(local + "x@" + domain) == "none");
    CHECK(internal("a@" + label + "d.example") == "none");
    CHECK(internal("a@" + domain + ".x") == "none");
    CHECK(internal("a@" + domain + ".") == "a@" + domain);
    for (const char* real :
         {"list-confirm+0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef@corp.example",
          "imceaex-_o=corp_ou=exchange+20administrative+20group+20+28fydibohf23spdlt+29_cn=recipients_cn="
          "anna@corp."
          "example",
          "srs0=hhhh=tt=some-rather-long-domain-of-a-sender.example=and-a-long-local-part-of-him@corp."
          "example"}) {
        INFO(real);
        CHECK(internal(real) == real);
        CHECK(external(real) == real);
        CHECK(Address::from_internal(real)->fits_table());
    }
}

TEST_CASE("a key that is too long for a table does not stop the publication of all", "[mail][address]") {
    const auto fits = [](std::size_t local, char byte) {
        return Address::from_internal(std::string(local, byte) + "@corp.example")->fits_table();
    };
    CHECK(fits(485, 'x'));
    CHECK_FALSE(fits(486, 'x'));
    // Quotes double what they quote.
    CHECK(fits(241, '"'));
    CHECK_FALSE(fits(242, '"'));
    // The other form of a domain is a key as well, and may be longer.
    const std::string domain = "xn--" + std::string(50, 'a') + "-9ja.example";
    if (const auto address = Address::from_internal(std::string(440, 'x') + "@" + domain); address)
        for (const std::string& form : address->external_forms())
            CHECK((form.size() <= 498 || !address->fits_table()));
}

TEST_CASE("the quoted form is read and written", "[mail][address]") {
    CHECK(external("\"j smith\"@corp.example") == "j smith@corp.example");
    CHECK(external("\"a\\\"b\\\\c\"@corp.example") == "a\"b\\c@corp.example");
    CHECK(external("\"a@b\"@corp.example") == "a@b@corp.example");
    CHECK(external("\"plain\"@corp.example") == "plain@corp.example");
    CHECK(external("\"x> to=<v\"@corp.example") == "x> to=<v@corp.example");
    for (const char* text :
         {"\"a@corp.example", "\"a\"", "\"a\"@", "\"a\"b@corp.example", "\"a\\", "\"a\"@b@c",
          "j smith@corp.example", ".a@corp.example", "a.@corp.example", "a..b@corp.example",
          "a@b@corp.example", "a\"b@corp.example", "<a@corp.example>", "a,b@corp.example"}) {
        INFO(text);
        CHECK(external(text) == "none");
    }
    CHECK(key("plain.one+x@corp.example") == "plain.one+x@corp.example");
    CHECK(key("j smith@corp.example") == "\"j smith\"@corp.example");
    CHECK(key("a\"b\\c@corp.example") == "\"a\\\"b\\\\c\"@corp.example");
    CHECK(key(".dot@corp.example") == "\".dot\"@corp.example");
    CHECK(key("dot.@corp.example") == "\"dot.\"@corp.example");
    CHECK(key("a@b@corp.example") == "\"a@b\"@corp.example");
    CHECK(key("müller@corp.example") == "müller@corp.example");
}

TEST_CASE("writing and reading an address gives it back", "[mail][address]") {
    for (int byte = 0x20; byte < 0x7f; ++byte) {
        const std::string text =
            std::string("a") + fold(std::string(1, static_cast<char>(byte))) + "b@corp.example";
        INFO(text);
        const auto address = Address::from_internal(text);
        REQUIRE(address);
        const auto again = Address::from_external(address->external());
        REQUIRE(again);
        CHECK(again->text() == text);
    }
}

TEST_CASE("an address knows what it needs", "[mail][address]") {
    CHECK(Address::from_internal("a@corp.example")->is_ascii());
    CHECK_FALSE(Address::from_internal("müller@corp.example")->is_ascii());
    CHECK(Address::from_internal("a@bücher.example")->is_ascii());
    CHECK(Address::from_internal("a#@corp.example")->fits_table());
    CHECK_FALSE(Address::from_internal("#a@corp.example")->fits_table());
    CHECK(*Address::from_internal("a@corp.example") < *Address::from_internal("b@corp.example"));
}

TEST_CASE("domains are checked label by label", "[mail][address]") {
    CHECK(valid_domain("Corp.Example") == "corp.example");
    CHECK(valid_domain("corp.example.") == "corp.example");
    CHECK(valid_domain("localhost") == "localhost");
    CHECK(valid_domain("_x.corp-1.example") == "_x.corp-1.example");
    CHECK(valid_domain("bücher.example") == "xn--bcher-kva.example");
    for (const char* text : {"", ".", "..", ".corp", "a..b", "corp.example..", "a b", "a@b", "a*", "a,b"}) {
        INFO(text);
        CHECK_FALSE(valid_domain(text));
    }
}

TEST_CASE("a domain in either form is one domain, and is published in both", "[mail][address]") {
    using Texts = std::vector<std::string>;
    for (const char* text : {"Anna@BÜCHER.example", "anna@bücher.example", "anna@XN--BCHER-KVA.example"}) {
        INFO(text);
        const auto address = Address::from_internal(text);
        REQUIRE(address);
        CHECK(address->text() == "anna@xn--bcher-kva.example");
        CHECK(address->external_forms() == Texts{"anna@xn--bcher-kva.example", "anna@bücher.example"});
    }
    CHECK(Address::from_external("\"j smith\"@bücher.example")->external_forms() ==
          Texts{"\"j smith\"@xn--bcher-kva.example", "\"j smith\"@bücher.example"});
    CHECK(Address::from_internal("a@corp.example")->forms() == Texts{"a@corp.example"});
    // What only looks like an ASCII form has no other one.
    CHECK(postcensus::mail::domain_forms("xn--.example") == Texts{"xn--.example"});
    // Written like a label of IDNA, and none: in UTF-8 it would be another domain.
    CHECK(postcensus::mail::domain_forms("xn--bcher-kvaxe.ample").size() == 1);
    CHECK_FALSE(valid_domain("\u00fc\u2028.example"));
}

TEST_CASE("a local part folds as Postfix folds it with SMTPUTF8", "[mail][address]") {
    CHECK(Address::from_internal("STRASSE@corp.example") == Address::from_internal("strasse@corp.example"));
    CHECK(Address::from_internal("ÅNGSTRÖM@corp.example")->text() == "ångström@corp.example");
    CHECK(Address::from_internal("Straße@corp.example")->text() == "strasse@corp.example");
    // Folding may make it longer than an address may be.
    std::string longest;
    for (int i = 0; i < 240; ++i) longest += "\u0130";  // two bytes; three folded
    CHECK_FALSE(Address::from_internal(longest + "@corp.example"));
}
