// SPDX-License-Identifier: MIT
#include "check/check_restrictions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <set>

#include "check/main_cf.h"

namespace postcensus::check {
namespace {

constexpr const char* kRestrictionsArea = "postfix";
constexpr const char* kRecipient = "smtpd_recipient_restrictions";
constexpr const char* kRelayLine =
    "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination";

// All that is judged here; two services with the same values are one to us.
constexpr std::array<const char*, 8> kJudged{
    "smtpd_client_restrictions", "smtpd_helo_restrictions",        "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",  "smtpd_recipient_restrictions",   "smtpd_delay_reject",
    "smtpd_sasl_auth_enable",    "smtpd_reject_unlisted_recipient"};

using List = std::vector<Restriction>;

std::size_t find(const List& list, const std::function<bool(const Restriction&)>& wanted) {
    return static_cast<std::size_t>(std::find_if(list.begin(), list.end(), wanted) - list.begin());
}
std::size_t find(const List& list, std::string_view name) {
    return find(list, [name](const Restriction& one) { return one.name == name; });
}
std::size_t find_table(const List& list, const char* table, const OurTables& ours) {
    return find(list, [&](const Restriction& one) {
        const auto named = named_table(one.argument, ours);
        return named && named->table == table;
    });
}

// What refuses mail to other domains than ours: without it the gateway is an open relay.
bool closes(const Restriction& one) {
    return !one.only_warns && (one.name == "reject_unauth_destination" || one.name == "reject" ||
                               one.name == "defer_unauth_destination" || one.name == "defer");
}

// Judges one smtpd service.
class Door {
  public:
    Door(const Snapshot& snapshot, const Service& service, const OurTables& ours)
        : snapshot_(snapshot), service_(service), ours_(ours), list_(expand(kRecipient)) {
        unknown_ = find_table(list_, "unknown", ours);
        unlisted_ = find(list_, "reject_unlisted_recipient");
        closed_ = find_table(list_, "closed", ours);
        networks_ = find(list_, "permit_mynetworks");
        first_permit_ = find(list_, [](const Restriction& one) { return effect_of(one) == Effect::permits; });
    }

    Findings judge() {
        check_names();
        check_unknown();
        check_unlisted();
        check_hidden();
        check_closed();
        check_own_clients(kRecipient, list_,
                          mended_restrictions(snapshot_.value(service_, kRecipient), ours_));
        check_own_clients("smtpd_relay_restrictions", expand("smtpd_relay_restrictions"), kRelayLine);
        check_earlier_lists();
        check_relaying();
        if (worst_of(findings_) == Level::ok)
            findings_.push_back(Finding::ok(kRestrictionsArea, subject(kRecipient),
                                            "unknown is asked first, misses are logged, and the site's own "
                                            "clients can send"));
        return std::move(findings_);
    }

  private:
    List expand(const char* name) const {
        return expand_restrictions(snapshot_, snapshot_.value(service_, name));
    }
    bool has(std::size_t at) const { return at < list_.size(); }

    // "smtpd_recipient_restrictions", or with the service that has its own.
    std::string subject(const char* parameter) const {
        return service_.overrides.contains(parameter) ? shown(service_.text()) + " " + parameter : parameter;
    }
    std::string remedy(const char* parameter, const std::string& line) const {
        if (!service_.overrides.contains(parameter)) return line;
        return fmt::format("postconf -PX '{}/{}'\n# then in main.cf:\n{}", shown(service_.text()), parameter,
                           line);
    }
    void add(Level level, const char* parameter, std::string words, const std::string& line) {
        findings_.push_back(
            {level, kRestrictionsArea, subject(parameter), std::move(words), remedy(parameter, line)});
    }
    void add(Level level, std::string words) {
        add(level, kRecipient, std::move(words),
            mended_restrictions(snapshot_.value(service_, kRecipient), ours_));
    }

    void check_names() {
        for (const Restriction& one : list_) {
            const auto named = named_table(one.argument, ours_);
            if (!named) continue;
            if (!ours_.present)
                findings_.push_back(Finding::fail(
                    kRestrictionsArea, subject(kRecipient),
                    fmt::format("names {}, which is not there yet: Postfix answers 451 to every recipient",
                                shown(named->table)),
                    "postcensus sync"));
            if (named->proxied)
                add(Level::fail,
                    fmt::format(
                        "names {} with proxy:, which goes on answering from a table that was replaced",
                        shown(named->table)));
            if (named->type != ours_.type)
                add(Level::fail, fmt::format("names {} as {}:, but the table that is built is of the type {}",
                                             shown(named->table), shown(named->type), ours_.type));
        }
    }

