// SPDX-License-Identifier: MIT
#include "audit/gather_report.h"

#include <algorithm>

#include "flow/town.h"

using namespace postcensus;
using namespace postcensus::audit;
using namespace postcensus::flow;
using namespace std::chrono_literals;

namespace {

class Audited : public Town {
  public:
    Audited() {
        configuration.state.path = state.path();
        for (config::Route& route : configuration.routes) route.callout.targets.push_back({"ex1", 2525});
        state.write([](Writer& writer) {
            replace_domains(writer, {{"c.example", "x", {}}, {"d.example", "x", {}}});
        });
    }
    census::Report report(const std::string& domain = {}) {
        auto made = gather_report(configuration,
                                  {.since = now - 24h, .until = now + 1s, .now = now, .domain = domain});
        REQUIRE(made);
        return *std::move(made);
    }
    // What it says of a kind of attention.
    std::string attention(const std::string& what) {
        for (const census::Attention& one : report().attention)
            if (one.what == what) return one.words;
        return {};
    }
};

}  // namespace

TEST_CASE("a domain is reported on as long as a route or the state knows it", "[audit][audit]") {
    Audited town;
    CHECK(check_domain(town.configuration, "c.example"));
    CHECK_FALSE(town.report("c.example").ended);
    town.list({"a@old.example"});
    CHECK(check_domain(town.configuration, "old.example"));
    CHECK(town.report("old.example").ended);
    const auto foreign = check_domain(town.configuration, "foreign.example");
    REQUIRE_FALSE(foreign);
    CHECK(foreign.error().code == ExitCode::usage);
    CHECK_FALSE(town.report().ended);
}

TEST_CASE("a server that accepts everyone is a fault only where it is to prove somebody", "[audit][audit]") {
    Audited town;
    town.state.write([](Writer& writer) { set_accept_all(writer, "c.example", true); });
    CHECK(town.attention("accept-all").starts_with("the server of c.example accepts every recipient"));
    CHECK(town.report().domains.at(0).accept_all);
    // A wanted catch-all, and a route that asks nobody any more: the last callout still stands in the state.
    town.configuration.routes[0].accept_domains = {"c.example"};
    CHECK(town.attention("accept-all").empty());
    CHECK_FALSE(town.report().domains.at(0).accept_all);
    town.configuration.routes[0].accept_domains.clear();
    CHECK_FALSE(town.attention("accept-all").empty());
    town.configuration.routes[0].callout.targets.clear();
    CHECK(town.attention("accept-all").empty());
}
