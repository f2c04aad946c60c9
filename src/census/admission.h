// SPDX-License-Identifier: MIT
// Which misses become questions, before anything is stored, and in which order they are asked. Strangers
// write the log, so all of this is of fixed size, whoever sends how much: token buckets, and hashed tables
// for domains, client networks and addresses. Names that share a slot share what stands in it; an attacker
// cannot choose whose, the hash is keyed afresh at every start.
//
// At the log a network has its budget. In the queue, senders that came back go first; then networks take
// turns (start-time fair queueing: Goyal, Vin, Cheng, 1996), in which one whose recipients are mostly unknown
// has up to eight times fewer, but never none. What is asked has the domain's budget and the total one.
//
// Pure but for its key: the clock, a monotonic one, is passed in. What it knows is pacing, not evidence: it
// may be lost.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "census/network.h"
#include "census/sightings.h"
#include "mail/address.h"

namespace postcensus::census {

// "20/s", "30/m", "100/h".
struct Rate {
    double per_second = 0;
    double burst = 1;  // what may come at once: ten seconds' worth, or one whole period's for slow rates
    static Result<Rate> parse(std::string_view text);
};

struct Budget {
    Rate total{20, 200};
    Rate domain{5, 50};
    Rate network{0.5, 30};
    std::vector<Network> relays;  // clients there are not the origin: no budget per network
};

// Where a question stands among those of its domain.
struct Place {
    bool returning = false;  // its sender has come back: first in line
    double turn = 0;         // the smaller, the sooner
    bool before(const Place& other) const {
        return returning != other.returning ? returning : turn < other.turn;
    }
};

class Admission {
  public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::size_t kMostQueued = 20'000;

    Admission(Budget budget, std::uint64_t key);

    // Clients that are trusted, and not the origin of what they bring.
    void add_relays(const std::vector<Network>& relays);

    // The place that the miss of this recipient by `client` (an IP address) has in the queue; empty: it is
    // suppressed. That costs the sender nothing but time: it gets 450 and comes back.
    std::optional<Place> admit(const mail::Address& recipient, std::string_view client,
                               Clock::time_point now);

    // How many misses are queued, the domain that has most of them, and the place of its last one. Into a
    // full queue comes who belongs to another domain, or stands before that one.
    void note_queue(std::size_t queued, std::string fullest, Place last);

    // Whether a question about this domain may be asked now; then it counts. Else next_ask() says when.
    bool may_ask(std::string_view domain, Clock::time_point now);
    Clock::time_point next_ask(std::string_view domain, Clock::time_point now);
    // It was not asked after all.
    void give_back(std::string_view domain);

    // The question that stood there was taken: who comes now has missed the turns before it. At the start:
    // the first that stands in the queue.
    void note_taken(std::string_view domain, double turn);

    // Its place by what is known of its client now: one whose network proved to ask for nobody falls back.
    Place place_now(Place place, std::string_view client) const;

    // What came of a question of this client.
    void note_answer(std::string_view client, bool unknown);

  private:
    struct Bucket {
        double tokens = 0;
        Clock::time_point filled{};
        bool used = false;
        void fill(const Rate& rate, Clock::time_point now);
        Clock::time_point next(const Rate& rate, Clock::time_point now) const;
    };
    struct Domain {
        Bucket bucket;
        double turn = 0;  // that was taken last
    };
    struct Client {
        Bucket bucket;
        Bucket returning;  // a flood of new names leaves those alone that come back
        float answered = 0;
        float unknown = 0;
        double penalty() const;  // turns that it stands behind others, for its share of unknowns
    };
    static constexpr std::size_t kDomains = 4096;
    static constexpr std::size_t kNetworks = 65536;

    bool is_relay(std::string_view client) const;
    std::size_t slot(std::string_view one, std::string_view other, std::size_t size) const;
    Domain& domain_of(std::string_view name) { return domains_[slot(name, {}, kDomains)]; }
    Client& client_of(const ClientNetwork& network) { return clients_[slot(network.name, {}, kNetworks)]; }
    const Client& client_of(const ClientNetwork& network) const {
        return clients_[slot(network.name, {}, kNetworks)];
    }
    double& end_of(std::string_view domain, const ClientNetwork& network) {
        return turn_ends_[slot(domain, network.name, kNetworks)];
    }

    Budget budget_;
    std::uint64_t key_;
    Bucket total_;
    std::vector<Domain> domains_;
    std::vector<Client> clients_;
    std::vector<double> turn_ends_;  // where a network's next turn begins, of each domain and network
    Sightings sightings_;
    // What was admitted within the last minute, as far as it remembers: a repetition is the same question,
    // and costs its network nothing.
    struct Admitted {
        std::uint64_t mark = 0;
        Clock::time_point at{};
    };
    std::vector<Admitted> admitted_;
    std::size_t queued_ = 0;
    std::string fullest_;
    Place last_;
};

}  // namespace postcensus::census
