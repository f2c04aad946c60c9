// SPDX-License-Identifier: MIT
#include "check/check_restrictions.h"

#include "check/snapshot.h"

using namespace postcensus;
using namespace postcensus::check;

namespace {

using Texts = std::vector<std::string>;

Texts texts_of(const std::vector<Restriction>& list) {
    Texts texts;
    for (const Restriction& one : list) texts.push_back(one.text());
    return texts;
}

}  // namespace

TEST_CASE("a list of restrictions", "[check][restrictions]") {
    CHECK(texts_of(parse_restrictions("permit_mynetworks,\n\tcheck_policy_service { inet:h:1, timeout=5s } "
                                      "warn_if_reject reject_rbl_client zen.example, lmdb:/m/x reject")) ==
          Texts{"permit_mynetworks", "check_policy_service { inet:h:1, timeout=5s }",
                "warn_if_reject reject_rbl_client zen.example", "check_recipient_access lmdb:/m/x",
                "reject"});
    CHECK(parse_restrictions("check_recipient_access").size() == 1);
    CHECK(parse_restrictions("").empty());
    Snapshot snapshot;
    snapshot.parameters = {{"smtpd_restriction_classes", "grey, loop"},
                           {"grey", "check_policy_service inet:h:1, sleep 1"},
                           {"loop", "loop, reject"}};
    CHECK(texts_of(expand_restrictions(snapshot, "permit_mynetworks grey")) ==
          Texts{"permit_mynetworks", "check_policy_service inet:h:1", "sleep 1"});
    CHECK_FALSE(expand_restrictions(snapshot, "loop").empty());
}

TEST_CASE("our tables in main.cf", "[check][restrictions]") {
    CHECK(named_table("lmdb:/m/unknown", kOurs) == NamedTable{"unknown", "lmdb", false});
    CHECK(named_table("proxy:hash:/m//closed", kOurs) == NamedTable{"closed", "hash", true});
    CHECK(named_table("{ lmdb:/m/unknown, search_order = x }", kOurs) ==
          NamedTable{"unknown", "lmdb", false});
    for (const char* other : {"lmdb:/other/unknown", "reject", "", "{", "{}", "inet:127.0.0.1:10023",
                              "lmdb:", "{{x y:/m/unknown, a } }", "l m:/m/unknown"}) {
        CAPTURE(other);
        CHECK_FALSE(named_table(other, kOurs));
    }
}

TEST_CASE("a good order has no fault", "[check][check]") {
    const Findings findings = check_restrictions(good_snapshot(), kOurs);
    REQUIRE(findings.size() == 1);
    CHECK(findings.front().level == Level::ok);
    // What comes behind is nobody's business.
    Snapshot more = good_snapshot();
    more.parameters["smtpd_recipient_restrictions"] +=
        ", check_policy_service inet:h:1, reject_rbl_client zen.example";
    more.parameters["smtpd_client_restrictions"] = "permit_mynetworks, reject_rbl_client zen.example";
    CHECK(worst_of(check_restrictions(more, kOurs)) == Level::ok);
}

