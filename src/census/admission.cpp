// SPDX-License-Identifier: MIT
#include "census/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/hash.h"

namespace postcensus::census {
namespace {

using namespace std::chrono_literals;

// Mail servers retry after minutes; who asks again sooner is still at its first try.
constexpr auto kComesBack = 60s;
constexpr std::size_t kMostRemembered = 1U << 16U;  // addresses that were admitted last
// A network of nothing but unknown recipients has one turn where another one has eight.
constexpr double kDearest = 8;
// The last answers count: an address that changed hands is forgiven.
constexpr float kMostAnswered = 64;
// So many good answers everybody has to begin with: one typo says nothing.
constexpr double kTrust = 2;

}  // namespace

Result<Rate> Rate::parse(std::string_view text) {
    double number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
    const double period = unit == "/s" ? 1 : unit == "/m" ? 60 : unit == "/h" ? 3600 : 0;
    if (error != std::errc{} || period == 0 || !(number > 0) || number > 1e6)
        return fail(ExitCode::configuration,
                    fmt::format("'{}' is not a rate; write for example 20/s, 30/m or 100/h", text));
    return Rate{number / period, std::max(1.0, period == 1 ? 10 * number : number)};
}

void Admission::Bucket::fill(const Rate& rate, Clock::time_point now) {
    const double seconds = used ? std::chrono::duration<double>(now - filled).count() : 0;
    tokens = used ? std::min(rate.burst, tokens + std::max(0.0, seconds) * rate.per_second) : rate.burst;
    filled = now;
    used = true;
}

Admission::Clock::time_point Admission::Bucket::next(const Rate& rate, Clock::time_point now) const {
    if (tokens >= 1) return now;
    return now + std::chrono::ceil<std::chrono::milliseconds>(
                     std::chrono::duration<double>((1 - tokens) / rate.per_second));
}

double Admission::Client::penalty() const {
    return (kDearest - 1) * static_cast<double>(unknown) / (static_cast<double>(answered) + kTrust);
}

Admission::Admission(Budget budget, std::uint64_t key)
    : budget_(std::move(budget)),
      key_(key),
      domains_(kDomains),
      clients_(kNetworks),
      turn_ends_(kNetworks),
      sightings_(key),
      admitted_(kMostRemembered) {}

void Admission::add_relays(const std::vector<Network>& relays) {
    budget_.relays.insert(budget_.relays.end(), relays.begin(), relays.end());
}

std::size_t Admission::slot(std::string_view one, std::string_view other, std::size_t size) const {
    return spread(Fnv1a(key_).mix(one).mix("\n").mix(other).value()) % size;
}

bool Admission::is_relay(std::string_view client) const {
    const auto address = Network::address(client);
    return address && std::any_of(budget_.relays.begin(), budget_.relays.end(),
                                  [&](const Network& network) { return network.contains(*address); });
}

std::optional<Place> Admission::admit(const mail::Address& recipient, std::string_view client,
                                      Clock::time_point now) {
    const auto seen = sightings_.see(recipient.text(), now);
    Place place{.returning = seen && *seen >= kComesBack};
    const std::uint64_t mark = spread(Fnv1a(key_).mix(recipient.text()).value());
    Admitted& last = admitted_[mark % kMostRemembered];
    const bool repeated = last.mark == mark && now - last.at < kComesBack;
    // A client that Postfix calls "unknown" has a budget too: all such share one.
    const std::vector<ClientNetwork> networks =
        is_relay(client) ? std::vector<ClientNetwork>{} : networks_of(client);
    const double turn = domain_of(recipient.domain()).turn;
    place.turn = turn;
    for (const ClientNetwork& network : networks) {
        Client& known = client_of(network);
        Bucket& bucket = place.returning ? known.returning : known.bucket;
        Rate rate = budget_.network;
        rate.per_second *= network.weight;
        rate.burst *= network.weight;
        bucket.fill(rate, now);
        if (bucket.tokens < 1 && !repeated) return std::nullopt;
        place.turn = std::max({place.turn, turn + known.penalty(), end_of(recipient.domain(), network)});
    }
    // Turns of two domains cannot be compared.
    if (queued_ >= kMostQueued && recipient.domain() == fullest_ && !place.before(last_)) return std::nullopt;
    if (repeated) return place;
    last = {mark, now};
    ++queued_;
    for (const ClientNetwork& network : networks) {
        Client& known = client_of(network);
        --(place.returning ? known.returning : known.bucket).tokens;
        const double price = (1 + known.penalty()) / network.weight;
        double& end = end_of(recipient.domain(), network);
        end = std::max(end, place.turn) + price;
    }
    return place;
}

void Admission::note_queue(std::size_t queued, std::string fullest, Place last) {
    queued_ = queued;
    fullest_ = std::move(fullest);
    last_ = last;
}

bool Admission::may_ask(std::string_view domain, Clock::time_point now) {
    Bucket& bucket = domain_of(domain).bucket;
    total_.fill(budget_.total, now);
    bucket.fill(budget_.domain, now);
    if (total_.tokens < 1 || bucket.tokens < 1) return false;
    --total_.tokens;
    --bucket.tokens;
    return true;
}

Admission::Clock::time_point Admission::next_ask(std::string_view domain, Clock::time_point now) {
    Bucket& bucket = domain_of(domain).bucket;
    total_.fill(budget_.total, now);
    bucket.fill(budget_.domain, now);
    return std::max(total_.next(budget_.total, now), bucket.next(budget_.domain, now));
}

void Admission::give_back(std::string_view domain) {
    ++total_.tokens;
    ++domain_of(domain).bucket.tokens;
}

void Admission::note_taken(std::string_view domain, double turn) {
    double& taken = domain_of(domain).turn;
    taken = std::max(taken, turn);
}

Place Admission::place_now(Place place, std::string_view client) const {
    double penalty = 0;
    if (!is_relay(client))
        for (const ClientNetwork& network : networks_of(client))
            penalty = std::max(penalty, client_of(network).penalty());
    place.turn += penalty;
    return place;
}

void Admission::note_answer(std::string_view client, bool unknown) {
    if (is_relay(client)) return;
    for (const ClientNetwork& network : networks_of(client)) {
        Client& known = client_of(network);
        known.answered += 1;
        if (unknown) known.unknown += 1;
        if (known.answered > kMostAnswered) {
            known.answered /= 2;
            known.unknown /= 2;
        }
    }
}

}  // namespace postcensus::census
