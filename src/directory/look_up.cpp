// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "directory/object.h"
#include "directory/reader.h"
#include "mail/address.h"

namespace postcensus::directory {
namespace {

constexpr std::size_t kAddressesPerSearch = 20;

}  // namespace

Result<ReadSummary> Reader::look_up(const std::vector<mail::Address>& addresses, const TakeObject& take) {
    ReadSummary summary;
    for (std::size_t start = 0; start < addresses.size(); start += kAddressesPerSearch) {
        std::string any = "(|";
        for (std::size_t i = start; i < std::min(addresses.size(), start + kAddressesPerSearch); ++i)
            for (const std::string& form : addresses[i].forms()) {
                const std::string value = escape_filter(form);
                if (settings_.flavour == Flavour::ad) {
                    // By `mail` too: whose addresses are hidden is found by nothing else.
                    any += fmt::format("(proxyAddresses=smtp\\3a{0})(mail={0})", value);
                    continue;
                }
                for (const std::string& attribute : settings_.attributes)
                    any += fmt::format("({}={}{})", attribute,
                                       mail::fold(attribute) == "proxyaddresses" ? "smtp\\3a" : "", value);
            }
        Search matching = recipients();
        matching.filter =
            settings_.flavour == Flavour::ad ? any + ")" : fmt::format("(&{}{}))", settings_.filter, any);
        auto read = read_objects(matching, take, {});
        if (!read) return read;
        summary.objects += read->objects;
        summary.shown.merge(read->shown);
    }
    return summary;
}

}  // namespace postcensus::directory
