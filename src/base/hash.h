// SPDX-License-Identifier: MIT
// FNV-1a, 64 bits: tells things apart against chance, not against an attacker who may choose both.
#pragma once

#include <cstdint>
#include <string_view>

namespace postcensus {

class Fnv1a {
  public:
    // A key that strangers do not know keeps them from aiming at a bucket.
    explicit Fnv1a(std::uint64_t key = 0) : hash_(key ^ 14695981039346656037ULL) {}

    Fnv1a& mix(std::string_view bytes) {
        for (const char byte : bytes) hash_ = (hash_ ^ static_cast<unsigned char>(byte)) * 1099511628211ULL;
        return *this;
    }
    std::uint64_t value() const { return hash_; }

  private:
    std::uint64_t hash_;
};

// FNV leaves the high bits of short texts alike; this spreads them (the finalizer of MurmurHash3, by
// Appleby).
inline std::uint64_t spread(std::uint64_t hash) {
    hash = (hash ^ (hash >> 33U)) * 0xff51afd7ed558ccdULL;
    hash = (hash ^ (hash >> 33U)) * 0xc4ceb9fe1a85ec53ULL;
    return hash ^ (hash >> 33U);
}

}  // namespace postcensus
