// SPDX-License-Identifier: MIT
#include "postfix/relay_domains.h"

#include "base/file.h"
#include "base/process.h"
#include "catch.h"

using namespace postcensus;
using namespace postcensus::postfix;
using namespace std::chrono_literals;

namespace {

using Match = RelayDomains::Match;
using Texts = std::vector<std::string>;

// A Postfix configuration with these lines; a table under `table`, a file of words under `file`.
class Main {
  public:
    explicit Main(std::string lines)
        : folder_(TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value()) {
        for (const auto& [name, text] :
             {std::pair<std::string, std::string>{"table", "t.example x\n.below.example x\n"},
              {"file", "f.example !not.f.example # a remark\n# g.example\n"},
              {"patterns", "/^p[0-9]*\\.example$/ x\n"}})
            REQUIRE(write_file(folder_.path() / name, text, 0644));
        REQUIRE(run_process({"postmap", "lmdb:" + path("table")}, {}, 20s)->status == 0);
        for (const char* name : {"table", "file", "patterns", "none"})
            for (const std::string word = "@" + std::string(name); lines.find(word) != std::string::npos;)
                lines.replace(lines.find(word), word.size(), path(name));
        REQUIRE(write_file(folder_.path() / "main.cf", "compatibility_level = 3.6\n" + lines, 0644));
        // Postfix waits until a main.cf that was just written is some seconds old.
        const auto time = std::filesystem::last_write_time(folder_.path() / "main.cf");
        std::filesystem::last_write_time(folder_.path() / "main.cf", time - 10s);
    }

    RelayDomains open() const {
        auto domains = RelayDomains::open(folder_.path());
        if (!domains) FAIL(domains.error().message);
        return *domains;
    }
    // The domains among these that are relayed, with a ? behind those that are not known.
    Texts relayed(const Texts& domains, Match match = Match::as_postfix) const {
        const auto answers = open().ask(domains, match);
        Texts out;
        for (const std::string& domain : domains) {
            const auto found = answers.relayed.find(domain);
            if (found == answers.relayed.end()) out.push_back(domain + "?");
            if (found != answers.relayed.end() && found->second) out.push_back(domain);
        }
        CHECK(answers.failure.has_value() == (answers.relayed.size() < domains.size()));
        return out;
    }

  private:
    std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
    TempFolder folder_;
};

}  // namespace

TEST_CASE("words, files and tables of relay_domains", "[postfix][relay_domains]") {
    const Main postfix(
        "mydestination = m.example\nrelay_domains = $mydestination, W.example @file "
        "proxy:lmdb:@table\nparent_domain_matches_subdomains =\n");
    const Texts all{"m.example",   "w.example",     "f.example",       "t.example",     "g.example",
                    "a.w.example", "not.f.example", "x.below.example", "below.example", "x.t.example"};
    CHECK(postfix.relayed(all) ==
          Texts{"m.example", "w.example", "f.example", "t.example", "x.below.example"});
    CHECK(postfix.relayed(all, Match::exact) == Texts{"m.example", "w.example", "f.example", "t.example"});
    CHECK(postfix.open().named() == Texts{"m.example", "w.example", "f.example"});
    REQUIRE(postfix.open().tables().size() == 1);
    CHECK(postfix.open().tables()[0].starts_with("lmdb:/"));
}

TEST_CASE("subdomains match where Postfix's parents do, and never if a stranger named them",
          "[postfix][relay_domains]") {
    const Main postfix(
        "relay_domains = !no.w.example w.example lmdb:@table\n"
        "parent_domain_matches_subdomains = mynetworks, relay_domains\n");
    const Texts all{"w.example",  "a.w.example", "a.b.w.example", "no.w.example",
                    "xw.example", "a.t.example", "example"};
    CHECK(postfix.relayed(all) == Texts{"w.example", "a.w.example", "a.b.w.example", "a.t.example"});
    CHECK(postfix.relayed(all, Match::exact) == Texts{"w.example"});
}

TEST_CASE("a table of patterns has no answer for strangers", "[postfix][relay_domains]") {
    const Main postfix("relay_domains = regexp:@patterns\n");
    CHECK(postfix.relayed({"p1.example", "q.example"}) == Texts{"p1.example"});
    CHECK(postfix.relayed({"p1.example", "q.example"}, Match::exact).empty());
}

TEST_CASE("a table that does not answer leaves what stands before it", "[postfix][relay_domains]") {
    const Main postfix("relay_domains = w.example lmdb:@none t.example\n");
    CHECK(postfix.relayed({"w.example", "t.example", "x.example"}) ==
          Texts{"w.example", "t.example?", "x.example?"});
    CHECK_FALSE(RelayDomains::open("/nonexistent"));
}

TEST_CASE("a domain in either form", "[postfix][relay_domains]") {
    const Main postfix(
        "relay_domains = b\xc3\xbc\x63her.example xn--mnchen-3ya.example\nsmtputf8_enable = yes\n");
    CHECK(postfix.relayed({"xn--bcher-kva.example", "xn--mnchen-3ya.example"}) ==
          Texts{"xn--bcher-kva.example", "xn--mnchen-3ya.example"});
}
