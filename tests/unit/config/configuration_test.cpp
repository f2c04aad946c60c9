// SPDX-License-Identifier: MIT
#include "config/configuration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "catch.h"
#include "directory/settings.h"

using namespace postcensus;
using namespace std::chrono_literals;
using config::Configuration;

namespace {

constexpr const char* kPassword = "correct horse #battery";

// The configuration file of a test, and the files that it names.
class Files {
  public:
    Files()
        : folder_(TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value()) {
        write("password", std::string(kPassword) + "\n");
        write("other", "another\n");
    }
    std::string write(const std::string& name, const std::string& content) const {
        REQUIRE(write_file(folder_.path() / name, content, 0600));
        return path(name);
    }
    std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

    Result<Configuration> load_without_secrets(const std::string& text) const {
        return config::load(write("postcensus.conf", text), config::Secrets::left);
    }

    // PASSWORD in the text stands for the path of the password file, FOLDER for its folder.
    Result<Configuration> load(std::string text) const {
        for (const auto& [word, value] :
             {std::pair(std::string("PASSWORD"), path("password")), {"FOLDER", folder_.path().string()}})
            for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word))
                text.replace(at, word.size(), value);
        return config::load(write("postcensus.conf", text));
    }

  private:
    TempFolder folder_;
};

// Six lines, so that the next one is the seventh.
const std::string kDirectory =
    "[directory.corp]\n"
    "uri = ldaps://dc1.corp.example\n"
    "base = DC=corp,DC=example\n"
    "bind-dn = CN=postcensus,DC=corp,DC=example\n"
    "password-file = PASSWORD\n"
    "\n";

// Two lines.
const std::string kRoute =
    "[route.exchange]\n"
    "domains = corp.example mail.corp.example\n";

const std::string kWhole = R"(# The configuration of the manual.
[general]
state = /var/lib/postcensus/state.db
maps = /var/lib/postcensus/maps
table-type = lmdb            # or auto, hash, btree, cdb
postfix-config = /etc/postfix
publish-interval = 2s        # an overlay is published at most once in that time
metrics-dir =                # node_exporter textfiles
max-removals = 20%           # the gate

[log]
source = file                # auto, file, journal
path = /var/log/mail.log
syslog-name = postfix postfix-in

[directory.corp]
uri = ldaps://dc1.corp.example ldaps://dc2.corp.example   # or: domain = corp.example, site = HQ (DNS SRV)
base = DC=corp,DC=example
flavour = ad
bind = simple
bind-dn = CN=Svc#1,OU=Services,DC=corp,DC=example
password-file = ${POSTCENSUS_TEST_NOT_SET}/corp PASSWORD
keytab =                     # for gssapi
starttls = no
insecure = no
ca-file =
filter =
attributes = mail
use-mail = yes
poll-interval = 15s
sweep-interval = 1h

[route.exchange]
domains = Corp.Example mail.corp.example
callout = ex1.corp.example:2525 [2001:db8::1]:25 ex2.corp.example
accept = "j@smith"@corp.example @mail.corp.example
mail-from =                  # empty is <>
helo = mx.corp.example
tls = required
sessions = 2
control = known@corp.example
confirmation-interval = 20m
directory-complete = no
deliverable-refresh = 3d
unknown-expire = 30m

[route.branch]
domains = branch.example

[budget]
total = 10/s
domain = 3/s
network = 60/m
relays = 192.0.2.0/24 2001:db8::/32
)";

}  // namespace

