// SPDX-License-Identifier: MIT
// Asks Postfix's relay_domains (postconf(5)) for domains: words, files of words, tables of any type, with !
// and parent_domain_matches_subdomains as match_list(3) has them. Blocks.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/failure.h"

namespace postcensus::postfix {

class RelayDomains {
  public:
    // Reads main.cf.
    static Result<RelayDomains> open(const std::filesystem::path& config_dir);

    // How a domain may stand there: by itself, or also as part of one that does. Strangers choose names below
    // a relayed domain, so what they name counts only if it stands there by itself.
    enum class Match { exact, as_postfix };

    // A domain that is not in `relayed` is not known: a table did not answer, and `failure` says why.
    struct Answers {
        std::map<std::string, bool> relayed;
        std::optional<Failure> failure;
    };
    // Domains in their ASCII form; each is asked for in its UTF-8 form, too. Every table is asked, even for
    // none: one that does not answer is a failure.
    Answers ask(const std::vector<std::string>& domains, Match match) const;

    // The domains that stand in main.cf, or in a file that it names, as they are.
    const std::vector<std::string>& named() const { return named_; }
    // The tables among them, without proxy:.
    std::vector<std::string> tables() const;

  private:
    struct Pattern {
        std::string text;  // a table, or a domain
        bool table = false;
        bool negated = false;
    };
    // The domains among these that a pattern matches.
    Result<std::vector<std::string>> matched(const Pattern& pattern, const std::vector<std::string>& domains,
                                             Match match) const;
    void add(std::string word, bool negated);

    std::filesystem::path config_dir_;
    std::vector<Pattern> patterns_;
    std::vector<std::string> named_;
    bool parents_match_ = false;
};

}  // namespace postcensus::postfix
