// SPDX-License-Identifier: MIT
// With the real postmap(1).
#include "check/routing.h"

#include <fstream>

#include "base/file.h"
#include "catch.h"

using namespace postcensus;
using namespace postcensus::check;

namespace {

struct Folder {
    TempFolder folder = TempFolder::create(std::filesystem::temp_directory_path(), "routing").value();
    Folder() { write("main.cf", "compatibility_level = 3.6\n"); }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(folder.path() / name) << text;
        const auto time = std::filesystem::last_write_time(folder.path() / name);
        std::filesystem::last_write_time(folder.path() / name, time - std::chrono::seconds{10});
    }
    std::string at(const std::string& name) const { return (folder.path() / name).string(); }
};

}  // namespace

TEST_CASE("the transport of a domain", "[check][routing]") {
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

TEST_CASE("aliases", "[check][routing]") {
    const Folder folder;
    folder.write("virtual", "postmaster@corp.example a@corp.example\n@all.example b@corp.example\n");
    Snapshot snapshot;
    snapshot.parameters = {{"virtual_alias_maps", "texthash:" + folder.at("virtual")}};
    const auto found = find_aliases(folder.folder.path(), snapshot,
                                    {"postmaster@corp.example", "x@all.example", "x@corp.example"});
    REQUIRE(found);
    CHECK(*found == std::vector<std::string>{"postmaster@corp.example", "x@all.example"});
}
