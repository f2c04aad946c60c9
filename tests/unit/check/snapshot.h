// SPDX-License-Identifier: MIT
// A Postfix as the design wants it, to be spoiled by a test.
#pragma once

#include <algorithm>
#include <string>

#include "catch.h"
#include "check/finding.h"
#include "check/master_cf.h"
#include "check/restrictions.h"

namespace postcensus::check {

inline const OurTables kOurs{"lmdb", "/m", true};
inline constexpr const char* kGoodOrder =
    "check_recipient_access lmdb:/m/unknown, reject_unlisted_recipient, permit_mynetworks, "
    "permit_sasl_authenticated, check_recipient_access lmdb:/m/closed, reject_unauth_destination";

inline Snapshot good_snapshot() {
    Snapshot snapshot;
    snapshot.parameters = {{"relay_recipient_maps", "lmdb:/m/directory, lmdb:/m/learned"},
                           {"unknown_relay_recipient_reject_code", "450"},
                           {"smtpd_recipient_restrictions", kGoodOrder},
                           {"smtpd_relay_restrictions",
                            "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"},
                           {"smtpd_delay_reject", "yes"},
                           {"smtpd_reject_unlisted_recipient", "yes"},
                           {"smtpd_sasl_auth_enable", "no"},
                           {"info_log_address_format", "external"},
                           {"soft_bounce", "no"},
                           {"smtpd_reject_unlisted_sender", "no"},
                           {"syslog_name", "postfix"},
                           {"default_destination_recipient_limit", "50"},
                           {"relay_destination_recipient_limit", "1"}};
    snapshot.services = {{"smtp", "inet", "smtpd", false, {}}, {"relay", "unix", "smtp", false, {}}};
    snapshot.table_types = {"hash", "lmdb"};
    return snapshot;
}

// The gravest finding in whose words this stands; one that is ok if there is none.
inline Finding gravest(const Findings& findings, const std::string& words) {
    Finding gravest;
    for (const Finding& finding : findings)
        if (finding.words.find(words) != std::string::npos && finding.level >= gravest.level)
            gravest = finding;
    return gravest;
}

// Whatever is wrong has a remedy, and what is right needs none.
inline void check_remedies(const Findings& findings) {
    for (const Finding& finding : findings) {
        INFO(finding.subject << ": " << finding.words);
        CHECK(finding.remedy.empty() == (finding.level == Level::ok));
        CHECK_FALSE(finding.words.empty());
        CHECK_FALSE(finding.subject.empty());
    }
}

}  // namespace postcensus::check
