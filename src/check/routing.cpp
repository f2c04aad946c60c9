// SPDX-License-Identifier: MIT
#include "check/routing.h"

#include <algorithm>

#include "mail/address.h"
#include "postfix/lookup.h"
#include "postfix/next_hop.h"

namespace postcensus::check {

Result<std::map<std::string, std::vector<std::string>>> find_transports(
    const std::filesystem::path& config_dir, const Snapshot& snapshot,
    const std::vector<std::string>& domains) {
    const std::string usual = snapshot.value("relay_transport");
    std::map<std::string, std::vector<std::string>> keys;  // of each domain, in Postfix's order
    std::vector<std::string> all;
    std::vector<std::string> whole;
    for (const std::string& domain : domains) {
        const auto address = mail::Address::from_internal("postmaster@" + domain);
        if (!address) continue;
        keys[domain] = postfix::transport_keys(*address, {});
        whole.push_back(keys[domain].front());
        for (const std::string& key : keys[domain])
            if (std::find(all.begin(), all.end(), key) == all.end()) all.push_back(key);
    }
    std::vector<std::map<std::string, std::string>> tables;
    for (const std::string& table : postfix::tables_in(snapshot.value("transport_maps"))) {
        auto found = postfix::look_up(config_dir, table, postfix::is_pattern_table(table) ? whole : all);
        if (!found) return fail(found.error());
        tables.push_back(*std::move(found));
    }
    std::map<std::string, std::vector<std::string>> carried;
    for (const auto& [domain, asked] : keys) {
        std::string found;
        for (const std::string& key : asked)
            for (const auto& table : tables)
                if (const auto value = table.find(key); found.empty() && value != table.end())
                    found = value->second;
        std::string transport = found.substr(0, found.find(':'));
        if (transport.empty()) transport = usual.substr(0, usual.find(':'));
        carried[transport].push_back(domain);
    }
    return carried;
}

Result<std::vector<std::string>> find_aliases(const std::filesystem::path& config_dir,
                                              const Snapshot& snapshot,
                                              const std::vector<std::string>& addresses) {
    std::vector<std::string> keys;
    for (const std::string& address : addresses) {
        keys.push_back(address);
        keys.push_back(address.substr(address.rfind('@')));
    }
    std::vector<std::string> aliases;
    for (const std::string& table : postfix::tables_in(snapshot.value("virtual_alias_maps"))) {
        auto found = postfix::look_up(config_dir, table, postfix::is_pattern_table(table) ? addresses : keys);
        if (!found) return fail(found.error());
        for (const std::string& address : addresses)
            if (found->contains(address) || found->contains(address.substr(address.rfind('@'))))
                aliases.push_back(address);
    }
    return aliases;
}

}  // namespace postcensus::check