TEST_CASE("orders that do not work", "[check][check]") {
    const std::string unknown = "check_recipient_access lmdb:/m/unknown";
    const std::string closed = "check_recipient_access lmdb:/m/closed";
    const std::string head = unknown + ", reject_unlisted_recipient, ";
    const std::string own = "permit_mynetworks, permit_sasl_authenticated, ";
    const std::string tail = own + closed + ", reject_unauth_destination";
    struct Case {
        std::string list;
        Level level;
        const char* words;
    };
    const std::vector<Case> cases{
        {"", Level::fail, "does not ask the table unknown"},
        {"reject_unlisted_recipient, " + tail, Level::fail, "does not ask the table unknown"},
        {"reject_unlisted_recipient, " + unknown + ", " + tail, Level::fail,
         "behind reject_unlisted_recipient"},
        {own + head + closed + ", reject_unauth_destination", Level::warn,
         "unknown behind permit_mynetworks"},
        {own + head + closed, Level::warn, "permit_mynetworks before reject_unlisted_recipient"},
        {"warn_if_reject " + head + tail, Level::warn, "warn_if_reject"},
        {unknown + ", " + tail, Level::warn, "does not name reject_unlisted_recipient"},
        {"check_recipient_access proxy:lmdb:/m/unknown, reject_unlisted_recipient, " + tail, Level::fail,
         "proxy:"},
        {"check_recipient_access hash:/m/unknown, reject_unlisted_recipient, " + tail, Level::fail,
         "of the type lmdb"},
        {"check_policy_service inet:h:1, " + head + tail, Level::warn,
         "check_policy_service inet:h:1 before"},
        {unknown + ", reject_rbl_client zen.example, reject_unlisted_recipient, " + tail, Level::warn,
         "a miss that it refuses"},
        {unknown + ", check_sender_access hash:/x, reject_unlisted_recipient, " + tail, Level::warn,
         "a miss that it refuses"},
        {unknown + ", reject_unknown_sender_domain, reject_unlisted_recipient, " + tail, Level::warn,
         "a miss that it defers"},
        {unknown + ", reject_unverified_sender, reject_unlisted_recipient, " + tail, Level::warn,
         "a miss that it defers"},
        {unknown + ", reject_unverified_recipient, reject_unlisted_recipient, " + tail, Level::fail,
         "reject_unverified_recipient before"},
        {head + tail + ", reject_unverified_recipient", Level::warn, "a second time"},
        {"reject, " + head + tail, Level::fail, "nothing behind it"},
        {head + closed + ", " + own + "reject_unauth_destination", Level::fail,
         "closed before permit_mynetworks"},
        {head + own + "reject_unauth_destination, " + closed, Level::warn,
         "closed behind reject_unauth_destination"},
        {head + closed + ", reject_unauth_destination", Level::fail, "no permit_mynetworks before"},
        {head + "reject_unauth_destination, permit_mynetworks", Level::fail, "no permit_mynetworks before"},
    };
    for (const Case& one : cases) {
        CAPTURE(one.list);
        Snapshot snapshot = good_snapshot();
        snapshot.parameters["smtpd_recipient_restrictions"] = one.list;
        const Findings findings = check_restrictions(snapshot, kOurs);
        const Finding found = gravest(findings, one.words);
        CHECK(name_of(found.level) == name_of(one.level));
        CHECK(found.subject == "smtpd_recipient_restrictions");
        check_remedies(findings);
        // The proposed list is a good one.
        Snapshot mended = good_snapshot();
        const std::string line = mended_restrictions(one.list, kOurs);
        mended.parameters["smtpd_recipient_restrictions"] = line.substr(line.find('=') + 1);
        CHECK(worst_of(check_restrictions(mended, kOurs)) == Level::ok);
    }
}

TEST_CASE("a closed list left out is a choice", "[check][check]") {
    Snapshot snapshot = good_snapshot();
    snapshot.parameters["smtpd_recipient_restrictions"] =
        "check_recipient_access lmdb:/m/unknown, reject_unlisted_recipient, permit_mynetworks, "
        "reject_unauth_destination";
    const Findings findings = check_restrictions(snapshot, kOurs);
    CHECK(worst_of(findings) == Level::ok);
    CHECK(findings.front().words.find("refused by Exchange, not here") != std::string::npos);
    CHECK(mended_restrictions(snapshot.value("smtpd_recipient_restrictions"), kOurs).find("closed") ==
          std::string::npos);
}

