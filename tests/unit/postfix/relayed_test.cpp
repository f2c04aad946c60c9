// SPDX-License-Identifier: MIT
// With the real postmap(1).
#include "postfix/relayed.h"

#include <fstream>

#include "base/file.h"
#include "catch.h"

using namespace postcensus;
using namespace postcensus::postfix;

namespace {

struct Folder {
    TempFolder folder = TempFolder::create(std::filesystem::temp_directory_path(), "relayed").value();
    Folder() { write("main.cf", "compatibility_level = 3.6\n"); }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(folder.path() / name) << text;
        const auto time = std::filesystem::last_write_time(folder.path() / name);
        std::filesystem::last_write_time(folder.path() / name, time - std::chrono::seconds{10});
    }
    std::string at(const std::string& name) const { return (folder.path() / name).string(); }
};

}  // namespace

TEST_CASE("relay_domains is asked like Postfix asks it", "[postfix][relayed]") {
    const Folder folder;
    folder.write("table", "corp.example x\n.dotted.example x\n");
    folder.write("list", "file.example\nother.example\n");
    struct Case {
        std::string relay_domains;
        bool subdomains;
        std::vector<std::string> relayed, not_relayed;
    };
    for (const Case& one : std::vector<Case>{
             {"corp.example", true, {"corp.example", "sub.corp.example"}, {"notcorp.example", "example"}},
             {"corp.example", false, {"corp.example"}, {"sub.corp.example"}},
             {".corp.example", false, {"a.corp.example"}, {"corp.example"}},
             {"!sub.corp.example, corp.example", true, {"corp.example"}, {"sub.corp.example"}},
             {"CORP.example", true, {"corp.example"}, {}},
             {"texthash:" + folder.at("table"), true, {"corp.example", "a.corp.example"}, {"x.example"}},
             {"proxy:texthash:" + folder.at("table"),
              false,
              {"corp.example", "a.dotted.example"},
              {"a.corp.example", "dotted.example"}},
             {folder.at("list") + " corp.example", true, {"file.example", "corp.example"}, {"x.example"}},
             {"", true, {}, {"corp.example"}}}) {
        CAPTURE(one.relay_domains, one.subdomains);
        Snapshot snapshot;
        snapshot.parameters = {
            {"relay_domains", one.relay_domains},
            {"parent_domain_matches_subdomains", one.subdomains ? "mynetworks,relay_domains" : ""}};
        std::vector<std::string> asked = one.relayed;
        asked.insert(asked.end(), one.not_relayed.begin(), one.not_relayed.end());
        const auto answer = ask_relay_domains(folder.folder.path(), snapshot, asked);
        REQUIRE(answer);
        for (const std::string& domain : one.relayed) CHECK(answer->domains.at(domain));
        for (const std::string& domain : one.not_relayed) CHECK_FALSE(answer->domains.at(domain));
        CHECK(answer->in_tables == (one.relay_domains.find("texthash") != std::string::npos));
    }
    Snapshot snapshot;
    snapshot.parameters = {{"relay_domains", folder.at("list") + " !no.example .dot.example a.example"}};
    CHECK(ask_relay_domains(folder.folder.path(), snapshot, {})->named ==
          std::vector<std::string>{"file.example", "other.example", "a.example"});
    // A table that does not answer is no table without an entry.
    snapshot.parameters = {{"relay_domains", "texthash:" + folder.at("missing")}};
    CHECK_FALSE(ask_relay_domains(folder.folder.path(), snapshot, {"corp.example"}));
    snapshot.parameters = {{"relay_domains", folder.at("missing")}};
    CHECK_FALSE(ask_relay_domains(folder.folder.path(), snapshot, {"corp.example"}));
}

TEST_CASE("the transport of a domain", "[postfix][relayed]") {
    const Folder folder;
    folder.write("transport", "corp.example exch:[ex1]:2525\n.corp.example :[ex2]\nb.example smtp:\n");
    folder.write("patterns", "/@c\\.example$/ pat:[x]\n");
    Snapshot snapshot;
    snapshot.parameters = {
        {"relay_transport", "relay:[ex3]"},
        {"transport_maps", "texthash:" + folder.at("transport") + " regexp:" + folder.at("patterns")}};
    const auto found =
        find_transports(folder.folder.path(), snapshot,
                        {"corp.example", "sub.corp.example", "b.example", "c.example", "d.example"});
    REQUIRE(found);
    using Domains = std::vector<std::string>;
    CHECK(found->at("exch") == Domains{"corp.example"});
    CHECK(found->at("relay") == Domains{"d.example", "sub.corp.example"});
    CHECK(found->at("smtp") == Domains{"b.example"});
    CHECK(found->at("pat") == Domains{"c.example"});
    snapshot.parameters["transport_maps"] = "texthash:" + folder.at("missing");
    CHECK_FALSE(find_transports(folder.folder.path(), snapshot, {"corp.example"}));
}

TEST_CASE("aliases", "[postfix][relayed]") {
    const Folder folder;
    folder.write("virtual", "postmaster@corp.example a@corp.example\n@all.example b@corp.example\n");
    Snapshot snapshot;
    snapshot.parameters = {{"virtual_alias_maps", "texthash:" + folder.at("virtual")}};
    const auto found = find_aliases(folder.folder.path(), snapshot,
                                    {"postmaster@corp.example", "x@all.example", "x@corp.example"});
    REQUIRE(found);
    CHECK(*found == std::vector<std::string>{"postmaster@corp.example", "x@all.example"});
}
