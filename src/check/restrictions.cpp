// SPDX-License-Identifier: MIT
#include "check/restrictions.h"

#include <algorithm>

#include "postfix/lookup.h"

namespace postcensus::check {
namespace {

constexpr int kMostDepth = 8;  // classes within classes; Postfix itself stops at 100

bool any_of(std::initializer_list<std::string_view> names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool takes_argument(std::string_view name) {
    return name.starts_with("check_") || name.starts_with("reject_rbl_") ||
           name.starts_with("reject_rhsbl_") || name.starts_with("permit_dnswl_") ||
           name.starts_with("permit_rhswl_") || name == "sleep";
}

void expand(const Snapshot& snapshot, const std::vector<std::string>& classes, std::string_view list,
            int depth, std::vector<Restriction>& out) {
    for (Restriction& one : parse_restrictions(list)) {
        const bool is_class = std::find(classes.begin(), classes.end(), one.name) != classes.end();
        if (is_class && depth < kMostDepth)
            expand(snapshot, classes, snapshot.value(one.name), depth + 1, out);
        else
            out.push_back(std::move(one));
    }
}

}  // namespace

std::string OurTables::name(std::string_view table) const {
    return type + ":" + (maps / table).string();
}

std::optional<NamedTable> named_table(std::string_view word, const OurTables& ours) {
    std::string text(word);
    if (text.starts_with('{')) {
        const std::vector<std::string> inner = postfix::split_list(
            std::string_view(text).substr(1, text.size() - (text.ends_with('}') ? 2 : 1)));
        if (inner.empty()) return std::nullopt;
        text = inner.front();
    }
    NamedTable named;
    constexpr std::string_view kProxy = "proxy:";
    while (text.starts_with(kProxy)) {
        text.erase(0, kProxy.size());
        named.proxied = true;
    }
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos) return std::nullopt;
    named.type = text.substr(0, colon);
    if (named.type.find_first_of("{} \t\r\n,") != std::string::npos) return std::nullopt;
    const std::filesystem::path path = std::filesystem::path(text.substr(colon + 1)).lexically_normal();
    if (path.parent_path() != ours.maps.lexically_normal()) return std::nullopt;
    named.table = path.filename().string();
    return named;
}

std::string Restriction::text() const {
    return (only_warns ? "warn_if_reject " : "") + name + (argument.empty() ? "" : " " + argument);
}

std::vector<Restriction> parse_restrictions(std::string_view list) {
    std::vector<Restriction> all;
    const std::vector<std::string> words = postfix::split_list(list);
    bool only_warns = false;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "warn_if_reject") {
            only_warns = true;
            continue;
        }
        Restriction one{words[i], {}, only_warns};
        only_warns = false;
        if (takes_argument(one.name)) {
            if (i + 1 < words.size()) one.argument = words[++i];
        } else if (one.name.find(':') != std::string::npos) {
            // access(5): a bare table is asked for what the list is about.
            one = {"check_recipient_access", words[i], one.only_warns};
        }
        all.push_back(std::move(one));
    }
    return all;
}

std::vector<Restriction> expand_restrictions(const Snapshot& snapshot, std::string_view list) {
    std::vector<Restriction> all;
    expand(snapshot, postfix::split_list(snapshot.value("smtpd_restriction_classes")), list, 0, all);
    return all;
}

Effect effect_of(const Restriction& restriction) {
    const std::string_view name = restriction.name;
    if (name.starts_with("permit")) return Effect::permits;
    if (restriction.only_warns) return Effect::none;
    if (any_of({"reject", "defer"}, name)) return Effect::answers_all;
    if (name == "reject_unverified_recipient") return Effect::answers_first;
    // They say nothing about domains that are relayed.
    if (any_of({"reject_unauth_destination", "defer_unauth_destination", "reject_unlisted_recipient",
                "reject_multi_recipient_bounce", "check_etrn_access"},
               name))
        return Effect::none;
    // The codes of reject_unknown_* are 450 by default.
    if (name == "check_policy_service" || name.starts_with("defer_if_") ||
        name.starts_with("reject_unknown_") || name == "reject_unverified_sender")
        return Effect::defers;
    if (name.starts_with("reject_") || name.starts_with("check_")) return Effect::refuses;
    return Effect::none;
}

}  // namespace postcensus::check
