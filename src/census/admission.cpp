// SPDX-License-Identifier: MIT
#include "census/admission.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/hash.h"

namespace postcensus::census {
namespace {

constexpr int kIpv4Offset = 96;  // of ::ffff:0:0/96 in bits

std::optional<Network> parse_address(std::string_view text) {
    const std::string terminated(text);
    Network network;
    in_addr v4{};
    if (::inet_pton(AF_INET, terminated.c_str(), &v4) == 1) {
        network.bytes[10] = network.bytes[11] = 0xFF;
        std::memcpy(&network.bytes[12], &v4, 4);
        return network;
    }
    if (::inet_pton(AF_INET6, terminated.c_str(), network.bytes.data()) == 1) return network;
    return std::nullopt;
}

bool is_ipv4(const Network& network) {
    return std::all_of(network.bytes.begin(), network.bytes.begin() + 10,
                       [](auto byte) { return byte == 0; }) &&
           network.bytes[10] == 0xFF && network.bytes[11] == 0xFF;
}

// IPv4 /24, IPv6 /64: who has one address there has them all.
std::string network_name(const Network& address) {
    const std::size_t kept = is_ipv4(address) ? 15 : 8;
    return {reinterpret_cast<const char*>(address.bytes.data()), kept};
}

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

Result<Network> Network::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    auto network = parse_address(text.substr(0, slash));
    const int offset = network && is_ipv4(*network) ? kIpv4Offset : 0;
    int prefix = 128 - offset;
    bool good = network.has_value();
    if (good && slash != std::string_view::npos) {
        const auto [rest, error] =
            std::from_chars(text.data() + slash + 1, text.data() + text.size(), prefix);
        good = error == std::errc{} && rest == text.data() + text.size() && prefix >= 0 &&
               prefix <= 128 - offset;
    }
    if (!good)
        return fail(ExitCode::configuration,
                    fmt::format("'{}' is not a network; write for example 192.0.2.0/24", text));
    network->prefix = prefix + offset;
    return *network;
}

bool Network::contains(const Network& address) const {
    const auto whole = static_cast<std::size_t>(prefix / 8);
    if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(whole), address.bytes.begin()))
        return false;
    if (prefix % 8 == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xFF00U >> static_cast<unsigned>(prefix % 8));
    return ((bytes[whole] ^ address.bytes[whole]) & mask) == 0;
}

Admission::Admission(Budget budget, std::uint64_t key)
    : budget_(std::move(budget)), key_(key), domains_(kDomains), networks_(kNetworks) {}

void Admission::fill(Bucket& bucket, const Rate& rate, Clock::time_point now) {
    const double seconds = bucket.used ? std::chrono::duration<double>(now - bucket.filled).count() : 0;
    bucket.tokens = bucket.used
                        ? std::min(rate.burst, bucket.tokens + std::max(0.0, seconds) * rate.per_second)
                        : rate.burst;
    bucket.filled = now;
    bucket.used = true;
}

Admission::Bucket& Admission::bucket_of(std::vector<Bucket>& table, std::string_view name, const Rate& rate,
                                        Clock::time_point now) const {
    std::uint64_t hash = Fnv1a(key_).mix(name).value();
    hash ^= hash >> 32U;
    Bucket& bucket = table[hash % table.size()];
    fill(bucket, rate, now);
    return bucket;
}

bool Admission::admit(std::string_view domain, std::string_view client, Clock::time_point now) {
    fill(total_, budget_.total, now);
    Bucket& for_domain = bucket_of(domains_, domain, budget_.domain, now);
    const auto address = parse_address(client);
    const bool is_relay =
        address && std::any_of(budget_.relays.begin(), budget_.relays.end(),
                               [&](const Network& network) { return network.contains(*address); });
    Bucket* for_network = nullptr;
    // A client that Postfix calls "unknown" has a budget too: all such share one.
    if (!is_relay)
        for_network = &bucket_of(networks_, address ? network_name(*address) : "", budget_.network, now);
    if (total_.tokens < 1 || for_domain.tokens < 1 || (for_network != nullptr && for_network->tokens < 1))
        return false;
    --total_.tokens;
    --for_domain.tokens;
    if (for_network != nullptr) --for_network->tokens;
    return true;
}

}  // namespace postcensus::census
