// SPDX-License-Identifier: MIT
#include "postfix/relay_domains.h"

#include <algorithm>

#include "base/file.h"
#include "mail/address.h"
#include "postfix/lookup.h"
#include "postfix/main_cf.h"

namespace postcensus::postfix {
namespace {

constexpr std::size_t kLargestFile = 16UL * 1024 * 1024;
constexpr std::string_view kProxy = "proxy:";
constexpr const char* kNobodys = "postcensus.invalid";  // RFC 2606: no domain is called so

// The domain as it is, then, where parents match, each domain above it; else those with their dot in front.
std::vector<std::string> keys_of(const std::string& domain, bool parents_match) {
    std::vector<std::string> keys{domain};
    for (std::size_t dot = domain.find('.'); dot != std::string::npos; dot = domain.find('.', dot + 1))
        keys.push_back(domain.substr(parents_match ? dot + 1 : dot));
    return keys;
}

bool matches(const std::string& domain, const std::string& pattern, bool parents_match) {
    if (domain == pattern) return true;
    if (!parents_match && !pattern.starts_with('.')) return false;
    const std::string tail = pattern.starts_with('.') ? pattern : "." + pattern;
    return domain.size() > tail.size() && domain.ends_with(tail);
}

}  // namespace

Result<RelayDomains> RelayDomains::open(const std::filesystem::path& config_dir) {
    auto values = read_parameters(config_dir, {"relay_domains", "parent_domain_matches_subdomains"});
    if (!values) return fail(values.error());
    RelayDomains out;
    out.config_dir_ = config_dir;
    const std::vector<std::string> parents = split_list((*values)["parent_domain_matches_subdomains"]);
    out.parents_match_ = std::find(parents.begin(), parents.end(), "relay_domains") != parents.end();
    for (std::string& word : split_list((*values)["relay_domains"])) {
        const bool negated = word.starts_with('!');
        if (negated) word.erase(0, 1);
        if (!word.starts_with('/')) {
            out.add(std::move(word), negated);
            continue;
        }
        // A file of patterns: what a # begins is none.
        auto text = read_file(word, kLargestFile);
        if (!text) return fail(text.error());
        for (std::size_t start = 0; start < text->size();) {
            const std::size_t end = std::min(text->find('\n', start), text->size());
            const std::string_view line = std::string_view(*text).substr(start, end - start);
            for (std::string& inner : split_list(line.substr(0, line.find('#')))) {
                const bool other = inner.starts_with('!');
                out.add(other ? inner.substr(1) : std::move(inner), negated != other);
            }
            start = end + 1;
        }
    }
    return out;
}

void RelayDomains::add(std::string word, bool negated) {
    if (word.empty()) return;
    if (word.starts_with(kProxy)) word.erase(0, kProxy.size());
    if (word.find(':') != std::string::npos) {
        patterns_.push_back({std::move(word), true, negated});
        return;
    }
    word = mail::fold(word);
    if (const auto domain = mail::valid_domain(word); domain && !negated) named_.push_back(*domain);
    patterns_.push_back({std::move(word), false, negated});
}

std::vector<std::string> RelayDomains::tables() const {
    std::vector<std::string> tables;
    for (const Pattern& pattern : patterns_)
        if (pattern.table) tables.push_back(pattern.text);
    return tables;
}

// The first pattern that fits decides, as ever in Postfix.
RelayDomains::Answers RelayDomains::ask(const std::vector<std::string>& domains, Match match) const {
    Answers answers;
    std::vector<std::string> open = domains;
    open.emplace_back(kNobodys);
    for (const Pattern& pattern : patterns_) {
        auto found = matched(pattern, open, match);
        if (!found) {
            answers.failure = found.error();
            answers.relayed.erase(kNobodys);
            return answers;
        }
        for (const std::string& domain : *found) answers.relayed[domain] = !pattern.negated;
        std::erase_if(open, [&](const std::string& domain) { return answers.relayed.contains(domain); });
    }
    for (const std::string& domain : open) answers.relayed[domain] = false;
    answers.relayed.erase(kNobodys);
    return answers;
}

Result<std::vector<std::string>> RelayDomains::matched(const Pattern& pattern,
                                                       const std::vector<std::string>& domains,
                                                       Match match) const {
    const bool whole = match == Match::exact && !pattern.negated;
    // A table of patterns has an answer for whatever a stranger thinks of.
    if (whole && pattern.table && is_pattern_table(pattern.text)) return std::vector<std::string>{};
    const bool keys_only = whole || (pattern.table && is_pattern_table(pattern.text));
    std::map<std::string, std::string> values;
    if (pattern.table) {
        std::vector<std::string> keys;
        for (const std::string& domain : domains)
            for (const std::string& form : mail::domain_forms(domain))
                for (std::string& key :
                     keys_only ? std::vector<std::string>{form} : keys_of(form, parents_match_))
                    keys.push_back(std::move(key));
        auto found = look_up(config_dir_, pattern.text, keys);
        if (!found) return fail(found.error());
        values = *std::move(found);
    }
    std::vector<std::string> fitting;
    for (const std::string& domain : domains)
        for (const std::string& form : mail::domain_forms(domain)) {
            const std::vector<std::string> keys =
                keys_only ? std::vector<std::string>{form} : keys_of(form, parents_match_);
            const bool fits =
                pattern.table ? std::any_of(keys.begin(), keys.end(),
                                            [&](const std::string& key) { return values.contains(key); })
                              : (whole ? form == pattern.text : matches(form, pattern.text, parents_match_));
            if (!fits) continue;
            fitting.push_back(domain);
            break;
        }
    return fitting;
}

}  // namespace postcensus::postfix
