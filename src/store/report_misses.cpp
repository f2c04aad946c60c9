// SPDX-License-Identifier: MIT
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "census/network.h"
#include "store/report_parts.h"

namespace postcensus::store {
namespace {

constexpr std::size_t kMostNetworksShown = 20;

// One recipient that was missed in the period.
struct Missed {
    std::int64_t address = 0;
    std::int64_t misses = 0;
};

// The rows of the period, once: what is counted of them is counted here. In SQL each count would sort them
// anew.
class Misses {
  public:
    void add(std::int64_t address, const std::string& client) {
        const auto [known, is_new] = networks_.try_emplace(client, names_.size());
        if (is_new) {
            // Clients of one network share a number.
            const auto [network, first] =
                numbers_.try_emplace(census::spell_network_of(client), names_.size());
            if (first) names_.push_back(network->first);
            known->second = network->second;
        }
        ++addresses_[address];
        pairs_.emplace_back(address, static_cast<std::uint32_t>(known->second));
    }

    std::vector<Missed> recipients() const {
        std::vector<Missed> all;
        all.reserve(addresses_.size());
        for (const auto& [address, misses] : addresses_) all.push_back({address, misses});
        // In the order in which they are stored they are found sooner.
        std::sort(all.begin(), all.end(),
                  [](const Missed& a, const Missed& b) { return a.address < b.address; });
        return all;
    }

    // Distinct recipients of each network, of these (sorted).
    std::unordered_map<std::string, std::int64_t> by_network(const std::vector<std::int64_t>& strangers) {
        std::sort(pairs_.begin(), pairs_.end());
        pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
        std::unordered_map<std::string, std::int64_t> counts;
        for (const auto& [address, network] : pairs_)
            if (std::binary_search(strangers.begin(), strangers.end(), address)) ++counts[names_[network]];
        return counts;
    }

