// SPDX-License-Identifier: MIT
#include "census/scan.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/printable.h"

namespace postcensus::census {
namespace {

// So many of each are kept. When there are more, those that were met least go: mostly made-up names that were
// met once.
constexpr std::size_t kMostRecipients = 40'000;
constexpr std::size_t kMostGroups = 10'000;

// Makes room for one more. True if something was dropped.
template <typename Map>
bool make_room(Map& map, std::size_t most) {
    if (map.size() < most) return false;
    for (std::int64_t least = 1; map.size() > most / 2; least *= 2)
        std::erase_if(map, [least](const auto& entry) { return entry.second.count <= least; });
    return true;
}

// The first bytes of the client's address: three of IPv4, eight of IPv6.
std::string network_of(const std::string& client) {
    std::array<char, 16> bytes{};
    if (::inet_pton(AF_INET, client.c_str(), bytes.data()) == 1) return {bytes.data(), 3};
    if (::inet_pton(AF_INET6, client.c_str(), bytes.data()) == 1) return {bytes.data(), 8};
    return {};
}

std::string spell_network(const std::string& network) {
    if (network.empty()) return "unknown";
    std::array<char, 16> bytes{};
    std::copy(network.begin(), network.end(), bytes.begin());
    char text[INET6_ADDRSTRLEN] = "";
    ::inet_ntop(network.size() == 3 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
    return fmt::format("{}/{}", text, network.size() * 8);
}

// RFC 3463 5.1.1, Exchange's 5.1.10, and its 5.4.1 with these words: there is no such recipient.
bool says_unknown(const std::string& reply) {
    const std::size_t blank = reply.find(' ');
    const std::string_view rest = std::string_view(reply).substr(std::min(blank, reply.size()));
    return rest.starts_with(" 5.1.1") || rest.starts_with(" 5.1.10") || rest.starts_with(" #5.1.1") ||
           (rest.starts_with(" 5.4.1") && rest.find("Recipient address rejected") != std::string_view::npos);
}

}  // namespace

Scan::Scan(std::function<bool(std::string_view)> relayed) : relayed_(std::move(relayed)) {}

bool Scan::counts(std::string_view domain) const {
    return relayed_ ? relayed_(domain) : domains_.contains(std::string(domain));
}

void Scan::take(const mail::LogEvent& event) {
    if (event.kind == mail::EventKind::miss) return take_miss(event);
    // A bounce is of what Postfix accepted: that may be the address before it was rewritten.
    const bool rewritten = event.kind == mail::EventKind::bounced && event.original &&
                           event.original->domain() != event.recipient.domain();
    const mail::Address& accepted = rewritten ? *event.original : event.recipient;
    const std::string domain(accepted.domain());
    if (relayed_ && !relayed_(domain)) return;
    auto found = others_.find(domain);
    if (found == others_.end()) {
        // A gateway delivers to more domains in the world than it relays for.
        others_dropped_ |= make_room(others_, kMostGroups);
        found = others_.emplace(domain, Others{}).first;
    }
    found->second.count += event.times;
    if (event.kind == mail::EventKind::asked) found->second.asked += event.times;
    if (event.kind == mail::EventKind::delivered) found->second.delivered += event.times;
    if (event.kind != mail::EventKind::bounced) return;
    found->second.bounced += event.times;
    const std::string recipient = accepted.external();
    auto bounce = bounced_.find(recipient);
    if (bounce == bounced_.end()) {
        bounced_dropped_ |= make_room(bounced_, kMostRecipients);
        bounce = bounced_.emplace(recipient, Bounced{domain, 0, {}}).first;
    }
    bounce->second.count += event.times;
    bounce->second.reply = event.reply;
}

void Scan::take_miss(const mail::LogEvent& event) {
    const std::string domain(event.recipient.domain());
    if (relayed_ && !relayed_(domain)) return;
    sums_.misses += event.times;
    sums_.codes[event.code] += event.times;
    const std::string recipient = event.recipient.external();
    distinct_.add(recipient);
    auto missed = missed_.find(recipient);
    if (missed == missed_.end()) {
        missed_dropped_ |= make_room(missed_, kMostRecipients);
        missed = missed_.emplace(recipient, Missed{}).first;
    }
    missed->second.count += event.times;
    missed->second.clients.add(event.client);
    for (auto& [groups, name] :
         {std::pair(&domains_, domain), std::pair(&networks_, network_of(event.client))}) {
        auto group = groups->find(name);
        if (group == groups->end()) {
            make_room(*groups, kMostGroups);
            group = groups->emplace(name, Group{}).first;
        }
        group->second.count += event.times;
        group->second.recipients.add(recipient);
    }
}

void Scan::drop(mail::Dropped why, std::string_view line) {
    if (why == mail::Dropped::hostile) ++sums_.hostile;
    if (why == mail::Dropped::cut) ++sums_.cut;
    if (why == mail::Dropped::invalid) ++sums_.invalid;
    if (why == mail::Dropped::strange && ++sums_.strange == 1) sums_.strange_line = printable(line);
    if (why == mail::Dropped::namesake && ++sums_.namesakes == 1) sums_.namesake_line = printable(line);
}

void Scan::saw(Time at) {
    sums_.first = std::min(sums_.first.value_or(at), at);
    sums_.last = std::max(sums_.last.value_or(at), at);
}

void Scan::add_file(std::int64_t lines, std::int64_t bytes) {
    ++sums_.files;
    sums_.lines += lines;
    sums_.bytes += bytes;
}

ScanReport Scan::report() const {
    ScanReport report = sums_;
    report.distinct = std::min(distinct_.value(), report.misses);
    report.distinct_exact = distinct_.exact();
    report.missed_complete = !missed_dropped_;
    report.bounces_complete = !bounced_dropped_ && !others_dropped_;
    for (const auto& [domain, counts] : others_) {
        if (!this->counts(domain)) continue;
        report.asked += counts.asked;
        report.bounced += counts.bounced;
        report.delivered += counts.delivered;
    }
    for (const auto& [recipient, missed] : missed_)
        report.missed.push_back({recipient, missed.count, std::min(missed.clients.value(), missed.count)});
    for (const auto& [recipient, bounce] : bounced_)
        if (counts(bounce.domain))
            report.bounces.push_back({recipient, bounce.count, bounce.reply, says_unknown(bounce.reply)});
    const auto distinct = [](const Group& group) { return std::min(group.recipients.value(), group.count); };
    const auto by_count = [](const auto& a, const auto& b) {
        return a.count != b.count ? a.count > b.count : a.recipient < b.recipient;
    };
    std::sort(report.missed.begin(), report.missed.end(), by_count);
    std::sort(report.bounces.begin(), report.bounces.end(), by_count);
    for (const auto& [domain, group] : domains_)
        report.domains.push_back({domain, group.count, distinct(group), group.recipients.exact()});
    std::sort(report.domains.begin(), report.domains.end(), [](const auto& a, const auto& b) {
        return a.misses != b.misses ? a.misses > b.misses : a.domain < b.domain;
    });
    for (const auto& [network, group] : networks_)
        report.networks.push_back(
            {spell_network(network), group.count, distinct(group), group.recipients.exact()});
    std::sort(report.networks.begin(), report.networks.end(), [](const auto& a, const auto& b) {
        return a.distinct != b.distinct ? a.distinct > b.distinct : a.network < b.network;
    });
    return report;
}

}  // namespace postcensus::census
