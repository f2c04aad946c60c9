// SPDX-License-Identifier: MIT
// Every mistake in a configuration is named with its file, line, section and key, and never with a secret.
#include <fmt/format.h>

#include "base/file.h"
#include "catch.h"
#include "config/configuration.h"

using namespace postcensus;

namespace {

constexpr const char* kPassword = "correct-horse-battery";

struct Mistake {
    const char* name;
    std::string text;
    int line;           // 0: none
    std::string place;  // "[section] key", as the error says it
    std::string why;    // a word of the reason
};

void check_mistakes(const std::vector<Mistake>& mistakes) {
    const TempFolder folder =
        TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value();
    REQUIRE(write_file(folder.path() / "password", kPassword, 0600));
    REQUIRE(write_file(folder.path() / "empty", "\n", 0600));
    REQUIRE(write_file(folder.path() / "domains", "good.example not_a@domain\n", 0600));
    const auto file = folder.path() / "postcensus.conf";
    for (const Mistake& one : mistakes) {
        INFO(one.name);
        std::string text = one.text;
        for (std::size_t at = text.find("FOLDER"); at != std::string::npos; at = text.find("FOLDER"))
            text.replace(at, 6, folder.path().string());
        REQUIRE(write_file(file, text, 0600));
        const auto loaded = config::load(file);
        if (loaded) {
            FAIL_CHECK("it was loaded");
            continue;
        }
        const Failure& failure = loaded.error();
        INFO(failure.message);
        CHECK(failure.code == ExitCode::configuration);
        CHECK(failure.message.find(one.line != 0 ? fmt::format("{}:{}: ", file.string(), one.line)
                                                 : file.string()) == 0);
        CHECK(failure.message.find(one.place) != std::string::npos);
        CHECK(failure.message.find(one.why) != std::string::npos);
        CHECK((failure.message + failure.detail).find(kPassword) == std::string::npos);
    }
}

// Line 1 to 5 of a directory that is all right, without those keys.
std::string directory_with(const std::string& more, const std::string& uri = "uri = ldaps://dc1.corp.example",
                           const std::string& password = "password-file = FOLDER/password") {
    return "[directory.corp]\n" + uri + "\nbase = DC=corp\nbind-dn = CN=a\n" + password + "\n" + more + "\n";
}

// Line 1 and 2.
std::string route_with(const std::string& more) {
    return "[route.exchange]\ndomains = corp.example\n" + more + "\n";
}

}  // namespace

TEST_CASE("mistakes in the form of the file", "[config][mistakes]") {
    check_mistakes({
        {"a key before any section", "# comment\nstate = /s\n[general]\n", 2, "", "before the first"},
        {"neither section nor key", "[general]\n\nstate\n", 3, "'state'", "key = value"},
        {"no name", "[general]\n= /s\n", 2, "'= /s'", "key = value"},
        {"a section without its end", "[general\nstate = /s\n", 1, "'[general'", "no section"},
        {"a section without a name", "[]\n", 1, "'[]'", "no section"},
        {"a section of blanks", "[ \t]\n", 1, "'[", "no section"},
        {"a key twice in what would clear a terminal", "[\x1b[2J]\na = 1\na = 2\n", 3, "\\x1b", "set twice"},
        {"a section twice", "[general]\n[log]\n[general]\n", 3, "[general]", "first in line 1"},
        {"a key twice", "[general]\nstate = /s\nmaps = /m\nstate = /t\n", 4, "[general] state",
         "first in line 2"},
        {"an unknown section", "[general]\n\n[globals]\nstate = /s\n", 3, "[globals]", "no such section"},
        {"a directory without a name", "[directory.]\n", 1, "[directory.]", "no such section"},
        {"a route without a name", "\n[route]\n", 2, "[route]", "no such section"},
        {"a section that would clear a terminal", "[\x1b[2J]\n", 1, "\\x1b", "no such section"},
    });
}

