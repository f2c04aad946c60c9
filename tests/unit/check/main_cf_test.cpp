// SPDX-License-Identifier: MIT
#include "check/main_cf.h"

#include "check/snapshot.h"

using namespace postcensus;
using namespace postcensus::check;

namespace {

OurTables later() {
    OurTables ours = kOurs;
    ours.present = false;
    return ours;
}

}  // namespace

TEST_CASE("services as postconf prints them", "[check][master_cf]") {
    const auto services = parse_services(
        "smtp       inet  n       -       y       -       -       smtpd\n"
        "127.0.0.1:10026 inet n - n - - smtpd -o content_filter=\n"
        "    -o smtpd_client_restrictions=\n"
        "[::1]:2525 inet n - - - - smtpd\n"
        "smtpd pass - - n - - smtpd\n"
        "broken line\n",
        "smtp/inet/smtpd_recipient_restrictions = permit_mynetworks, reject\n"
        "127.0.0.1:10026/inet/content_filter =\n"
        "nobody/inet/x = y\nnonsense\n");
    REQUIRE(services.size() == 4);
    CHECK(services[0].text() == "smtp/inet");
    CHECK(services[0].port() == "smtp");
    CHECK(services[0].chrooted);
    CHECK(services[0].overrides.at("smtpd_recipient_restrictions") == "permit_mynetworks, reject");
    CHECK(services[1].port() == "10026");
    CHECK(services[1].overrides.at("content_filter").empty());
    CHECK_FALSE(services[1].chrooted);
    CHECK(services[2].port() == "2525");
    CHECK(services[3].port().empty());
    Snapshot snapshot{{{"content_filter", "smtp:x"}}, services, {}};
    CHECK(snapshot.value("content_filter") == "smtp:x");
    CHECK(snapshot.value(services[1], "content_filter").empty());
    CHECK(snapshot.value(services[0], "content_filter") == "smtp:x");
    CHECK(snapshot.value("nonsense").empty());
}

TEST_CASE("relay_recipient_maps", "[check][check]") {
    struct Case {
        const char* value;
        OurTables ours;
        Level level;
        const char* words;
        const char* remedy;
    };
    const char* good = "relay_recipient_maps = lmdb:/m/directory, lmdb:/m/learned";
    for (const Case& one : std::vector<Case>{
             {"lmdb:/m/directory, lmdb:/m/learned", kOurs, Level::ok, "names directory", ""},
             {"ldap:/x lmdb:/m/learned hash:/y lmdb:/m/directory", kOurs, Level::ok, "names directory", ""},
             {"", kOurs, Level::fail, "does not name directory, learned", good},
             {"lmdb:/m/directory, ldap:/x", kOurs, Level::fail, "does not name learned",
              "relay_recipient_maps = lmdb:/m/directory, lmdb:/m/learned, ldap:/x"},
             {"proxy:lmdb:/m/directory, lmdb:/m/learned", kOurs, Level::fail, "proxy:", good},
             {"hash:/m/directory, lmdb:/m/learned", kOurs, Level::fail, "is of the type lmdb", good},
             {"lmdb:/m/directory, lmdb:/m/learned, lmdb:/m/unknown", kOurs, Level::fail,
              "every recipient in that table", good},
             {"", later(), Level::warn, "are not there yet", "postcensus sync\n"},
             {"lmdb:/m/directory, lmdb:/m/learned", later(), Level::fail, "451", "postcensus sync"}}) {
        CAPTURE(one.value);
        Snapshot snapshot = good_snapshot();
        snapshot.parameters["relay_recipient_maps"] = one.value;
        const Findings findings = check_recipient_maps(snapshot, one.ours);
        CHECK(name_of(worst_of(findings)) == name_of(one.level));
        const Finding found = gravest(findings, one.words);
        CHECK(name_of(found.level) == name_of(one.level));
        CHECK(found.remedy.starts_with(one.remedy));
        check_remedies(findings);
    }
}

TEST_CASE("relay_recipient_maps of a service", "[check][check]") {
    Snapshot snapshot = good_snapshot();
    snapshot.services.push_back({"25", "inet", "smtpd", false, {{"relay_recipient_maps", ""}}});
    snapshot.services.push_back(
        {"127.0.0.1:10025", "inet", "smtpd", false, {{"content_filter", ""}, {"relay_recipient_maps", ""}}});
    const Findings findings = check_recipient_maps(snapshot, kOurs);
    REQUIRE(findings.size() == 2);
    CHECK(findings[0].level == Level::ok);
    CHECK(findings[1].level == Level::fail);
    CHECK(findings[1].subject == "25/inet relay_recipient_maps");
    CHECK(findings[1].remedy == "postconf -PX '25/inet/relay_recipient_maps'");
    // The classical set-up of amavis.
    CHECK(worst_of(check_reinjection(snapshot)) == Level::ok);
}

TEST_CASE("single parameters", "[check][check]") {
    CHECK(worst_of(check_parameters(good_snapshot())) == Level::ok);
    struct Case {
        const char* parameter;
        const char* value;
        Level level;
        const char* remedy;
    };
    for (const Case& one : std::vector<Case>{
             {"unknown_relay_recipient_reject_code", "550", Level::fail,
              "unknown_relay_recipient_reject_code = 450"},
             {"unknown_relay_recipient_reject_code", "450 # soft", Level::fail,
              "unknown_relay_recipient_reject_code = 450"},
             {"info_log_address_format", "internal", Level::fail, "info_log_address_format = external"},
             {"soft_bounce", "yes", Level::warn, "soft_bounce = no"},
             {"smtpd_reject_unlisted_sender", "yes", Level::warn, "smtpd_reject_unlisted_sender = no"},
             {"recipient_delimiter", "+", Level::warn, "recipient_delimiter ="}}) {
        CAPTURE(one.parameter);
        Snapshot snapshot = good_snapshot();
        snapshot.parameters[one.parameter] = one.value;
        const Findings findings = check_parameters(snapshot);
        CHECK(name_of(worst_of(findings)) == name_of(one.level));
        CHECK(std::any_of(findings.begin(), findings.end(), [&](const Finding& found) {
            return found.subject == one.parameter && found.level == one.level && found.remedy == one.remedy;
        }));
        check_remedies(findings);
    }
}