    void check_unknown() {
        if (!has(unknown_)) {
            add(ours_.present ? Level::fail : Level::warn,
                ours_.present ? "does not ask the table unknown: recipients that are proven unknown get 450, "
                                "never 550"
                              : "does not ask the table unknown yet (the tables are not there yet)");
            return;
        }
        if (list_[unknown_].only_warns)
            add(Level::warn, "warn_if_reject stands before the table unknown: nobody is refused with 550");
        if (has(unlisted_) && unlisted_ < unknown_)
            add(Level::fail,
                "asks the table unknown behind reject_unlisted_recipient, which answers 450 first: nobody is "
                "ever refused with 550");
        if (first_permit_ < unknown_)
            add(Level::warn,
                fmt::format("asks the table unknown behind {}: whom that permits is never refused "
                            "with 550",
                            shown(list_[first_permit_].text())));
    }

    void check_unlisted() {
        const bool implied = snapshot_.value(service_, "smtpd_reject_unlisted_recipient") != "no";
        if (!has(unlisted_)) {
            add(implied ? Level::warn : Level::fail,
                implied
                    ? "does not name reject_unlisted_recipient: Postfix looks for misses only behind all "
                      "the rest, and what is refused or deferred before is not asked about"
                    : "does not name reject_unlisted_recipient, and smtpd_reject_unlisted_recipient is no: "
                      "recipients that do not exist are accepted, and bounce");
            return;
        }
        if (first_permit_ >= unlisted_) return;
        add(implied ? Level::warn : Level::fail,
            fmt::format("has {} before reject_unlisted_recipient: {}", shown(list_[first_permit_].text()),
                        implied
                            ? "whom that permits meets the miss only at the very end"
                            : "and smtpd_reject_unlisted_recipient is no, so whom that permits may send to "
                              "recipients that do not exist"));
    }

    // Whatever answers before reject_unlisted_recipient keeps the miss out of the log.
    void check_hidden() {
        std::vector<std::string> defer;
        std::vector<std::string> refuse;
        for (std::size_t i = 0; i < list_.size(); ++i) {
            const Restriction& one = list_[i];
            const Effect effect = effect_of(one);
            const bool before = i < unlisted_;
            if (effect == Effect::answers_first) note_unverified(kRecipient, before);
            // Behind what closes the list nothing comes any more.
            if (effect == Effect::answers_all && before && has(unlisted_))
                add(Level::fail, fmt::format("has {} before reject_unlisted_recipient: nothing behind it is "
                                             "ever reached",
                                             one.name));
            if (!before || !has(unlisted_) || named_table(one.argument, ours_)) continue;
            if (effect == Effect::defers) defer.push_back(one.text());
            if (effect == Effect::refuses) refuse.push_back(one.text());
        }
        if (!defer.empty())
            add(Level::warn,
                fmt::format("has {} before reject_unlisted_recipient: a miss that it defers is not "
                            "logged, so nobody asks",
                            some_of(defer)));
        if (!refuse.empty())
            add(Level::warn, fmt::format("has {} before reject_unlisted_recipient: a miss that it refuses is "
                                         "not logged, so nobody asks",
                                         some_of(refuse)));
    }

    void check_closed() {
        if (!has(closed_)) {
            findings_.push_back(
                Finding::ok(kRestrictionsArea, subject(kRecipient),
                            "does not ask the table closed: recipients that take no mail from "
                            "outside are refused by Exchange, not here"));
            return;
        }
        const std::size_t open = find(list_, "reject_unauth_destination");
        if (closed_ < networks_)
            add(Level::fail,
                "asks the table closed before permit_mynetworks: the site's own clients cannot "
                "send to recipients that are closed to outsiders");
        else if (has(open) && open < closed_)
            add(Level::warn,
                "asks the table closed behind reject_unauth_destination: not the order that was "
                "tried");
    }

    // Whoever may send outward has to be permitted before the list is closed to all others.
    void check_own_clients(const char* parameter, const List& list, const std::string& line) {
        const std::size_t closing = find(list, closes);
        if (closing == list.size()) return;
        if (find(list, "permit_mynetworks") > closing)
            add(Level::fail, parameter,
                fmt::format("has no permit_mynetworks before {}: the site's own clients cannot send outward",
                            list[closing].name),
                line);
        if (snapshot_.value(service_, "smtpd_sasl_auth_enable") == "yes" &&
            find(list, "permit_sasl_authenticated") > closing)
            add(Level::fail, parameter,
                fmt::format(
                    "has no permit_sasl_authenticated before {}, though smtpd_sasl_auth_enable is yes: "
                    "who has logged in cannot send outward",
                    list[closing].name),
                line);
    }

