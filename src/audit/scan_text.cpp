// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "audit/text.h"
#include "base/printable.h"

namespace postcensus::audit {
namespace {

constexpr std::size_t kMostLines = 10;  // of each list
// A network that tried so many recipients which do not exist is guessing names.
constexpr std::int64_t kHarvests = 20;

template <typename... Arguments>
void add(std::string& out, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    fmt::format_to(std::back_inserter(out), format, std::forward<Arguments>(arguments)...);
}

const char* about(bool exact) {
    return exact ? "" : "about ";
}

void add_misses(const census::ScanReport& scan, std::string& out) {
    add(out, "\nMissed recipients: {} refusals of {}{} recipients that relay_recipient_maps does not have\n",
        scan.misses, about(scan.distinct_exact), scan.distinct);
    std::size_t width = 6;
    for (const auto& domain : scan.domains) width = std::max(width, domain.domain.size());
    for (std::size_t i = 0; i < std::min(scan.domains.size(), kMostLines); ++i)
        add(out, "  {:<{}} {:>9} misses {:>6}{:>9} recipients\n", printable(scan.domains[i].domain), width,
            scan.domains[i].misses, about(scan.domains[i].exact), scan.domains[i].distinct);
    if (scan.domains.size() > kMostLines)
        add(out, "  and {} more domains\n", scan.domains.size() - kMostLines);
    if (scan.missed.empty()) return;
    out += "  the most missed:\n";
    for (std::size_t i = 0; i < std::min(scan.missed.size(), kMostLines); ++i)
        add(out, "  {:>9} times by {:>4} clients  {}\n", scan.missed[i].count, scan.missed[i].clients,
            printable(scan.missed[i].recipient));
}

void add_networks(const census::ScanReport& scan, std::string& out) {
    const auto harvesting = std::count_if(scan.networks.begin(), scan.networks.end(),
                                          [](const auto& network) { return network.distinct >= kHarvests; });
    if (harvesting == 0) return;
    add(out, "\nHarvesting: {} networks tried {} recipients or more that do not exist\n", harvesting,
        kHarvests);
    for (std::size_t i = 0; i < std::min<std::size_t>(static_cast<std::size_t>(harvesting), kMostLines); ++i)
        add(out, "  {:<24} {:>6}{:>9} recipients in {:>9} tries\n", printable(scan.networks[i].network),
            about(scan.networks[i].exact), scan.networks[i].distinct, scan.networks[i].misses);
}

void add_bounces(const census::ScanReport& scan, std::string& out) {
    std::int64_t unknown = 0;
    std::int64_t repeated = 0;
    std::int64_t recipients = 0;
    for (const auto& bounce : scan.bounces) {
        if (!bounce.unknown) continue;
        unknown += bounce.count;
        repeated += bounce.count - 1;
        ++recipients;
    }
    add(out,
        "\nBounces: {} deliveries in these domains were refused for good, {} of them because there is no "
        "such "
        "recipient\n",
        scan.bounced, unknown);
    for (std::size_t i = 0; i < std::min(scan.bounces.size(), kMostLines); ++i)
        add(out, "  {:>9} times {}: {}\n", scan.bounces[i].count, printable(scan.bounces[i].recipient),
            printable(scan.bounces[i].reply, 100));
    if (unknown > 0)
        add(out,
            "  Each of the {} made this gateway send mail to its sender, who may be forged: backscatter.\n"
            "  With Postcensus the first mail to each of the {} recipients makes a question, and the {} "
            "others would "
            "have\n"
            "  met a refusal at RCPT TO, as long as the proof holds.\n",
            unknown, recipients, repeated);
}

// What a code other than 450 (Postcensus) and 550 (Postfix's default) does to senders.
void add_codes(const census::ScanReport& scan, std::string& out) {
    for (const auto& [code, count] : scan.codes)
        if (code != 450 && code != 550)
            add(out,
                "\nWrong code: {} misses were answered with {}{}.\n"
                "  -> unknown_relay_recipient_reject_code = 450 in main.cf\n",
                count, code, code >= 500 ? ", a refusal for good before anybody was asked" : "");
}

// No form of a log may look like an empty log.
void add_not_read(const census::ScanReport& scan, std::string& out) {
    if (scan.strange > 0)
        add(out,
            "\nNot understood: {} lines look like Postfix's, but their beginning or their fields are in no "
            "form "
            "that is known, so nothing was learned from them. The first:\n  {}\n"
            "  -> Of a journal, `journalctl -o short-iso` is understood; of syslog, its usual formats.\n",
            scan.strange, scan.strange_line);
    if (scan.namesakes > 0)
        add(out,
            "\nLeft out: {} lines are of a Postfix under another syslog name. The first:\n  {}\n"
            "  -> name it in syslog-name of [log], and run scan with that configuration\n",
            scan.namesakes, scan.namesake_line);
}

}  // namespace

std::string scan_text(const census::ScanReport& scan) {
    std::string out;
    add(out, "{} lines, {:.1f} MB in {} {}", scan.lines, static_cast<double>(scan.bytes) / 1e6, scan.files,
        scan.files == 1 ? "file" : "files");
    if (scan.first && scan.last)
        add(out, ", from {} to {}", format_time(*scan.first), format_time(*scan.last));
    add(out, "\nevents: {} misses, {} rejections of ours, {} bounces, {} deliveries in relayed domains\n",
        scan.misses, scan.asked, scan.bounced, scan.delivered);
    if (scan.hostile + scan.cut + scan.invalid > 0)
        add(out, "left out: {} hostile, {} cut, {} without a valid address\n", scan.hostile, scan.cut,
            scan.invalid);
    add_not_read(scan, out);
    if (scan.misses > 0) add_misses(scan, out);
    add_codes(scan, out);
    add_networks(scan, out);
    if (scan.bounced > 0) add_bounces(scan, out);
    if (scan.misses > 0)
        add(out,
            "\nWith Postcensus: one question for each of {}{} recipients, and none for the other {} refusals "
            "within the "
            "hour.\n",
            about(scan.distinct_exact), scan.distinct,
            std::max<std::int64_t>(0, scan.misses - scan.distinct));
    if (scan.unread > 0)
        add(out, "\nNot read to the end: {} of the {} files, so there may be more than this.\n", scan.unread,
            scan.files);
    const bool whole = scan.unread == 0 && scan.strange == 0 && scan.namesakes == 0;
    if (scan.misses == 0 && scan.bounced == 0 && whole)
        out +=
            "\nNothing to learn: no recipient was missed, and no delivery was refused.\n"
            "Is this the log of smtpd, and is the syslog name right ([log] syslog-name)?\n";
    if (!scan.missed_complete || !scan.bounces_complete)
        out +=
            "\nThere were too many recipients to keep all: those that were met least are not listed, and "
            "their "
            "number is an estimate.\n";
    return out;
}

}  // namespace postcensus::audit
