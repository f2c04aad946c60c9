// SPDX-License-Identifier: MIT
// What a refused login means, and whether it may be tried again.
#include <ldap.h>

#include "catch.h"
#include "directory/ldap_failure.h"
#include "directory/session.h"

using namespace postcensus;
using namespace postcensus::directory;

TEST_CASE("only what is wrong with the account or its secret pauses the logins", "[directory][login]") {
    struct Case {
        const char* data;
        const char* words;
        bool pauses;
    };
    const Case cases[] = {
        {"data 52e, v4563", "wrong password", true},
        {"data 52E, v4563", "wrong password", true},
        {"data 775, v4563", "locked", true},
        {"data 532, v4563", "password has expired", true},
        {"data 533, v4563", "disabled", true},
        {"data 701, v4563", "account has expired", true},
        {"data 773, v4563", "must be changed", true},
        {"data 8009030c, v4563", "wrong account or password", true},
        {"data 525, v4563", "no such user", false},
        {"data 52f, v4563", "restriction", false},
        {"data 530, v4563", "at this time", false},
        {"data 531, v4563", "from this machine", false},
        {"data 534, v4563", "type of login", false},
        {"data 568, v4563", "too many", false},
        {"data 80090346, v4563", "channel binding", false},
        {"data 0x80090346", "channel binding", false},
        {"data 80090324, v4563", "clocks", false},
        {"data 52, v4563", "reason of its own", false},
        {"data 52e0, v4563", "reason of its own", false},
        {"data 6fb, v4563", "reason of its own", false},
        {"data , v4563", "check bind-dn", true},
        {"metadata 568", "check bind-dn", true},
    };
    for (const Case& one : cases) {
        CAPTURE(one.data);
        const Failure failure =
            describe(nullptr, "ldaps://dc1", "refused the login", LDAP_INVALID_CREDENTIALS,
                     std::string("80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, ") +
                         one.data);
        CHECK(failure.code == ExitCode::unavailable);
        CHECK(failure.message.find(one.words) != std::string::npos);
        CHECK(failure.message.find("the server says: 80090308: LdapErr") != std::string::npos);
        CHECK(credentials_refused(failure) == one.pauses);
    }
    const Failure silent =
        describe(nullptr, "ldaps://dc1", "refused the login", LDAP_INVALID_CREDENTIALS, "");
    CHECK(credentials_refused(silent));
    CHECK(silent.message.find("server says") == std::string::npos);
    const Failure hostile = describe(nullptr, "ldaps://dc1", "refused the login", LDAP_INVALID_CREDENTIALS,
                                     "\x1b[2J" + std::string(5000, 'a'));
    CHECK(hostile.message.find('\x1b') == std::string::npos);
    CHECK(hostile.message.size() < 600);
    CHECK(describe(nullptr, "ldaps://dc1", "bind", LDAP_CONNECT_ERROR,
                   "(unknown error code) Certificate expired")
              .trouble == Trouble::certificate);
    // A server's words behind a result of its own name no certificate.
    CHECK(describe(nullptr, "ldaps://dc1", "search", LDAP_OTHER, "certificate is not trusted").trouble ==
          Trouble::other);
}