    void check_earlier_lists() {
        if (snapshot_.value(service_, "smtpd_delay_reject") == "no")
            add(Level::warn, "smtpd_delay_reject",
                "is no: what refuses a client or sender before RCPT TO keeps its misses out of the log",
                "smtpd_delay_reject = yes");
        for (const char* parameter : {"smtpd_client_restrictions", "smtpd_helo_restrictions",
                                      "smtpd_sender_restrictions", "smtpd_relay_restrictions"}) {
            std::vector<std::string> defer;
            for (const Restriction& one : expand(parameter)) {
                if (effect_of(one) == Effect::defers) defer.push_back(one.text());
                if (one.name == "reject_unlisted_sender")
                    add(Level::warn, parameter,
                        "has reject_unlisted_sender: a mailbox that only sends gets 450, and nobody asks "
                        "about "
                        "it",
                        fmt::format("# {}: take reject_unlisted_sender out", parameter));
                if (effect_of(one) == Effect::answers_first) note_unverified(parameter, true);
            }
            if (defer.empty()) continue;
            add(Level::warn, parameter,
                fmt::format(
                    "has {}: it comes before the check of the recipient, and a miss that it defers is "
                    "not logged, so nobody asks",
                    some_of(defer)),
                fmt::format("# move it from {} to the end of {}", parameter, kRecipient));
        }
    }

    void note_unverified(const char* parameter, bool before) {
        const std::string where =
            parameter == std::string_view(kRecipient)
                ? mended_restrictions(snapshot_.value(service_, kRecipient), ours_)
                : fmt::format(
                      "# {}: take reject_unverified_recipient out, and the address_verify_* lines of main.cf "
                      "that nothing else uses",
                      parameter);
        add(before ? Level::fail : Level::warn, parameter,
            before ? "has reject_unverified_recipient before reject_unlisted_recipient: that one answers for "
                     "unknown recipients itself, and no miss is ever logged"
                   : "has reject_unverified_recipient: Postfix asks the server about each recipient a second "
                     "time, and takes an outage for an answer",
            where);
    }

    void check_relaying() {
        const List relay = expand("smtpd_relay_restrictions");
        if (has(find(list_, closes)) || find(relay, closes) < relay.size()) return;
        add(Level::fail, "smtpd_relay_restrictions",
            "neither this nor smtpd_recipient_restrictions refuses mail to other domains", kRelayLine);
    }

    const Snapshot& snapshot_;
    const Service& service_;
    const OurTables& ours_;
    List list_;
    std::size_t unknown_ = 0, unlisted_ = 0, closed_ = 0, networks_ = 0, first_permit_ = 0;
    Findings findings_;
};

}  // namespace

Findings check_restrictions(const Snapshot& snapshot, const OurTables& ours) {
    Findings findings;
    std::set<std::vector<std::string>> judged;
    for (const Service& service : snapshot.services) {
        if (service.program != "smtpd" || service.type == "unix" || is_submission(service) ||
            is_reinjection(snapshot, service))
            continue;
        std::vector<std::string> values;
        values.reserve(kJudged.size());
        for (const char* name : kJudged) values.push_back(snapshot.value(service, name));
        if (!judged.insert(std::move(values)).second) continue;
        for (Finding& finding : Door(snapshot, service, ours).judge()) findings.push_back(std::move(finding));
    }
    if (judged.empty())
        findings.push_back(Finding::warn(kRestrictionsArea, "master.cf",
                                         "has no smtpd that takes mail from outside: nothing can be missed",
                                         "postconf -M smtp/inet='smtp inet n - y - - smtpd'"));
    return findings;
}

std::string mended_restrictions(std::string_view list, const OurTables& ours) {
    std::vector<std::string> lines{"check_recipient_access " + ours.name("unknown"),
                                   "reject_unlisted_recipient", "permit_mynetworks",
                                   "permit_sasl_authenticated"};
    const List all = parse_restrictions(list);
    if (all.empty() || find_table(all, "closed", ours) < all.size())
        lines.push_back("check_recipient_access " + ours.name("closed"));
    lines.emplace_back("reject_unauth_destination");
    for (const Restriction& one : all) {
        const auto named = named_table(one.argument, ours);
        if (named && (named->table == "unknown" || named->table == "closed")) continue;
        if (one.name == "reject_unverified_recipient") continue;
        if (std::find(lines.begin(), lines.end(), one.name) != lines.end()) continue;
        lines.push_back(one.text());
    }
    std::string text = std::string(kRecipient) + " =";
    for (std::size_t i = 0; i < lines.size(); ++i)
        text += "\n    " + shown(lines[i]) + (i + 1 < lines.size() ? "," : "");
    return text;
}

}  // namespace postcensus::check