TEST_CASE("mail that comes back from a content filter", "[check][check]") {
    struct Case {
        Service service;
        const char* content_filter;
        bool reinjects;
        Level level;
    };
    const std::string option = "receive_override_options";
    for (const Case& one : std::vector<Case>{
             {{"127.0.0.1:10026", "inet", "smtpd", false, {{"content_filter", ""}}},
              "smtp:x",
              true,
              Level::warn},
             {{"127.0.0.1:10026", "inet", "smtpd", false, {{"content_filter", ""}}}, "", true, Level::warn},
             {{"127.0.0.1:10026",
               "inet",
               "smtpd",
               false,
               {{"content_filter", ""}, {option, "no_unknown_recipient_checks"}}},
              "smtp:x",
              true,
              Level::ok},
             {{"127.0.0.1:10026",
               "inet",
               "smtpd",
               false,
               {{"content_filter", ""}, {option, "no_address_mappings"}}},
              "smtp:x",
              true,
              Level::warn},
             {{"localhost:10025", "inet", "smtpd", false, {}}, "smtp:x", true, Level::warn},
             {{"localhost:10025", "inet", "smtpd", false, {}}, "", false, Level::ok},
             {{"192.0.2.1:2525", "inet", "smtpd", false, {}}, "smtp:x", false, Level::ok},
             {{"smtp", "inet", "smtpd", false, {{"content_filter", "smtp:x"}}}, "", false, Level::ok},
             {{"submission", "inet", "smtpd", false, {{"content_filter", ""}}}, "smtp:x", false, Level::ok},
             {{"smtp-amavis", "unix", "smtp", false, {{"content_filter", ""}}},
              "smtp:x",
              false,
              Level::ok}}) {
        CAPTURE(one.service.text(), one.content_filter);
        Snapshot snapshot = good_snapshot();
        snapshot.parameters["content_filter"] = one.content_filter;
        snapshot.services.push_back(one.service);
        CHECK(is_reinjection(snapshot, one.service) == one.reinjects);
        const Findings findings = check_reinjection(snapshot);
        CHECK(name_of(worst_of(findings)) == name_of(one.level));
        check_remedies(findings);
        for (const Finding& found : findings)
            if (found.level == Level::warn)
                CHECK(found.remedy.starts_with("postconf -P '" + one.service.text() +
                                               "/receive_override_options=no_unknown_recipient_checks"));
    }
}

TEST_CASE("names in the log", "[check][check]") {
    using Names = std::vector<std::string>;
    Snapshot snapshot = good_snapshot();
    snapshot.services.push_back(
        {"submission", "inet", "smtpd", false, {{"syslog_name", "postfix/submission"}}});
    snapshot.services.push_back({"relay", "unix", "smtp", false, {{"syslog_name", "postfix/$service_name"}}});
    CHECK(worst_of(check_syslog_names(snapshot, {"postfix"})) == Level::ok);
    snapshot.parameters["syslog_name"] = "postfix-in";
    CHECK(worst_of(check_syslog_names(snapshot, {"postfix"})) == Level::ok);
    snapshot.parameters["syslog_name"] = "gateway";
    const Findings findings = check_syslog_names(snapshot, Names{"postfix"});
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].level == Level::fail);
    CHECK(findings[0].remedy == "[log]\nsyslog-name = postfix gateway");
    CHECK(worst_of(check_syslog_names(snapshot, {"postfix", "gateway"})) == Level::ok);
}

TEST_CASE("one recipient a delivery", "[check][check]") {
    Snapshot snapshot = good_snapshot();
    CHECK(worst_of(check_transports(snapshot, {{"relay", {"corp.example"}}})) == Level::ok);
    for (const char* transport : {"exch", "smtp"}) {
        const Findings findings = check_transports(snapshot, {{transport, {"a.example", "b.example"}}});
        REQUIRE(findings.size() == 1);
        CHECK(findings[0].level == Level::fail);
        CHECK(findings[0].remedy == std::string(transport) + "_destination_recipient_limit = 1");
        CHECK(findings[0].words.find("a.example, b.example") != std::string::npos);
    }
    const Findings nowhere = check_transports(snapshot, {{"error", {"corp.example"}}});
    CHECK(gravest(nowhere, "nothing is delivered").level == Level::fail);
    check_remedies(nowhere);
    snapshot.parameters["default_destination_recipient_limit"] = "1";
    CHECK(worst_of(check_transports(snapshot, {{"exch", {"corp.example"}}})) == Level::ok);
}

TEST_CASE("what Postfix says is printable", "[check][check]") {
    Snapshot snapshot = good_snapshot();
    snapshot.parameters["unknown_relay_recipient_reject_code"] = "5\x1b[31m";
    snapshot.parameters["relay_recipient_maps"] = "hash:/m/directory\x07";
    for (const Findings& findings : {check_parameters(snapshot), check_recipient_maps(snapshot, kOurs)})
        for (const Finding& found : findings) CHECK(found.words.find('\x1b') == std::string::npos);
    CHECK(some_of({"a", "b", "c"}, 2) == "a, b and 1 more");
    CHECK(some_of({}) == "");
}
