// SPDX-License-Identifier: MIT
#include "census/scan.h"

#include <string>

#include "catch.h"

using namespace postcensus;
using census::DistinctCount;
using census::Scan;
using mail::EventKind;
using mail::LogEvent;

namespace {

LogEvent event(EventKind kind, const std::string& recipient, const std::string& client = "192.0.2.7",
               const std::string& reply = {}) {
    LogEvent out(kind, mail::Address::from_internal(recipient).value(), {});
    out.client = client;
    out.reply = reply;
    return out;
}

}  // namespace

TEST_CASE("different things are counted exactly, then by estimate", "[census][distinct]") {
    for (const int number : {0, 1, 63, 64}) {
        DistinctCount count(64);
        for (int round = 0; round < 2; ++round)
            for (int i = 0; i < number; ++i) count.add(std::to_string(i));
        CHECK(count.value() == number);
        CHECK(count.exact());
    }
    for (const int number : {10'000, 1'000'000}) {
        DistinctCount count(4096);
        for (int i = 0; i < number; ++i) count.add("user" + std::to_string(i) + "@corp.example");
        CHECK_FALSE(count.exact());
        CHECK(count.value() == Approx(number).epsilon(0.08));
    }
}

TEST_CASE("a scan counts events of the domains that a miss names", "[census][scan]") {
    Scan scan;
    scan.take(event(EventKind::delivered, "anna@corp.example"));
    scan.take(event(EventKind::delivered, "world@elsewhere.example"));
    scan.take(event(EventKind::bounced, "gone@corp.example", "", "550 5.1.10 not found"));
    scan.take(event(EventKind::bounced, "gone@corp.example", "", "550 5.1.1 <gone@corp.example> unknown"));
    scan.take(event(EventKind::bounced, "big@corp.example", "", "552 5.2.3 too large"));
    scan.take(event(EventKind::bounced, "x@elsewhere.example", "", "550 5.1.1 unknown"));
    CHECK_FALSE(scan.counts("corp.example"));
    for (int i = 0; i < 3; ++i)
        scan.take(event(EventKind::miss, "b@corp.example", "192.0.2." + std::to_string(i % 2)));
    scan.take(event(EventKind::miss, "a@corp.example", "2001:db8::1"));
    scan.take(event(EventKind::asked, "b@corp.example"));
    scan.drop(mail::Dropped::hostile);
    scan.add_file(10, 1000);
    CHECK(scan.counts("corp.example"));
    const census::ScanReport report = scan.report();
    CHECK(report.misses == 4);
    CHECK(report.asked == 1);
    CHECK(report.bounced == 3);
    CHECK(report.delivered == 1);
    CHECK(report.hostile == 1);
    CHECK(report.distinct == 2);
    REQUIRE(report.missed.size() == 2);
    CHECK(report.missed[0].recipient == "b@corp.example");
    CHECK(report.missed[0].count == 3);
    CHECK(report.missed[0].clients == 2);
    REQUIRE(report.bounces.size() == 2);
    CHECK(report.bounces[0].recipient == "gone@corp.example");
    CHECK(report.bounces[0].count == 2);
    CHECK(report.bounces[0].reply == "550 5.1.1 <gone@corp.example> unknown");
    CHECK(report.bounces[0].unknown);
    CHECK_FALSE(report.bounces[1].unknown);
    REQUIRE(report.networks.size() == 2);
    CHECK(report.networks[0].network == "192.0.2.0/24");
    CHECK(report.networks[1].network == "2001:db8::/64");
}

TEST_CASE("with routes only their domains count", "[census][scan]") {
    Scan scan([](std::string_view domain) { return domain == "corp.example"; });
    scan.take(event(EventKind::miss, "a@corp.example"));
    scan.take(event(EventKind::miss, "a@other.example"));
    scan.take(event(EventKind::delivered, "a@other.example"));
    CHECK(scan.report().misses == 1);
    CHECK(scan.report().delivered == 0);
}

TEST_CASE("a bounce counts for the address that was accepted", "[census][scan]") {
    Scan scan([](std::string_view domain) { return domain == "corp.example"; });
    LogEvent rewritten = event(EventKind::bounced, "bob@inside.example", "", "550 5.1.1 unknown");
    rewritten.original = mail::Address::from_internal("bob@corp.example");
    scan.take(rewritten);
    // The world's bounces take nothing away from ours.
    for (int i = 0; i < 50'000; ++i)
        for (int times = 0; times < 2; ++times)
            scan.take(
                event(EventKind::bounced, "x@d" + std::to_string(i) + ".example", "", "550 5.1.1 unknown"));
    const census::ScanReport report = scan.report();
    CHECK(report.bounced == 1);
    REQUIRE(report.bounces.size() == 1);
    CHECK(report.bounces[0].recipient == "bob@corp.example");
    CHECK(report.bounces_complete);
}

TEST_CASE("made-up recipients by the million take bounded memory, and the often missed stay",
          "[census][scan]") {
    Scan scan;
    for (int i = 0; i < 300'000; ++i) {
        scan.take(event(EventKind::miss, "x" + std::to_string(i) + "@corp.example"));
        if (i % 100 == 0) scan.take(event(EventKind::miss, "often@corp.example"));
    }
    const census::ScanReport report = scan.report();
    CHECK(report.misses == 303'000);
    CHECK(report.missed.size() <= 40'000);
    CHECK_FALSE(report.missed_complete);
    CHECK(report.missed[0].recipient == "often@corp.example");
    CHECK(report.missed[0].count == 3000);
    CHECK(report.distinct == Approx(300'001).epsilon(0.08));
    CHECK_FALSE(report.distinct_exact);
}