TEST_CASE("mistakes in a key", "[config][mistakes]") {
    check_mistakes({
        {"an unknown key", "[general]\nstates = /s\n", 2, "[general] states", "state, maps"},
        {"a key of another section", route_with("state = /s"), 3, "[route.exchange] state", "no such key"},
        {"a key shortened", "[general]\nmax = 5%\n", 2, "[general] max", "no such key"},
        {"no uri", "\n[directory.corp]\nbase = DC=corp\nbind-dn = CN=a\npassword-file = FOLDER/password\n", 2,
         "[directory.corp] uri", "name the servers"},
        {"no domains", "[route.exchange]\ncallout = none\n", 1, "[route.exchange] domains",
         "must be written"},
        {"no password file", "[directory.corp]\nuri = ldaps://dc1\nbase = DC=corp\nbind-dn = CN=a\n", 1,
         "[directory.corp] password-file", "must be written"},
    });
}

TEST_CASE("bad values", "[config][mistakes]") {
    check_mistakes({
        {"a relative path", "[general]\nstate = state.db\n", 2, "[general] state", "absolute"},
        {"a type of table", "[general]\nmaps = /m\ntable-type = pcre\n", 3, "[general] table-type", "lmdb"},
        {"a duration", "[general]\npublish-interval = soon\n", 2, "[general] publish-interval", "soon"},
        {"a percentage", "[general]\nmax-removals = 10\n", 2, "[general] max-removals", "10%"},
        {"over all", "[general]\nmax-removals = 101%\n", 2, "[general] max-removals", "10%"},
        {"a log source", "[log]\nsource = syslog\n", 2, "[log] source", "'file'"},
        {"another source", "[log]\nsource = syslog\n", 2, "[log] source", "'journal'"},
        {"no syslog name", "[log]\nsyslog-name =\n", 2, "[log] syslog-name", "at least one"},
        {"a switch", directory_with("use-mail = true"), 6, "[directory.corp] use-mail", "yes nor no"},
        {"a number", route_with("sessions = 0"), 3, "[route.exchange] sessions", "1 to 20"},
        {"a number with more behind it", route_with("sessions = 4x"), 3, "[route.exchange] sessions",
         "1 to 20"},
        {"a domain", "[route.a]\ndomains = corp..example\n", 2, "[route.a] domains", "corp..example"},
        {"no domain", "[route.a]\ndomains =\n", 2, "[route.a] domains", "at least one"},
        {"a domain in a file", "[route.a]\ndomains = file:FOLDER/domains\n", 2, "[route.a] domains",
         "not_a@domain"},
        {"a file that is not there", "[route.a]\ndomains = file:FOLDER/none\n", 2, "[route.a] domains",
         "/none"},
        {"a port", route_with("callout = ex1.corp.example:smtp"), 3, "[route.exchange] callout", "port"},
        {"a port too high", route_with("callout = ex1.corp.example:65536"), 3, "[route.exchange] callout",
         "port"},
        {"no host", route_with("callout = :2525"), 3, "[route.exchange] callout", "host:port"},
        {"no address", route_with("accept = nobody"), 3, "[route.exchange] accept", "nobody"},
        {"a control that is no address", route_with("control = nobody"), 3, "[route.exchange] control",
         "nobody"},
        {"a sender that is a command", route_with("mail-from = a@b> RCPT TO:<c@d"), 3,
         "[route.exchange] mail-from", "cannot be sent"},
        {"a name with a blank", route_with("helo = mx corp"), 3, "[route.exchange] helo", "cannot be sent"},
        {"TLS", route_with("tls = yes"), 3, "[route.exchange] tls", "opportunistic"},
        {"too short a lease", route_with("unknown-expire = 0"), 3, "[route.exchange] unknown-expire",
         "too short"},
        {"a rate", "[budget]\ntotal = 20\n", 2, "[budget] total", "20/s"},
        {"a network", "[budget]\nrelays = 192.0.2.0/24 mx.example\n", 2, "[budget] relays", "mx.example"},
    });
}