TEST_CASE("a whole file is read", "[config][configuration]") {
    const Files files;
    const auto loaded = files.load(kWhole);
    if (!loaded) FAIL(loaded.error().message);
    CHECK(loaded->state.path == "/var/lib/postcensus/state.db");
    CHECK(loaded->postfix.maps == "/var/lib/postcensus/maps");
    CHECK(loaded->postfix.config_dir == "/etc/postfix");
    CHECK(loaded->postfix.table_type == "lmdb");
    CHECK(loaded->publish_interval == 2s);
    CHECK(loaded->gate.percent == 20);
    CHECK(loaded->log.path == "/var/log/mail.log");
    CHECK(loaded->log.syslog_names == std::vector<std::string>{"postfix", "postfix-in"});
    CHECK(loaded->log.source == maillog::SourceKind::file);

    REQUIRE(loaded->directories.size() == 1);
    const directory::Settings& corp = loaded->directories[0];
    CHECK(corp.name == "corp");
    CHECK(corp.uris == std::vector<std::string>{"ldaps://dc1.corp.example", "ldaps://dc2.corp.example"});
    CHECK(corp.base == "DC=corp,DC=example");
    CHECK(corp.bind_dn == "CN=Svc#1,OU=Services,DC=corp,DC=example");
    CHECK(corp.password == kPassword);
    CHECK(corp.use_mail);
    CHECK_FALSE(corp.starttls);
    CHECK_FALSE(corp.insecure);

    REQUIRE(loaded->routes.size() == 2);
    const config::Route& exchange = loaded->routes[0];
    CHECK(exchange.name == "exchange");
    CHECK(exchange.domains == std::vector<std::string>{"corp.example", "mail.corp.example"});
    CHECK(exchange.callout.targets == std::vector<callout::Target>{{"ex1.corp.example", 2525},
                                                                   {"2001:db8::1", 25},
                                                                   {"ex2.corp.example", 2525}});
    REQUIRE(exchange.accept.size() == 1);
    CHECK(exchange.accept[0].text() == "j@smith@corp.example");
    CHECK(exchange.accept_domains == std::vector<std::string>{"mail.corp.example"});
    CHECK(exchange.callout.mail_from.empty());
    CHECK(exchange.callout.helo == "mx.corp.example");
    CHECK(exchange.callout.tls == callout::Tls::required);
    CHECK(exchange.callout.sessions == 2);
    CHECK(exchange.callout.control == mail::Address::from_internal("known@corp.example"));
    CHECK(exchange.policy.confirmation_interval == 20min);
    CHECK(exchange.policy.unknown_expire == 30min);
    CHECK(exchange.deliverable_refresh == 3 * 24h);
    CHECK(exchange.asks());

    CHECK(loaded->budget.total.per_second == 10);
    CHECK(loaded->budget.domain.per_second == 3);
    CHECK(loaded->budget.network.per_second == 1);
    CHECK(loaded->budget.relays.size() == 2);
    CHECK(loaded->route_of("branch.example") == &loaded->routes[1]);
    CHECK(loaded->route_of("mail.corp.example") == &exchange);
    CHECK(loaded->route_of("example") == nullptr);
    CHECK_FALSE(loaded->routes[1].asks());
}

TEST_CASE("what is left out has its default", "[config][configuration]") {
    const Files files;
    const auto loaded = files.load(kDirectory + kRoute);
    if (!loaded) FAIL(loaded.error().message);
    CHECK(loaded->state.path == "/var/lib/postcensus/state.db");
    CHECK(loaded->postfix.maps == "/var/lib/postcensus/maps");
    CHECK(loaded->postfix.table_type == "auto");
    CHECK(loaded->publish_interval == 1s);
    CHECK(loaded->gate.percent == 10);
    CHECK(loaded->gate.always == 50);
    CHECK(loaded->log.source == maillog::SourceKind::automatic);
    CHECK(loaded->log.syslog_names == std::vector<std::string>{"postfix"});
    REQUIRE(loaded->routes.size() == 1);
    CHECK_FALSE(loaded->routes[0].asks());
    CHECK(loaded->routes[0].callout.sessions == 4);
    CHECK(loaded->routes[0].callout.tls == callout::Tls::opportunistic);
    CHECK(loaded->routes[0].policy.confirmation_interval == 15min);
    CHECK(loaded->routes[0].policy.unknown_expire == 1h);
    CHECK(loaded->budget.total.per_second == 20);
    CHECK_FALSE(loaded->directories[0].use_mail);
}

TEST_CASE("what a route accepts", "[config][configuration]") {
    const Files files;
    const auto loaded = files.load(kRoute + "accept = A@corp.example @mail.corp.example\n");
    REQUIRE(loaded);
    const config::Route& route = loaded->routes[0];
    const auto accepts = [&](const char* text) { return route.accepts(*mail::Address::from_internal(text)); };
    CHECK(accepts("a@corp.example"));
    CHECK_FALSE(accepts("b@corp.example"));
    CHECK(accepts("anything@mail.corp.example"));
    CHECK_FALSE(accepts("a@sub.mail.corp.example"));
    CHECK(route.policy_text("corp.example") != route.policy_text("mail.corp.example"));

    const auto text_with = [&](const std::string& more) {
        const auto changed = files.load(kRoute + more);
        REQUIRE(changed);
        return changed->routes[0].policy_text("corp.example");
    };
    const std::string plain = text_with("");
    for (const char* more : {"accept = a@corp.example\n", "accept = @corp.example\n", "unknown-expire = 2h\n",
                             "confirmation-interval = 1m\n", "callout = ex1.corp.example\n"}) {
        CAPTURE(more);
        CHECK(text_with(more) != plain);
    }
    // What decides nothing about this domain.
    CHECK(text_with("accept = a@mail.corp.example\n") == plain);
    CHECK(text_with("sessions = 1\n") == plain);
}

