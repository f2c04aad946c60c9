// SPDX-License-Identifier: MIT
#include "postfix/next_hop.h"

#include <fstream>

#include "base/file.h"
#include "catch.h"
#include "postfix/lookup.h"

using namespace postcensus;
using namespace postcensus::postfix;

namespace {

mail::Address address(std::string_view text) {
    return mail::Address::from_internal(text).value();
}

using Hosts = std::vector<Host>;
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("lists of main.cf", "[postfix][lookup]") {
    CHECK(split_list(" a, b\n\tc,,d ") == Texts{"a", "b", "c", "d"});
    CHECK(split_list("inline:{ a=b, {c=d e} } x") == Texts{"inline:{ a=b, {c=d e} }", "x"});
    CHECK(tables_in("corp.example, hash:/a proxy:mysql:/b !x, /file") == Texts{"hash:/a", "mysql:/b"});
    CHECK(is_pattern_table("pcre:/a"));
    CHECK(is_pattern_table("regexp:/a"));
    CHECK_FALSE(is_pattern_table("lmdb:/pcre:"));
}

TEST_CASE("the hosts that a transport names", "[postfix][next_hop]") {
    CHECK(hosts_of("relay:[ex1.corp.example]:2525") == Hosts{{"ex1.corp.example", 2525}});
    CHECK(hosts_of("smtp:[192.0.2.1]") == Hosts{{"192.0.2.1", 25}});
    CHECK(hosts_of("smtp:[ipv6:2001:db8::1]:2525") == Hosts{{"2001:db8::1", 2525}});
    CHECK(hosts_of("smtp:[2001:db8::1]") == Hosts{{"2001:db8::1", 25}});
    CHECK(hosts_of("exchange:ex1.corp.example:2525") == Hosts{{"ex1.corp.example", 2525}});
    CHECK(hosts_of("relay:[ex1]:2525, [ex2]:smtp") == Hosts{{"ex1", 2525}, {"ex2", 25}});
    CHECK(hosts_of(":[ex1]:2525") == Hosts{{"ex1", 2525}});
    CHECK(hosts_of("smtp:inet:[ex1]:2525") == Hosts{{"ex1", 2525}});
    for (const char* text :
         {"", ":", "relay", "relay:", "relay:ex1]:25", "re[lay:ex1]:25", "relay:[e[x]", "relay:{ex1}",
          "error:5.1.1 no such domain", "discard:", "lmtp:unix:private/x", "smtp:unix:/x", "relay:[ex1",
          "relay:[ex1]x", "relay:ex1:nonsense", "relay:ex1:0", "relay:ex1:65536", "relay:[]:25"}) {
        CAPTURE(text);
        CHECK(hosts_of(text).empty());
    }
}

TEST_CASE("the keys that Postfix asks a transport table for", "[postfix][next_hop]") {
    CHECK(transport_keys(address("anna+x@mail.corp.example"), Extensions("+")) ==
          Texts{"anna+x@mail.corp.example", "anna@mail.corp.example", "mail.corp.example", ".corp.example",
                ".example", "*"});
    CHECK(transport_keys(address("anna+x@example"), Extensions("")) ==
          Texts{"anna+x@example", "example", "*"});
    CHECK(transport_keys(address("+x@example"), Extensions("+")) == Texts{"+x@example", "example", "*"});
    CHECK(transport_keys(address("a b@example"), Extensions("+")) == Texts{"example", "*"});
}

TEST_CASE("Postfix's own tables are asked", "[postfix][next_hop]") {
    const TempFolder folder = TempFolder::create(std::filesystem::temp_directory_path(), "next-hop").value();
    const auto write = [&](const std::string& name, const std::string& text) {
        std::ofstream(folder.path() / name) << text;
    };
    const std::string at = folder.path().string();
    write("verify", "special@corp.example relay:[special]:2525\n.corp.example relay:[parent]:2525\n");
    write("second", "corp.example relay:[ex1]:2525\nsub.corp.example relay:[sub]:25\n");
    write("patterns", "/^pat.*@corp\\.example$/ relay:[pattern]:2525\n/^corp/ relay:[wrong]:25\n");
    const auto main_cf = [&](const std::string& maps, const std::string& more = "") {
        write("main.cf",
              "compatibility_level = 3.6\nmyhostname = gw.corp.example\nrecipient_delimiter = +\n"
              "address_verify_transport_maps = " +
                  maps + "\n" + more);
    };
    const auto find = [&](const std::string& text) {
        const auto hops = NextHops::open(folder.path());
        REQUIRE(hops);
        return hops->find(address(text));
    };
    main_cf("texthash:" + at + "/verify, regexp:" + at + "/patterns, texthash:" + at + "/second");
    CHECK(find("anna@corp.example").value() == Hosts{{"ex1", 2525}});
    CHECK(find("special@corp.example").value() == Hosts{{"special", 2525}});
    CHECK(find("special+x@corp.example").value() == Hosts{{"special", 2525}});
    CHECK(find("pat@corp.example").value() == Hosts{{"pattern", 2525}});
    CHECK(find("a@sub.corp.example").value() == Hosts{{"sub", 25}});
    CHECK(find("a@other.corp.example").value() == Hosts{{"parent", 2525}});
    CHECK(find("a@elsewhere.example").value().empty());
    main_cf("texthash:" + at + "/verify", "relay_transport = relay:[default]:2525\n");
    CHECK(find("a@elsewhere.example").value() == Hosts{{"default", 2525}});
    // A table that cannot be asked is no table without an entry.
    main_cf("texthash:" + at + "/verify, texthash:" + at + "/missing",
            "relay_transport = relay:[default]:2525\n");
    const auto failed = find("special@corp.example");
    REQUIRE_FALSE(failed);
    CHECK(failed.error().message.find("missing") != std::string::npos);
}
