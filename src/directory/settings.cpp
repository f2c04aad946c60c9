// SPDX-License-Identifier: MIT
#include "directory/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/hash.h"
#include "directory/object.h"

namespace postcensus::directory {

std::string query_text(const Settings& settings) {
    Fnv1a hash;
    hash.mix(settings.base).mix("\n").mix(settings.filter).mix("\n");
    for (const std::string& attribute : settings.attributes) hash.mix(attribute).mix("\n");
    // What this version asks for: an older one's position says nothing of objects that it did not read.
    hash.mix(objects_filter(settings)).mix("\n");
    for (const std::string& attribute : wanted_attributes(settings)) hash.mix(attribute).mix("\n");
    return fmt::format("{}{}-{:016x}", settings.flavour == Flavour::ad ? "ad" : "ldap",
                       settings.use_mail ? "+mail" : "", hash.value());
}

}  // namespace postcensus::directory