TEST_CASE("domains may stand in a file of their own", "[config][configuration]") {
    const Files files;
    files.write("domains", "one.example\n\n  Two.Example. three.example\n");
    const auto loaded = files.load("[route.exchange]\ndomains = file:FOLDER/domains four.example\n");
    if (!loaded) FAIL(loaded.error().message);
    auto domains = loaded->routes[0].domains;
    std::sort(domains.begin(), domains.end());
    CHECK(domains == std::vector<std::string>{"four.example", "one.example", "three.example", "two.example"});
    // Another list is another configuration.
    files.write("domains", "one.example\n");
    const auto shorter = files.load("[route.exchange]\ndomains = file:FOLDER/domains four.example\n");
    REQUIRE(shorter);
    CHECK(shorter->digest != loaded->digest);
}

TEST_CASE("a secret is no part of the digest, and is found by a variable", "[config][configuration]") {
    const Files files;
    const auto before = files.load(kDirectory + kRoute);
    files.write("password", "another\r\n");
    const auto after = files.load(kDirectory + kRoute);
    REQUIRE((before && after));
    CHECK(after->directories[0].password == "another");
    CHECK(before->digest == after->digest);

    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    REQUIRE(::setenv("POSTCENSUS_TEST_CREDENTIALS", files.path("").c_str(), 1) == 0);
    files.write("corp", "from systemd");
    std::string text = kDirectory;
    text.replace(text.find("PASSWORD"), 8, "${POSTCENSUS_TEST_CREDENTIALS}/corp PASSWORD");
    const auto found = files.load(text);
    ::unsetenv("POSTCENSUS_TEST_CREDENTIALS");  // NOLINT(concurrency-mt-unsafe)
    REQUIRE(found);
    CHECK(found->directories[0].password == "from systemd");
    const auto second = files.load(text);
    REQUIRE(second);
    CHECK(second->directories[0].password == "another");
}

namespace {

using Keys = std::map<std::string, std::string>;

// One key's other value. `with`: what else it needs, set in both; `then`: what must come along with the
// value.
struct Changed {
    std::string key, value;
    bool decides = false;
    Keys with = {};
    Keys then = {};
};

std::string section_of(const std::string& name, const Keys& usual, Keys keys) {
    keys.insert(usual.begin(), usual.end());
    std::string text = "[" + name + "]\n";
    for (const auto& [key, value] : keys)
        if (!value.empty()) text += key + " = " + value + "\n";
    return text;
}

// Every key that this section knows is in the table: who adds one has to say whether it decides.
template <typename Digest>
void check_digest(const std::string& section, const Keys& usual, const std::vector<Changed>& table,
                  Digest&& digest) {
    std::set<std::string> told;
    for (const Changed& one : table) {
        CAPTURE(one.key);
        CHECK(told.insert(section + " " + one.key).second);
        Keys after = one.then;
        after.insert(one.with.begin(), one.with.end());
        after[one.key] = one.value;
        const std::string name = section + ".corp";
        const std::string before = section_of(name, usual, one.with),
                          changed = section_of(name, usual, after);
        CHECK(before != changed);
        CHECK((digest(before) != digest(changed)) == one.decides);
    }
    for (const std::string& key : config::known_keys())
        if (key.starts_with(section + " ")) {
            CAPTURE(key);
            CHECK(told.count(key) == 1);
        }
}

}  // namespace

