// SPDX-License-Identifier: MIT
// Reports for the tests of what is made of them: an ordinary one, one that strangers wrote, and a large one.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "census/report.h"

namespace postcensus::test {

inline const Time kMade = *parse_time("2026-11-24T03:47:46Z");

inline Time before(std::chrono::minutes minutes) {
    return kMade - minutes;
}

// Numbers that look like chance and are always the same.
class Dice {
  public:
    std::int64_t below(std::int64_t most) {
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<std::int64_t>((state_ >> 33U) % static_cast<std::uint64_t>(most));
    }

  private:
    std::uint64_t state_ = 1;
};

inline void add_steps(census::Report& report, int steps, Milliseconds step, int sizes) {
    Dice dice;
    report.step = step;
    const Time begin = kMade - step * steps;
    for (int i = 0; i < steps; ++i) {
        const std::int64_t day = 40 + 30 * ((i % 24) > 7 && (i % 24) < 18 ? 1 : 0);
        const std::int64_t wave = i == steps * 2 / 3 || i == steps * 2 / 3 + 1 ? 420 : 0;
        census::Step one{.at = begin + step * i};
        one.misses = day + dice.below(40) + wave;
        one.suppressed = wave > 0 ? wave - dice.below(60) : dice.below(6);
        one.asked = day * 2 + dice.below(60);
        one.came = dice.below(9) > 6 ? dice.below(8) : 0;
        one.left = dice.below(9) > 7 ? dice.below(4) : 0;
        one.rejected = dice.below(12);
        one.callouts = {{"unknown", 12 + dice.below(20)},
                        {"deliverable", dice.below(5)},
                        {"policy", dice.below(3)},
                        {"retry", i > steps / 2 && i < steps / 2 + 8 ? 14 + dice.below(9) : dice.below(2)}};
        report.steps.push_back(one);
    }
    for (int i = 0; i < sizes; ++i)
        report.sizes.push_back({begin + step * (static_cast<std::int64_t>(steps) * i / sizes),
                                11'800 + i * 4 + dice.below(20), 310 + i * 2, 12, 240 + dice.below(6),
                                2'900 + i * 23 - dice.below(90)});
}

// A week of a gateway with three domains.
inline census::Report ordinary_report() {
    using namespace std::chrono_literals;
    census::Report report{.since = kMade - 168h, .until = kMade, .made = kMade};
    report.domains = {{"corp.example",
                       11'034,
                       10'790,
                       233,
                       11,
                       241,
                       2'104,
                       2,
                       8'412,
                       2'877,
                       61,
                       14,
                       812,
                       false,
                       {61, 780ms, 33s}},
                      {"research.corp.example",
                       1'245,
                       1'131,
                       113,
                       1,
                       6,
                       873,
                       0,
                       1'922,
                       907,
                       12,
                       2,
                       288,
                       false,
                       {12, 4s, 5h}},
                      {"old-brand.example", 310, 310, 0, 0, 0, 0, 0, 4'016, 3'120, 0, 0, 0, true, {}}};
    report.elsewhere = 42;
    report.waiting = {{"invoice@old-brand.example", before(96h), before(12min), 27, "accept-all",
                       "accept-all: 250 2.1.5 Ok"},
                      {"m.mueller-lüdenscheidt@corp.example", before(5h), before(31min), 9, "no-evidence",
                       "retry: 451 4.7.0 Temporary server error. Please try again later. PRX4"},
                      {"newsletter-2019@corp.example", before(26h), before(3h), 4, "contested",
                       "unknown: 550 5.1.10 RESOLVER.ADR.RecipientNotFound"}};
    report.waiting_total = 3;
    report.learned = {{73, 820ms, 41s}, 5h, {42, 9, 6, 4, 5, 3, 2, 1, 0, 1, 0}};
    report.gaps = {
        {"scanner-3rd-floor@corp.example", before(40h), "a mailbox, or a group without a proxy address"},
        {"projekt-x@research.corp.example", before(70h), "a mailbox, or a group without a proxy address"}};
    report.gaps_total = 2;
    report.conflicts = {{"former.employee@corp.example", "CN=Former Employee,OU=Staff,DC=corp,DC=example",
                         before(9h), "ex1.corp.example:2525", "550 5.1.10 RESOLVER.ADR.RecipientNotFound",
                         true}};
    report.conflicts_total = 1;
    report.bounces = {{"sales@corp.example", "ex2.corp.example", "550 5.7.1 RESOLVER.RST.AuthRequired",
                       before(80h), before(2h), 14, "closed"}};
    report.bounces_total = 1;
    report.held = {
        {17, "anna.smith@corp.example", "corp", "CN=Anna Smith,OU=Staff,DC=corp,DC=example", "gate",
         before(11h)},
        {17, "ben@corp.example", "corp", "CN=Ben,OU=Staff,DC=corp,DC=example", "gate", before(11h)}};
    report.held_total = 2;
    report.unseen = {{"corp", "CN=Room 12,OU=Rooms,DC=corp,DC=example", "room12@corp.example"}};
    report.unseen_total = 1;
    report.mistyped = {
        {"corp", "CN=Ben,OU=Staff,DC=corp,DC=example", "smtp:ben@@corp.example", "there are two @ in a row"}};
    report.mistyped_total = 1;
    report.directories = {
        {"corp", 12'231, before(2min), before(20h), {}, {}, "3 added, 0 removed"},
        {"subsidiary", 640, before(19h), before(43h), before(19h), "the read found no recipient at all",
         "dc1.sub.example: cannot connect: connection timed out"}};
    for (int i = 0; i < 8; ++i)
        report.readings.push_back({"corp", i % 4 == 3 ? "full" : "changes", "dc1.corp.example",
                                   i == 5 ? "not applied: 4,120 removals at once" : "applied",
                                   before(i * 60min + 3min), before(i * 60min + 2min), 3 - i % 3, i % 2,
                                   i == 7 ? 1 : 0, i != 5});
    report.readings_total = 10'044;
    report.readings_failed = 1;
    report.lookups = 2'345;
    report.callouts = {
        {"unknown", 3'560}, {"deliverable", 333}, {"policy", 164}, {"retry", 262}, {"accept-all", 31}};
    report.targets = {
        {"ex1.corp.example:2525",
         {{"unknown", 3'100}, {"deliverable", 301}, {"policy", 160}},
         1'204,
         5s,
         8,
         10},
        {"[2001:db8::25]:25", {{"unknown", 460}, {"retry", 262}, {"accept-all", 31}}, 344, 0s, 0, {}}};
    report.targets_total = 2;
    report.breakers = {{"[2001:db8::25]:25", "old-brand.example", before(4h), "5 sessions in a row failed"}};
    report.stops = {{"ex1.corp.example:2525", "", before(30h), "cannot connect: refused", before(28h)}};
    report.stops_total = 1;
    report.networks = {{"203.0.113.0/24", 1'980, 741}, {"2001:db8:1::/48", 402, 12}};
    report.questions = 4;
    report.lapsed = 655;
    report.counters = {
        {"misses", 14'350}, {"misses-suppressed", 842}, {"lines-cut", 2},           {"deliveries", 96'401},
        {"log-gaps", 1},    {"new-counter", 7},         {"lines-not-understood", 3}};
    report.strange_line =
        "[ 12.5] gw postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 450 4.1.1 <b@c>";
    report.tables = {{"directory", 812, 12'243, 290, before(9min), {}},
                     {"unknown", 4'410, 2'977, 1'733, before(1min), kMade + 59min}};
    for (int i = 0; i < 12; ++i)
        report.changes.push_back({fmt::format("user{}@corp.example", i * 37),
                                  before(i * 13min),
                                  i % 3 == 0 ? "unsure" : "accept",
                                  i % 3 == 0 ? "accept" : "unsure",
                                  i % 3 == 0 ? "listed" : "lease-over",
                                  i % 3 == 0 ? "reading" : "time",
                                  {}});
    report.changes[0].waited = 2400ms;
    report.changes_total = 1'189;
    report.commands = {{"approve", "root", "hold 16: 3 removals released", before(30h)},
                       {"failsafe", "postcensus", "emptied unknown: its time was over", before(50h)}};
    report.commands_total = 2;
    report.failsafe_runs = 1;
    report.last_failsafe = report.commands[1].words;
    add_steps(report, 168, 1h, 84);
    report.attention = census::attention_of(report);
    return report;
}

// What strangers would write if they could: in log lines, replies, directories.
inline const std::vector<std::string>& hostile_texts() {
    static const std::vector<std::string> all{
        "\"<script>document.title='owned'</script>\"@corp.example",
        "</td></tr></table></section></main></body></html><h1>owned</h1>",
        "\" onmouseover=\"document.title='owned'\" x=\"",
        "' onfocus='document.title=1' autofocus tabindex=1 '",
        "&lt;b&gt; &amp; &#60;script&#62; &quot",
        "\xE2\x80\xAE"
        "gro.elpmaxe@live\xE2\x81\xA6\xD8\x9C"
        "turned",
        std::string("nul\0nul\x01\x1b[31m\x7f\xC2\x9B", 17),
        "bad\xff\xfe\xC0\x80\xED\xA0\x80utf8",
        "javascript:document.title='owned'",
        "]]><![CDATA[<svg onload=document.title='owned'>",
        "--><!-- <img src=http://192.0.2.1/x onerror=document.title='owned'>",
        "}</style><style>*{display:none}</style>",
        "</title></svg><iframe src=\"file:///etc/passwd\"></iframe><object data=x></object>",
        "zero\xE2\x80\x8Bwidth\xEF\xBB\xBF\xC2\xAD\xE2\x81\xA0\xF3\xA0\x81\x81",
        "Z\xCC\x80\xCC\x81\xCC\x82\xCC\x83\xCC\x84\xCC\x85\xCC\x86\xCC\x87\xCC\x88\xCC\x89\xCC\x8A\xCC\x8B",
        "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D@corp.example",
        "<form action=//192.0.2.1><input name=a><a href=javascript:alert(1)>x</a>",
        "{{constructor}} ${7*7} <%= x %> \\u003cscript\\u003e",
        std::string(10'000, 'w'),
        std::string(10'000, '<')};
    return all;
}

// `lines` lines in each list, and each text of them hostile.
inline census::Report hostile_report(int lines = 40) {
    using namespace std::chrono_literals;
    census::Report report{.since = kMade - 168h, .until = kMade, .made = kMade};
    std::size_t next = 0;
    const auto evil = [&next] { return hostile_texts()[next++ % hostile_texts().size()]; };
    for (int i = 0; i < lines; ++i) {
        next = static_cast<std::size_t>(i);
        const Time at = before(std::chrono::minutes(i));
        report.attention.push_back({evil(), evil()});
        report.domains.push_back(
            {evil(), 9'223'372'036'854'775'807, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, i % 2 == 0, {i, 1s, 2s}});
        report.waiting.push_back({evil(), at, at, i, evil(), evil()});
        report.gaps.push_back({evil(), at, evil()});
        report.conflicts.push_back({evil(), evil(), at, evil(), evil(), i % 2 == 0});
        report.bounces.push_back({evil(), evil(), evil(), at, at, i, evil()});
        report.held.push_back({i, evil(), evil(), evil(), evil(), at});
        report.unseen.push_back({evil(), evil(), evil()});
        report.mistyped.push_back({evil(), evil(), evil(), evil()});
        report.directories.push_back({evil(), i, at, {}, {}, evil(), evil()});
        report.readings.push_back({evil(), evil(), evil(), evil(), at, at, i, -i, i, i % 2 == 0});
        report.targets.push_back({evil(), {{evil(), i}, {"unknown", i}}, i, 5s, i, i});
        report.breakers.push_back({evil(), evil(), at, evil()});
        report.stops.push_back({evil(), evil(), at, evil(), at});
        report.networks.push_back({evil(), i, i});
        report.counters[evil()] = i;
        report.tables.push_back({evil(), i, i, i, at, at});
        report.changes.push_back({evil(), at, evil(), evil(), evil(), evil(), 5s});
        report.commands.push_back({evil(), evil(), evil(), at});
        report.callouts[evil()] = i;
    }
    report.learned = {{lines, 1s, 2s}, 3s, {1, 2, 3}};
    add_steps(report, 168, 1h, 84);
    for (census::Step& step : report.steps) step.callouts[evil()] = 3;
    return report;
}

// The same of one domain, if that is one.
inline census::Report hostile_domain_report() {
    census::Report report = hostile_report();
    report.domain = hostile_texts().front();
    return report;
}

// An ordinary one of one domain, with all that it would not have.
inline census::Report one_domain_report() {
    census::Report report = ordinary_report();
    report.domain = "corp.example";
    return report;
}

// 1,000 domains, 400 days, and `lines` lines in each of the long lists.
inline census::Report large_report(int lines = 200) {
    using namespace std::chrono_literals;
    census::Report report = ordinary_report();
    report.since = kMade - 400 * 24h;
    report.steps.clear();
    report.sizes.clear();
    add_steps(report, 400, 24h, 400);
    report.domains.clear();
    for (int i = 0; i < 1000; ++i)
        report.domains.push_back({fmt::format("customer-{:04}.example", i),
                                  12'345,
                                  12'000,
                                  345,
                                  0,
                                  17,
                                  2'222,
                                  0,
                                  100'000 + i,
                                  54'321,
                                  111,
                                  22,
                                  3'333,
                                  i % 100 == 0,
                                  {i, 800ms, 4h}});
    const auto grow = [lines](auto& list) {
        while (list.size() < static_cast<std::size_t>(lines)) list.push_back(list[list.size() % 2]);
    };
    report.bounces.push_back(report.bounces[0]);
    report.conflicts.push_back(report.conflicts[0]);
    report.unseen.push_back(report.unseen[0]);
    report.mistyped.push_back(report.mistyped[0]);
    grow(report.waiting);
    grow(report.gaps);
    grow(report.conflicts);
    grow(report.bounces);
    grow(report.held);
    grow(report.unseen);
    grow(report.mistyped);
    grow(report.readings);
    grow(report.changes);
    grow(report.commands);
    grow(report.networks);
    report.stops.push_back(report.stops[0]);
    report.breakers.push_back(report.breakers[0]);
    grow(report.stops);
    grow(report.breakers);
    return report;
}

}  // namespace postcensus::test