  private:
    std::unordered_map<std::int64_t, std::int64_t> addresses_;
    std::unordered_map<std::string, std::size_t> networks_;  // by client
    std::unordered_map<std::string, std::size_t> numbers_;   // by name
    std::vector<std::string> names_;
    std::vector<std::pair<std::int64_t, std::uint32_t>> pairs_;
};

// Those that ask for most people who do not exist.
void load_networks(SQLite::Database& db, const Scope& scope,
                   const std::unordered_map<std::string, std::int64_t>& missed, census::Report& report) {
    std::unordered_map<std::string, census::NetworkLine> lines;
    for (const auto& [network, count] : missed) lines[network] = {network, count, 0};
    if (scope.domain.empty()) {
        SQLite::Statement harvests(db,
                                   "SELECT network, sum(suppressed) AS suppressed FROM harvest WHERE hour "
                                   "BETWEEN :since / 3600000 AND (:until - 1) / 3600000 GROUP BY network");
        bind_scope(harvests, scope);
        while (harvests.executeStep()) {
            const std::string name = harvests.getColumn("network").getString();
            census::NetworkLine& line = lines[name];
            line.network = name.empty() ? "others" : name;
            line.suppressed = harvests.getColumn("suppressed").getInt64();
        }
    }
    for (auto& [name, line] : lines) report.networks.push_back(std::move(line));
    std::sort(report.networks.begin(), report.networks.end(),
              [](const census::NetworkLine& a, const census::NetworkLine& b) {
                  return std::pair(a.missed + a.suppressed, b.network) >
                         std::pair(b.missed + b.suppressed, a.network);
              });
    // One that asked for one name that nobody has is a typo.
    std::erase_if(report.networks,
                  [](const census::NetworkLine& line) { return line.missed < 2 && line.suppressed == 0; });
    report.networks.resize(std::min(report.networks.size(), kMostNetworksShown));
}

// Of these, the shortest in front.
census::WaitTimes times_of(const std::vector<Milliseconds>& waited) {
    if (waited.empty()) return {};
    // The nearest rank: a time that was, not one between two.
    const auto rank = [&waited](std::size_t percent) {
        return waited[(waited.size() * percent + 99) / 100 - 1];
    };
    return {static_cast<std::int64_t>(waited.size()), rank(50), rank(95)};
}

}  // namespace

void load_misses(SQLite::Database& db, const Scope& scope, census::Report& report) {
    Misses misses;
    SQLite::Statement rows(db, "SELECT address_id, client FROM miss WHERE at >= :since AND at < :until");
    bind_scope(rows, scope);
    while (rows.executeStep()) misses.add(rows.getColumn(0).getInt64(), rows.getColumn(1).getString());

    std::unordered_map<std::string, census::DomainCounts*> domains;
    for (census::DomainCounts& domain : report.domains) domains[domain.domain] = &domain;
    std::vector<std::int64_t> strangers;
    SQLite::Statement known(db, "SELECT domain, answer FROM address WHERE id = ?");
    for (const Missed& missed : misses.recipients()) {
        known.reset();
        known.bind(1, missed.address);
        if (!known.executeStep()) continue;
        const auto domain = domains.find(known.getColumn(0).getString());
        if (domain == domains.end()) continue;
        domain->second->misses += missed.misses;
        ++domain->second->missed;
        const std::string answer = known.getColumn(1).getString();
        if (answer != "accept" && answer != "closed") strangers.push_back(missed.address);
    }
    load_networks(db, scope, misses.by_network(strangers), report);
}

void load_waiting(SQLite::Database& db, const Scope& scope, census::Report& report) {
    SQLite::Statement total(
        db,
        "SELECT count(*) FROM address WHERE waits_last >= waits_since + 3600000 AND waits_last >= :since AND "
        "waits_since < :until AND answer = 'unsure' AND (:domain = '' OR +domain = :domain)");
    bind_scope(total, scope);
    total.executeStep();
    report.waiting_total = total.getColumn(0).getInt64();
    SQLite::Statement waiting(
        db,
        "SELECT address, reason, waits_since, waits_last, (SELECT count(*) FROM miss WHERE miss.address_id = "
        "one.id AND at >= waits_since) AS misses, "
        "coalesce((SELECT class || ': ' || reply FROM callout WHERE callout.address_id = one.id ORDER BY "
        "began_seq DESC, id DESC LIMIT 1), '') AS last_callout "
        "FROM (SELECT id, address, reason, waits_since, waits_last FROM address WHERE waits_last >= "
        "waits_since + 3600000 AND waits_last >= :since AND waits_since < :until AND answer = 'unsure' AND "
        "(:domain = '' OR +domain = :domain) ORDER BY waits_since, id LIMIT :most) AS one");
    bind_scope(waiting, scope);
    while (waiting.executeStep())
        report.waiting.push_back(
            {quoted_address(waiting), from_unix_ms(waiting.getColumn("waits_since").getInt64()),
             from_unix_ms(waiting.getColumn("waits_last").getInt64()), waiting.getColumn("misses").getInt64(),
             waiting.getColumn("reason").getString(), waiting.getColumn("last_callout").getString()});
}

void load_learned(SQLite::Database& db, const Scope& scope, census::Report& report) {
    SQLite::Statement learned(
        db,
        "SELECT waited, (SELECT domain FROM address WHERE address.id = address_id) AS its FROM event WHERE "
        "waited IS NOT NULL AND at >= :since AND at < :until AND (:domain = '' OR its = :domain) ORDER BY "
        "waited");
    bind_scope(learned, scope);
    std::vector<Milliseconds> waited;
    std::unordered_map<std::string, std::vector<Milliseconds>> by_domain;
    while (learned.executeStep()) {
        waited.emplace_back(learned.getColumn("waited").getInt64());
        by_domain[learned.getColumn("its").getString()].push_back(waited.back());
    }
    for (census::DomainCounts& domain : report.domains)
        if (const auto its = by_domain.find(domain.domain); its != by_domain.end())
            domain.waits = times_of(its->second);
    census::LearnTimes& times = report.learned;
    static_cast<census::WaitTimes&>(times) = times_of(waited);
    times.histogram.assign(std::size(census::kLearnSteps) + 1, 0);
    if (!waited.empty()) times.longest = waited.back();
    for (const Milliseconds one : waited) {
        const auto* step =
            std::lower_bound(std::begin(census::kLearnSteps), std::end(census::kLearnSteps), one);
        ++times.histogram[static_cast<std::size_t>(step - std::begin(census::kLearnSteps))];
    }
}

}  // namespace postcensus::store
