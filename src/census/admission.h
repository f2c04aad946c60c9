// SPDX-License-Identifier: MIT
// Decides which misses become questions, before anything is stored. Strangers write the log, so all of this
// is of fixed size: token buckets, one for everything, and two hashed tables for domains and client networks.
// Names that share a bucket share a budget: an attacker cannot choose whose, the hash is keyed afresh at
// every start. Pure but for that key: the clock is passed in.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"

namespace postcensus::census {

// "20/s", "30/m", "100/h".
struct Rate {
    double per_second = 0;
    double burst = 1;  // what may come at once: ten seconds' worth, or one whole period's for slow rates
    static Result<Rate> parse(std::string_view text);
};

// An IP network, for `relays`: "192.0.2.0/24", "2001:db8::/32", or one address.
struct Network {
    std::array<std::uint8_t, 16> bytes{};  // IPv4 as ::ffff:a.b.c.d
    int prefix = 128;
    static Result<Network> parse(std::string_view text);
    bool contains(const Network& address) const;
};

struct Budget {
    Rate total{20, 200};
    Rate domain{5, 50};
    Rate network{0.5, 30};
    std::vector<Network> relays;  // clients there are not the origin: no budget per network
};

class Admission {
  public:
    using Clock = std::chrono::steady_clock;

    Admission(Budget budget, std::uint64_t key);

    // Whether the miss of a recipient of `domain` by `client` (an IP address) may become a question now. A
    // refusal costs the sender nothing but time: it gets 450 and comes back.
    bool admit(std::string_view domain, std::string_view client, Clock::time_point now);

  private:
    struct Bucket {
        double tokens = 0;
        Clock::time_point filled{};
        bool used = false;
    };
    static constexpr std::size_t kDomains = 4096;
    static constexpr std::size_t kNetworks = 65536;

    static void fill(Bucket& bucket, const Rate& rate, Clock::time_point now);
    Bucket& bucket_of(std::vector<Bucket>& table, std::string_view name, const Rate& rate,
                      Clock::time_point now) const;

    Budget budget_;
    std::uint64_t key_;
    Bucket total_;
    std::vector<Bucket> domains_;
    std::vector<Bucket> networks_;
};

}  // namespace postcensus::census
