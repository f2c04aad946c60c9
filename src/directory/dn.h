// SPDX-License-Identifier: MIT
// Where an object lies, by its distinguished name (RFC 4514). Pure.
//
// Active Directory compares names without case, accents, width and kana type, in all of Unicode. Two names
// that are equal so lie at the same place; two that differ and are not plain ASCII may still be equal to a
// server: that is doubt, never "elsewhere".
#pragma once

#include <string_view>

namespace postcensus::directory {

enum class Place {
    below,      // the base itself, or below it
    elsewhere,  // surely not
    unknown,    // it cannot be told
};

// An empty `base` is the root of all.
Place place_of(std::string_view dn, std::string_view base);

}  // namespace postcensus::directory
