// SPDX-License-Identifier: MIT
#include "census/mistyped.h"

#include "catch.h"
#include "census/listing.h"

using namespace postcensus;
using namespace postcensus::census;

TEST_CASE("values that people mistyped are named, and nothing is guessed", "[census][mistyped]") {
    struct Case {
        const char* value;
        const char* address;  // empty: none
        const char* why;      // a part of it; empty: it is no flaw
    };
    const Case cases[] = {
        {"smtp:a@corp.example", "a@corp.example", ""},
        // A blank at either end is the one guess.
        {"smtp: a@corp.example", "a@corp.example", ""},
        {"SMTP:a@corp.example \t", "a@corp.example", ""},
        {"  smtp:a@corp.example", "a@corp.example", ""},
        {"smtp:j smith@corp.example", "j smith@corp.example", ""},
        {"smtp:\"a@b\"@corp.example", "\"a@b\"@corp.example", ""},
        // Other types.
        {"X500:/o=Corp/cn=a@b", "", ""},
        {"SIP:a@corp.example", "", ""},
        {"x400:c=US", "", ""},
        {"EUM:1@corp.example;phone-context=x", "", ""},
        {"smtp", "", ""},
        // Mistyped.
        {"smtp:", "", "no address"},
        {"smtp:  ", "", "no address"},
        {"smtp:nobody", "", "no domain"},
        {"smtp:nobody@", "", "no domain"},
        {"smtp:@corp.example", "", "before the @"},
        {"smtp:a@@corp.example", "", "two @"},
        {"smtp:a@corp.example,b@corp.example", "", "two addresses"},
        {"smtp:a@corp.example; smtp:b@corp.example", "", "two addresses"},
        {"smtp:a@corp.example b@corp.example", "", "two addresses"},
        {"smtp:a@corp.example;", "", "no valid"},
        {"smtp:<a@corp.example>", "", "no valid"},
        {"smtp:a@corp.example.", "", "dot"},
        {"smtp:a@corp..example", "", "no valid"},
        {"smtp:a @corp.example", "", "beside the @"},
        {"smtp:a@ corp.example", "", "beside the @"},
        {"smtp:mailto:a@corp.example", "", "another type"},
        {"smtp:SMTP:a@corp.example", "", "another type"},
        {"mailto:a@corp.example", "", "type"},
        {"smpt:a@corp.example", "", "type"},
        {"smtp :a@corp.example", "", "type"},
        {"\xC2\xA0smtp:a@corp.example", "", "type"},
        {"smtp;a@corp.example", "", "no type"},
        {"a@corp.example", "", "no type"},
        {"smtp:\xC2\xA0"
         "a@corp.example",
         "", "invisible"},
        {"smtp:a@corp.example\xE2\x80\x8B", "", "invisible"},
        {"smtp:a\xEF\xBB\xBF@corp.example", "", "invisible"},
        {"smtp:a\xC2\xAD"
         "b@corp.example",
         "", "invisible"},
        {"smtp:a\xE2\x80\x8E@corp.example", "", "invisible"},
        {"smtp:a\xE3\x80\x80@corp.example", "", "invisible"},
        {"smtp:a\xF6@corp.example", "", "no printable"},
        {"smtp:a\n@corp.example", "", "no printable"},
        {"smtp:#a@corp.example", "", "#"},
    };
    for (const Case& one : cases) {
        CAPTURE(one.value);
        const Listing listing = judge({.guid = "g", .dn = "cn=a", .proxy_addresses = {one.value}}, {});
        CHECK(listing.addresses.size() == (*one.address != '\0' ? 1 : 0));
        if (!listing.addresses.empty()) CHECK(listing.addresses.front().text() == one.address);
        CHECK(listing.invalid == (*one.why != '\0' ? 1 : 0));
        if (listing.mistyped.empty()) continue;
        CHECK(listing.mistyped.front().why.find(one.why) != std::string::npos);
        CHECK(listing.mistyped.front().dn == "cn=a");
        CHECK(listing.mistyped.front().guid == "g");
    }
}

TEST_CASE("what is named is bounded and printable", "[census][mistyped]") {
    const DirectoryObject object{.proxy_addresses =
                                     std::vector<std::string>(500, "smtp:\x1b[2J" + std::string(5000, 'a'))};
    const Listing listing = judge(object, {});
    CHECK(listing.invalid == 500);
    CHECK(listing.mistyped.size() <= 10);
    CHECK(listing.mistyped.front().value.size() < 250);
    CHECK(listing.mistyped.front().value.find('\x1b') == std::string::npos);
    // What is mistyped changes no answer.
    CHECK(listing.digest() == judge({}, {}).digest());
    CHECK(judge({.mail = {"mailto:a@corp.example"}}, {PlainAddresses::counted}).mistyped.size() == 1);
}