TEST_CASE("other parameters that spoil the order", "[check][check]") {
    struct Case {
        const char* parameter;
        const char* value;
        Level level;
        const char* words;
    };
    for (const Case& one : std::vector<Case>{
             {"smtpd_delay_reject", "no", Level::warn, "before RCPT TO"},
             {"smtpd_sasl_auth_enable", "yes", Level::ok, "nothing"},
             {"smtpd_client_restrictions", "check_policy_service inet:h:1", Level::warn,
              "before the check of"},
             {"smtpd_helo_restrictions", "reject_unknown_helo_hostname", Level::warn, "before the check of"},
             {"smtpd_sender_restrictions", "permit_mynetworks, reject_unknown_sender_domain", Level::warn,
              "before the check of"},
             {"smtpd_sender_restrictions", "reject_unlisted_sender", Level::warn, "only sends"},
             {"smtpd_client_restrictions", "reject_unverified_recipient", Level::fail,
              "no miss is ever logged"},
             {"smtpd_relay_restrictions", "permit_sasl_authenticated, reject_unauth_destination", Level::fail,
              "no permit_mynetworks before"},
             {"smtpd_relay_restrictions", "", Level::ok, "nothing"}}) {
        CAPTURE(one.parameter, one.value);
        Snapshot snapshot = good_snapshot();
        snapshot.parameters[one.parameter] = one.value;
        const Findings findings = check_restrictions(snapshot, kOurs);
        CHECK(name_of(worst_of(findings)) == name_of(one.level));
        if (one.level != Level::ok) CHECK(gravest(findings, one.words).subject == one.parameter);
        check_remedies(findings);
    }
    Snapshot open = good_snapshot();
    open.parameters["smtpd_recipient_restrictions"] =
        "check_recipient_access lmdb:/m/unknown, reject_unlisted_recipient, permit_mynetworks";
    open.parameters["smtpd_relay_restrictions"] = "permit_mynetworks";
    CHECK(gravest(check_restrictions(open, kOurs), "refuses mail to other domains").level == Level::fail);
    Snapshot unlisted = good_snapshot();
    unlisted.parameters["smtpd_reject_unlisted_recipient"] = "no";
    CHECK(worst_of(check_restrictions(unlisted, kOurs)) == Level::ok);
    unlisted.parameters["smtpd_recipient_restrictions"] =
        "check_recipient_access lmdb:/m/unknown, permit_mynetworks, reject_unauth_destination";
    CHECK(gravest(check_restrictions(unlisted, kOurs), "are accepted, and bounce").level == Level::fail);
    Snapshot login = good_snapshot();
    login.parameters["smtpd_sasl_auth_enable"] = "yes";
    login.parameters["smtpd_recipient_restrictions"] =
        "check_recipient_access lmdb:/m/unknown, reject_unlisted_recipient, permit_mynetworks, "
        "reject_unauth_destination";
    CHECK(gravest(check_restrictions(login, kOurs), "permit_sasl_authenticated").level == Level::fail);
}

TEST_CASE("services with lists of their own", "[check][check]") {
    Snapshot snapshot = good_snapshot();
    snapshot.services.push_back({"192.0.2.1:25",
                                 "inet",
                                 "smtpd",
                                 false,
                                 {{"smtpd_recipient_restrictions", "permit_mynetworks, reject"}}});
    snapshot.services.push_back({"submission",
                                 "inet",
                                 "smtpd",
                                 false,
                                 {{"smtpd_recipient_restrictions", "permit_sasl_authenticated, reject"}}});
    snapshot.services.push_back(
        {"127.0.0.1:10026",
         "inet",
         "smtpd",
         false,
         {{"content_filter", ""}, {"smtpd_recipient_restrictions", "permit_mynetworks, reject"}}});
    snapshot.services.push_back({"smtpd", "pass", "smtpd", false, {}});
    const Findings findings = check_restrictions(snapshot, kOurs);
    const Finding found = gravest(findings, "does not ask the table unknown");
    CHECK(found.level == Level::fail);
    CHECK(found.subject == "192.0.2.1:25/inet smtpd_recipient_restrictions");
    CHECK(found.remedy.starts_with("postconf -PX '192.0.2.1:25/inet/smtpd_recipient_restrictions'\n"));
    for (const Finding& finding : findings) {
        CHECK(finding.subject.find("submission") == std::string::npos);
        CHECK(finding.subject.find("10026") == std::string::npos);
    }
    // The same lists are judged once.
    CHECK(std::count_if(findings.begin(), findings.end(), [](const Finding& one) {
              return one.level == Level::ok && one.subject == "smtpd_recipient_restrictions";
          }) == 1);
    snapshot.services = {{"smtp", "unix", "smtp", false, {}}};
    CHECK(worst_of(check_restrictions(snapshot, kOurs)) == Level::warn);
}

TEST_CASE("tables that are not there yet", "[check][check]") {
    OurTables later = kOurs;
    later.present = false;
    const Finding early = gravest(check_restrictions(good_snapshot(), later), "not there yet");
    CHECK(early.level == Level::fail);
    CHECK(early.remedy == "postcensus sync");
    Snapshot plain = good_snapshot();
    plain.parameters["smtpd_recipient_restrictions"] = "";
    CHECK(worst_of(check_restrictions(plain, later)) == Level::warn);
}