TEST_CASE("mistakes of a directory", "[config][mistakes]") {
    check_mistakes({
        {"another protocol", directory_with("", "uri = https://dc1"), 2, "[directory.corp] uri", "ldaps://"},
        {"a password in clear", directory_with("", "uri = ldaps://dc1 ldap://dc2"), 2, "[directory.corp] uri",
         "readable"},
        {"no server", directory_with("", "uri ="), 2, "[directory.corp] uri", "name the servers"},
        {"servers and a domain", directory_with("domain = corp.example"), 2, "[directory.corp] uri",
         "instead"},
        {"a site without a domain", directory_with("site = HQ"), 6, "[directory.corp] site", "domain"},
        {"Kerberos without a keytab", directory_with("bind = gssapi"), 1, "[directory.corp] keytab",
         "keytab"},
        {"no such keytab", directory_with("bind = gssapi\nkeytab = FOLDER/none"), 7,
         "[directory.corp] keytab", "/none"},
        {"another flavour", directory_with("flavour = x500"), 6, "[directory.corp] flavour", "ad, ldap"},
        {"a filter for AD", directory_with("filter = (cn=*)"), 6, "[directory.corp] filter",
         "flavour = ldap"},
        {"a filter without parentheses", directory_with("flavour = ldap\nfilter = cn=a"), 7,
         "[directory.corp] filter", "parentheses"},
        {"an attribute that is none", directory_with("flavour = ldap\nattributes = mail)(a=*"), 7,
         "[directory.corp] attributes", "no attribute"},
        {"use-mail for another flavour", directory_with("flavour = ldap\nuse-mail = yes"), 7,
         "[directory.corp] use-mail", "attributes"},
        {"both kinds of TLS", directory_with("starttls = yes"), 6, "[directory.corp] starttls",
         "one of the two"},
        {"an empty password", directory_with("", "uri = ldaps://dc1", "password-file = FOLDER/empty"), 5,
         "[directory.corp] password-file", "empty"},
        {"no such password file", directory_with("", "uri = ldaps://dc1", "password-file = FOLDER/none"), 5,
         "[directory.corp] password-file", "/none"},
        {"a variable that is not set",
         directory_with("", "uri = ldaps://dc1", "password-file = ${POSTCENSUS_TEST_NOT_SET}/corp"), 5,
         "[directory.corp] password-file", "${POSTCENSUS_TEST_NOT_SET}/corp"},
        {"an empty name",
         "[directory.corp]\nuri = ldaps://dc1\nbase = DC=corp\nbind-dn =\npassword-file = FOLDER/password\n",
         4, "[directory.corp] bind-dn", "anonymous"},
    });
}

TEST_CASE("mistakes between sections", "[config][mistakes]") {
    check_mistakes({
        {"a domain in two routes", route_with("") + "[route.b]\ndomains = b.example Corp.Example\n", 5,
         "[route.b] domains", "corp.example"},
        {"a domain twice in one route", "[route.a]\ndomains = a.example b.example a.example\n", 2,
         "[route.a] domains", "a.example"},
        {"an address elsewhere", route_with("accept = a@corp.example b@other.example"), 3,
         "[route.exchange] accept", "other.example"},
        {"a catch-all elsewhere", route_with("accept = @sub.corp.example"), 3, "[route.exchange] accept",
         "sub.corp.example"},
    });
}

TEST_CASE("a path that is needed is not empty", "[config][mistakes]") {
    check_mistakes({
        {"no state", "[general]\nstate =\n", 2, "[general] state", "path"},
        {"no maps", "[general]\nmaps =\n", 2, "[general] maps", "path"},
        {"no log", "[log]\nsource = file\npath =\n", 3, "[log] path", "path"},
    });
}

TEST_CASE("a file that is not there is a mistake too", "[config][mistakes]") {
    const auto loaded = config::load("/nonexistent/postcensus.conf");
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == ExitCode::configuration);
    CHECK(loaded.error().message.find("/nonexistent/postcensus.conf") != std::string::npos);
    CHECK(loaded.error().message.find("--config") != std::string::npos);
}

TEST_CASE("a plain LDAP connection is allowed with StartTLS, or when the operator insists",
          "[config][mistakes]") {
    const TempFolder folder =
        TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value();
    const auto file = folder.path() / "postcensus.conf";
    REQUIRE(write_file(folder.path() / "password", kPassword, 0600));
    for (const char* more : {"starttls = yes", "insecure = yes"}) {
        std::string text = directory_with(more, "uri = ldap://dc1");
        text.replace(text.find("FOLDER"), 6, folder.path().string());
        REQUIRE(write_file(file, text, 0600));
        CAPTURE(more);
        CHECK(config::load(file).has_value());
    }
}