TEST_CASE("a key that decides what is read renews the query's digest", "[config][configuration]") {
    const Files files;
    const Keys usual = {{"uri", "ldaps://dc1.corp.example"},
                        {"base", "DC=corp,DC=example"},
                        {"bind-dn", "CN=postcensus,DC=corp,DC=example"},
                        {"password-file", "PASSWORD"}};
    const Keys ldap = {{"flavour", "ldap"}, {"filter", "(mail=*)"}};
    const Keys gssapi = {{"bind", "gssapi"}, {"keytab", "PASSWORD"}, {"bind-dn", ""}, {"password-file", ""}};
    check_digest("directory", usual,
                 {
                     {"base", "DC=corp2,DC=example", true},
                     {"use-mail", "yes", true},
                     {"flavour", "ldap", true, {}, {{"filter", "(mail=*)"}}},
                     {"filter", "(mail=a*)", true, ldap},
                     {"attributes", "mail mailAlternateAddress", true, ldap},
                     // Where and how it is read, and how often.
                     {"uri", "ldaps://dc2.corp.example"},
                     {"domain", "corp.example", false, {}, {{"uri", ""}}},
                     {"site", "Berlin", false, {{"uri", ""}, {"domain", "corp.example"}}},
                     {"bind", "gssapi", false, {}, gssapi},
                     {"bind-dn", "CN=other,DC=corp,DC=example"},
                     {"password-file", "FOLDER/other"},
                     {"keytab", "FOLDER/other", false, gssapi},
                     {"starttls", "yes", false, {{"uri", "ldap://dc1.corp.example"}, {"insecure", "yes"}}},
                     {"insecure", "yes", false, {{"uri", "ldap://dc1.corp.example"}, {"starttls", "yes"}}},
                     {"ca-file", "PASSWORD"},
                     {"poll-interval", "1m"},
                     {"sweep-interval", "2h"},
                 },
                 [&](const std::string& text) {
                     const auto loaded = files.load(text + kRoute);
                     CAPTURE(text);
                     if (!loaded) FAIL(loaded.error().message);
                     return directory::query_text(loaded->directories.at(0));
                 });
}

TEST_CASE("a key that decides about recipients renews their domain's policy", "[config][configuration]") {
    const Files files;
    check_digest("route", {{"domains", "corp.example"}},
                 {
                     {"accept", "a@corp.example", true},
                     {"callout", "ex1.corp.example", true},
                     {"confirmation-interval", "1m", true},
                     {"directory-complete", "yes", true},
                     {"unknown-expire", "2h", true},
                     // Another domain has a policy of its own.
                     {"domains", "corp.example mail.corp.example"},
                     {"mail-from", "postmaster@gateway.example"},
                     {"helo", "gateway.example"},
                     {"tls", "off"},
                     {"sessions", "1"},
                     {"control", "anna@corp.example"},
                     {"deliverable-refresh", "1d"},
                 },
                 [&](const std::string& text) {
                     const auto loaded = files.load(kDirectory + text);
                     CAPTURE(text);
                     if (!loaded) FAIL(loaded.error().message);
                     return loaded->routes.at(0).policy_text("corp.example");
                 });
}

TEST_CASE("keys are known by section", "[config][configuration]") {
    const auto keys = config::known_keys();
    CHECK(keys.size() >= 35);
    for (const char* key :
         {"general state", "log path", "directory uri", "route domains", "budget network"}) {
        CAPTURE(key);
        CHECK(std::count(keys.begin(), keys.end(), key) == 1);
    }
}

TEST_CASE("who talks to no directory reads no secret", "[config]") {
    const Files files;
    struct Case {
        const char* section;
        const char* key;  // at fault where secrets are read
    };
    const std::string head = "[directory.corp]\nuri = ldaps://dc1.corp.example\nbase = DC=corp,DC=example\n";
    for (const Case& one : {Case{"bind-dn = CN=a\npassword-file = /nonexistent/corp\n", "password-file"},
                            Case{"bind = gssapi\nkeytab = /nonexistent/corp.keytab\n", "keytab"}}) {
        CAPTURE(one.section);
        const auto without = files.load_without_secrets(head + one.section + kRoute);
        if (!without) FAIL(without.error().message);
        CHECK(without->directories.at(0).password.empty());
        const auto with = files.load(head + one.section + kRoute);
        REQUIRE_FALSE(with);
        CHECK(with.error().message.find(one.key) != std::string::npos);
    }
    // All else is as strict as ever.
    CHECK_FALSE(files.load_without_secrets(head + "bind-dn = CN=a\n" + kRoute));
    CHECK_FALSE(files.load_without_secrets(head + "password-file = /x\n" + kRoute));
}
