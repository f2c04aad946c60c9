// SPDX-License-Identifier: MIT
#include "census/listing.h"

#include <algorithm>

#include "catch.h"

using namespace postcensus;
using namespace postcensus::census;

namespace {

std::vector<std::string> texts(const Listing& listing) {
    std::vector<std::string> all;
    for (const mail::Address& address : listing.addresses) all.push_back(address.text());
    return all;
}

Listing judge_proxies(std::vector<std::string> proxies) {
    return judge({.proxy_addresses = std::move(proxies)}, {});
}

}  // namespace

TEST_CASE("which values are addresses", "[census][listing]") {
    using Texts = std::vector<std::string>;
    struct Case {
        const char* name;
        Texts proxies;
        Texts addresses;
        std::size_t invalid;
    };
    const std::vector<Case> cases{
        {"none", {}, {}, 0},
        {"primary and other",
         {"SMTP:A@Corp.Example", "smtp:b@corp.example"},
         {"a@corp.example", "b@corp.example"},
         0},
        {"a prefix in any case", {"sMtP:a@corp.example"}, {"a@corp.example"}, 0},
        {"other kinds", {"X500:/o=Corp/cn=a", "SIP:a@corp.example", "x400:c=US", "smtp"}, {}, 0},
        {"sorted, each once",
         {"smtp:b@c.example", "SMTP:a@c.example", "smtp:B@c.example"},
         {"a@c.example", "b@c.example"},
         0},
        {"a blank within", {"smtp:j smith@corp.example"}, {"j smith@corp.example"}, 0},
        {"no address",
         {"smtp:", "smtp:nobody", "smtp:@corp.example", "smtp:a@corp.example"},
         {"a@corp.example"},
         3},
        {"a comment in a table", {"smtp:#a@corp.example"}, {}, 1},
        {"a control character", {"smtp:a\n@corp.example", std::string("smtp:b\0@corp.example", 21)}, {}, 2},
        {"too long", {"smtp:" + std::string(500, 'a') + "@corp.example"}, {}, 1},
        {"beyond ASCII", {"smtp:j\xC3\xB6rg@corp.example"}, {"j\xC3\xB6rg@corp.example"}, 0},
        {"not UTF-8", {"smtp:j\xF6rg@corp.example"}, {}, 1},
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        const Listing listing = judge_proxies(one.proxies);
        CHECK(texts(listing) == one.addresses);
        CHECK(listing.invalid == one.invalid);
        CHECK_FALSE(listing.closed);
    }
}

TEST_CASE("mail counts where the operator says so, and nothing else is there", "[census][listing]") {
    const DirectoryObject only_mail{.mail = {"a@corp.example"}};
    CHECK(judge(only_mail, {}).addresses.empty());
    CHECK(texts(judge(only_mail, {PlainAddresses::alone})) == std::vector<std::string>{"a@corp.example"});
    const DirectoryObject both{.proxy_addresses = {"SMTP:b@corp.example"}, .mail = {"a@corp.example"}};
    CHECK(texts(judge(both, {PlainAddresses::alone})) == std::vector<std::string>{"b@corp.example"});
    const DirectoryObject not_mail{.mail = {"see the intranet"}};
    CHECK(judge(not_mail, {PlainAddresses::alone}).invalid == 1);
}

TEST_CASE("what is Exchange's own is nobody's mailbox", "[census][listing]") {
    struct Case {
        std::optional<std::int64_t> kind;
        bool listed;
    };
    const std::vector<Case> cases{{std::nullopt, true},  {1, true},           {4, true},
                                  {2147483648, true},    {8192, false},       {16384, false},
                                  {8388608, false},      {16777216, false},   {536870912, false},
                                  {549755813888, false}, {8192 + 16384, true}};
    for (const Case& one : cases) {
        CAPTURE(one.kind.value_or(0));
        const DirectoryObject object{.guid = "g",
                                     .dn = "cn=a",
                                     .proxy_addresses = {"SMTP:a@corp.example"},
                                     .recipient_type_details = one.kind};
        const Listing listing = judge(object, {});
        CHECK(listing.addresses.size() == (one.listed ? 1 : 0));
        CHECK(listing.guid == "g");
        CHECK(listing.dn == "cn=a");
    }
}

TEST_CASE("a name is made printable and bounded", "[census][listing]") {
    const Listing listing =
        judge({.guid = std::string("\0\x1b", 2), .dn = "cn=\x1b[2J" + std::string(5000, 'a')}, {});
    CHECK(listing.dn.find('\x1b') == std::string::npos);
    CHECK(listing.dn.size() < 1100);
    CHECK(listing.guid == std::string("\0\x1b", 2));
}

TEST_CASE("the digest changes with what decides, and with nothing else", "[census][listing]") {
    const DirectoryObject object{
        .guid = "g", .dn = "cn=a", .proxy_addresses = {"SMTP:a@corp.example", "smtp:b@corp.example"}};
    const std::uint64_t digest = judge(object, {}).digest();

    DirectoryObject moved = object;
    moved.dn = "cn=a,ou=elsewhere";
    moved.guid = "h";
    moved.mail = {"c@corp.example"};
    moved.recipient_type_details = 1;
    std::reverse(moved.proxy_addresses.begin(), moved.proxy_addresses.end());
    moved.proxy_addresses.emplace_back("X500:/o=corp");
    CHECK(judge(moved, {}).digest() == digest);

    DirectoryObject closed = object;
    closed.requires_authentication = true;
    CHECK(judge(closed, {}).closed);
    CHECK(judge(closed, {}).digest() != digest);

    DirectoryObject more = object;
    more.proxy_addresses.emplace_back("smtp:c@corp.example");
    CHECK(judge(more, {}).digest() != digest);

    DirectoryObject system = object;
    system.recipient_type_details = 8192;
    CHECK(judge(system, {}).digest() != digest);
    CHECK(judge_proxies({"smtp:ab@c.example"}).digest() != judge_proxies({"smtp:a@c.example"}).digest());
}
