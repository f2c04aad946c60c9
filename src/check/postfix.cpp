// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "base/printable.h"
#include "check/check_restrictions.h"
#include "check/main_cf.h"
#include "check/parts.h"
#include "check/routing.h"
#include "postfix/lookup.h"
#include "postfix/relay_domains.h"

namespace postcensus::check {
namespace {

constexpr const char* kPostfixArea = "postfix";
constexpr std::size_t kMostAsked = 200;  // Postfix's tables may be databases

std::vector<std::string> route_domains(const config::Configuration& configuration) {
    std::vector<std::string> domains;
    for (const config::Route& route : configuration.routes)
        domains.insert(domains.end(), route.domains.begin(), route.domains.end());
    return domains;
}

// A table that cannot be asked is mostly one that only group postfix may read.
void tell_unreadable(const char* subject, const Failure& failure, const Tell& tell) {
    tell(Finding::fail(kPostfixArea, subject, failure.message,
                       fmt::format("usermod -aG postfix {}\n# tables of panels are often 0640 root:postfix; "
                                   "restart the service afterwards",
                                   own_user())));
}

// Where else Postfix would look for a domain's recipients: there relay_recipient_maps is not asked.
std::string other_class(const Snapshot& snapshot, const std::string& domain) {
    for (const char* parameter : {"mydestination", "virtual_mailbox_domains", "virtual_alias_domains"}) {
        const std::vector<std::string> words = postfix::split_list(snapshot.value(parameter));
        if (std::find(words.begin(), words.end(), domain) != words.end()) return parameter;
    }
    return {};
}

void tell_not_relayed(const Snapshot& snapshot, const postfix::RelayDomains& list,
                      const std::map<std::string, bool>& relayed, const Tell& tell) {
    std::vector<std::string> missing;
    for (const auto& [domain, is_relayed] : relayed) {
        const std::string other = other_class(snapshot, domain);
        if (!other.empty())
            tell(Finding::fail(
                kPostfixArea, "relay_domains",
                fmt::format("{} stands in {}: for it relay_recipient_maps is not asked", domain, other),
                fmt::format("# take {} out of {}, and put it into relay_domains", domain, other)));
        else if (!is_relayed)
            missing.push_back(domain);
    }
    if (missing.empty()) return;
    const std::string now = snapshot.value("relay_domains");
    std::string all;
    for (const std::string& domain : missing) all += (all.empty() ? "" : " ") + domain;
    tell(Finding::fail(
        kPostfixArea, "relay_domains",
        fmt::format("does not have {}, which routes name: Postfix takes no mail for them", some_of(missing)),
        !list.tables().empty()
            ? fmt::format("# add to the table that relay_domains names: {}", all)
            : fmt::format("relay_domains = {}{}{}", shown(now), now.empty() ? "" : " ", all)));
}

void tell_without_route(const config::Configuration& configuration, const postfix::RelayDomains& list,
                        const Tell& tell) {
    if (configuration.asks_postfix_for_domains()) return;
    std::vector<std::string> strange;
    for (const std::string& domain : list.named())
        if (configuration.route_of(domain) == nullptr) strange.push_back(domain);
    if (strange.empty()) return;
    tell(Finding::warn(kPostfixArea, "relay_domains",
                       fmt::format("has {}, which no route names: what no table lists there gets 450, and "
                                   "nobody asks about it",
                                   some_of(strange)),
                       "# add them to the domains of a [route.NAME], or keep a table of their own in "
                       "relay_recipient_maps"));
}

}  // namespace

void check_postfix(const CheckScene& scene, const Tell& tell) {
    const auto& snapshot = scene.postfix.get();
    if (!snapshot) {
        tell(Finding::fail(kPostfixArea, "main.cf", snapshot.error().message, "postfix check"));
        return;
    }
    auto ours = our_tables(scene);
    if (!ours) {
        tell(Finding::fail(kPostfixArea, "main.cf", ours.error().message, "[general]\ntable-type = lmdb"));
        return;
    }
    tell_all(tell, check_recipient_maps(*snapshot, *ours));
    tell_all(tell, check_parameters(*snapshot));
    tell_all(tell, check_restrictions(*snapshot, *ours));
    tell_all(tell, check_reinjection(*snapshot));
}

namespace {

void check_relay_domains(const CheckScene& scene, const Snapshot& snapshot,
                         const std::vector<std::string>& domains, const Tell& tell) {
    const auto list = postfix::RelayDomains::open(scene.configuration.postfix.config_dir);
    if (!list) return tell_unreadable("relay_domains", list.error(), tell);
    // Where no domain is known yet, its tables have to answer all the same.
    const auto answers = list->ask(domains, postfix::RelayDomains::Match::as_postfix);
    if (answers.failure) return tell_unreadable("relay_domains", *answers.failure, tell);
    if (domains.empty()) {
        tell(Finding::warn(kPostfixArea, "relay_domains",
                           "Postfix has not been asked for the domains of the route yet (domains = postfix)",
                           "postcensus sync"));
        return;
    }
    tell_not_relayed(snapshot, *list, answers.relayed, tell);
    tell_without_route(scene.configuration, *list, tell);
    const auto count = std::count_if(answers.relayed.begin(), answers.relayed.end(),
                                     [](const auto& one) { return one.second; });
    if (count > 0)
        tell(Finding::ok(kPostfixArea, "relay_domains",
                         fmt::format("has {} of {} route domains", count, answers.relayed.size())));
}

}  // namespace

void check_domains(const CheckScene& scene, const Tell& tell) {
    const auto& snapshot = scene.postfix.get();
    if (!snapshot) return;  // check_postfix says it
    std::vector<std::string> domains = route_domains(scene.configuration);
    if (domains.empty() && !scene.configuration.asks_postfix_for_domains()) {
        tell(Finding::fail(kPostfixArea, "relay_domains",
                           "no route names a domain: there is nothing to decide",
                           "[route.exchange]\ndomains = corp.example"));
        return;
    }
    if (domains.size() > kMostAsked) {
        tell(Finding::ok(
            kPostfixArea, "relay_domains",
            fmt::format("only the first {} of {} domains were asked about", kMostAsked, domains.size())));
        domains.resize(kMostAsked);
    }
    const auto& config_dir = scene.configuration.postfix.config_dir;
    check_relay_domains(scene, *snapshot, domains, tell);
    auto transports = find_transports(config_dir, *snapshot, domains);
    if (!transports)
        tell_unreadable("transport_maps", transports.error(), tell);
    else
        tell_all(tell, check_transports(*snapshot, *transports));
}

}  // namespace postcensus::check
