// SPDX-License-Identifier: MIT
#include "postfix/extension.h"

#include "catch.h"

using postcensus::postfix::Extensions;

TEST_CASE("an extension is what Postfix takes for one", "[postfix]") {
    const Extensions plus("+");
    CHECK(plus.base_of("anna+news") == "anna");
    CHECK(plus.base_of("anna+news+more") == "anna");
    CHECK(plus.base_of("anna+") == "anna");
    CHECK_FALSE(plus.base_of("anna"));
    CHECK_FALSE(plus.base_of("+anna"));
    CHECK_FALSE(plus.base_of("postmaster"));
    CHECK(plus.base_of("owner-board+x") == "owner-board");
    CHECK_FALSE(Extensions("").base_of("anna+news"));

    Extensions both("+-");
    CHECK(both.base_of("anna-news") == "anna");
    CHECK(both.base_of("anna-x+y") == "anna");
    CHECK_FALSE(both.base_of("mailer-daemon"));
    CHECK_FALSE(both.base_of("double-bounce"));
    CHECK_FALSE(both.base_of("owner-board"));
    CHECK_FALSE(both.base_of("board-request"));
    CHECK(both.base_of("-request") == std::nullopt);
    both.owner_request_special = false;
    CHECK(both.base_of("owner-board") == "owner");
    CHECK(both.base_of("board-request") == "board");
    both.double_bounce_sender = "bounce-check";
    CHECK_FALSE(both.base_of("bounce-check"));
    CHECK(both.base_of("double-bounce") == "double");
}
