// SPDX-License-Identifier: MIT
#include "postfix/relayed.h"

#include <algorithm>

#include "base/file.h"
#include "mail/address.h"
#include "postfix/lookup.h"
#include "postfix/next_hop.h"

namespace postcensus::postfix {
namespace {

constexpr std::size_t kLargestList = 16UL * 1024 * 1024;

// "sub.corp.example" -> itself, then its parents: "corp.example" where parents stand for what is below them,
// else ".corp.example" (domain lists of postconf(5), access(5)).
std::vector<std::string> keys_of(const std::string& domain, bool parents) {
    std::vector<std::string> keys{domain};
    for (std::size_t dot = domain.find('.'); dot != std::string::npos; dot = domain.find('.', dot + 1))
        keys.push_back(domain.substr(parents ? dot + 1 : dot));
    return keys;
}

class RelayList {
  public:
    RelayList(const std::filesystem::path& config_dir, const std::vector<std::string>& domains, bool parents)
        : config_dir_(config_dir), domains_(domains), parents_(parents) {}

    // The first word that matches a domain decides.
    Result<void> take(std::string word) {
        const bool negated = word.starts_with('!');
        if (negated) word.erase(0, 1);
        if (word.starts_with('/')) {
            auto text = read_file(word, kLargestList);
            if (!text) return fail(text.error());
            for (const std::string& inner : split_list(*text))
                if (auto taken = take(negated ? "!" + inner : inner); !taken) return taken;
            return {};
        }
        if (word.find(':') != std::string::npos) return take_table(word, negated);
        const std::string domain = mail::fold(word);
        if (!negated && !domain.starts_with('.')) result_.named.push_back(domain);
        for (const std::string& asked : domains_)
            for (const std::string& key : keys_of(asked, parents_))
                if (key == domain) result_.domains.emplace(asked, !negated);
        return {};
    }

    Relayed finish() {
        for (const std::string& domain : domains_) result_.domains.emplace(domain, false);
        return std::move(result_);
    }

  private:
    Result<void> take_table(const std::string& word, bool negated) {
        const std::vector<std::string> tables = tables_in(word);
        if (tables.empty()) return {};
        result_.in_tables = true;
        std::vector<std::string> keys;
        for (const std::string& domain : domains_)
            for (const std::string& key : keys_of(domain, parents_))
                if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
        auto found = look_up(config_dir_, tables.front(), keys);
        if (!found) return fail(found.error());
        for (const std::string& domain : domains_)
            for (const std::string& key : keys_of(domain, parents_))
                if (found->contains(key)) result_.domains.emplace(domain, !negated);
        return {};
    }

    const std::filesystem::path& config_dir_;
    const std::vector<std::string>& domains_;
    bool parents_;
    Relayed result_;
};

}  // namespace

Result<Relayed> ask_relay_domains(const std::filesystem::path& config_dir, const Snapshot& snapshot,
                                  const std::vector<std::string>& domains) {
    const std::vector<std::string> subdomains =
        split_list(snapshot.value("parent_domain_matches_subdomains"));
    const bool parents = std::find(subdomains.begin(), subdomains.end(), "relay_domains") != subdomains.end();
    RelayList list(config_dir, domains, parents);
    for (const std::string& word : split_list(snapshot.value("relay_domains")))
        if (auto taken = list.take(word); !taken) return fail(taken.error());
    return list.finish();
}

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
        keys[domain] = transport_keys(*address, {});
        whole.push_back(keys[domain].front());
        for (const std::string& key : keys[domain])
            if (std::find(all.begin(), all.end(), key) == all.end()) all.push_back(key);
    }
    std::vector<std::map<std::string, std::string>> tables;
    for (const std::string& table : tables_in(snapshot.value("transport_maps"))) {
        auto found = look_up(config_dir, table, is_pattern_table(table) ? whole : all);
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
    for (const std::string& table : tables_in(snapshot.value("virtual_alias_maps"))) {
        auto found = look_up(config_dir, table, is_pattern_table(table) ? addresses : keys);
        if (!found) return fail(found.error());
        for (const std::string& address : addresses)
            if (found->contains(address) || found->contains(address.substr(address.rfind('@'))))
                aliases.push_back(address);
    }
    return aliases;
}

}  // namespace postcensus::postfix
