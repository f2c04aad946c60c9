// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/printable.h"
#include "check/exchange_remedies.h"
#include "check/main_cf.h"
#include "check/parts.h"
#include "check/routing.h"
#include "check/talk_to_server.h"
#include "flow/ask/destinations.h"
#include "flow/ask/probe.h"
#include "store/callouts.h"
#include "store/health.h"

namespace postcensus::check {
namespace {

using namespace std::chrono_literals;
using callout::Health;
using census::CalloutClass;

constexpr const char* kCalloutArea = "callout";
constexpr auto kCalloutPatience = 2s;
constexpr Milliseconds kTarpit{1000};
constexpr std::size_t kMostRecipients = 20;
constexpr std::size_t kMostCounted = 200;  // whose misses are counted

class CalloutCheck {
  public:
    CalloutCheck(const CheckScene& scene, const config::Route& route, const callout::Target& target,
                 const Tell& tell)
        : scene_(scene),
          route_(route),
          target_(target),
          tell_(tell),
          domain_(route.domains.front()),
          subject_(printable(target.text())) {}

    void run() {
        const auto& snapshot = scene_.postfix.get();
        if (!snapshot) return;  // check_postfix says it
        open_state();
        const auto anybody = mail::Address::from_internal("postmaster@" + domain_);
        if (!anybody) return;
        const auto known_good = flow::controls_for(route_, state_ ? &*state_ : nullptr, *anybody);
        collect_recipients(snapshot->value("recipient_delimiter"), known_good);
        std::vector<mail::Address> recipients;
        for (const Asked& one : asked_) recipients.push_back(one.address);
        const Talk talk = talk_to_server(
            {.target = target_,
             .helo = route_.callout.helo.empty() ? snapshot->value("myhostname") : route_.callout.helo,
             .mail_from = route_.callout.mail_from,
             .tls = route_.callout.tls,
             .random_control = callout::make_random_control(domain_),
             .known_good = known_good,
             .recipients = recipients,
             .most_refused = std::max(pace_.most_refused, census::Pace{}.most_refused)},
            scene_.deadline);
        if (!tell_health(talk)) return;
        tell_controls(talk);
        tell_speed(talk);
        for (const census::CalloutOutcome& outcome : talk.outcomes) tell_outcome(outcome, *snapshot);
        if (talk.not_asked > 0)
            tell_(
                Finding::ok(kCalloutArea, subject_,
                            fmt::format("{} of {} recipients (postmaster and the like) were not asked about: "
                                        "each refusal takes time, and a session has few",
                                        talk.not_asked, asked_.size())));
    }

  private:
    enum class Why { postmaster, accept, extension, made_up };
    struct Asked {
        mail::Address address;
        Why why;
    };

    void open_state() {
        auto state = store::schema_version(scene_.configuration.state.path);
        if (!state || state->found != state->newest) return;
        auto opened = store::Database::open(scene_.configuration.state.path, store::Database::Mode::read_only,
                                            kCalloutPatience);
        if (!opened) return;
        state_ = *std::move(opened);
        const Time since = scene_.now - 24h;
        auto read = state_->read([&](SQLite::Database& db) {
            pace_ = store::load_pace(db, target_.text());
            for (std::size_t i = 0; i < std::min(route_.domains.size(), kMostCounted); ++i)
                busiest_hour_ += store::busiest_hour(db, route_.domains[i], since);
        });
        static_cast<void>(read);  // without it nothing is compared
    }

    void add(const std::string& text, Why why) {
        auto address = mail::Address::from_internal(text);
        if (!address || asked_.size() >= kMostRecipients) return;
        const bool again = std::any_of(asked_.begin(), asked_.end(),
                                       [&](const Asked& one) { return one.address == *address; });
        if (!again) asked_.push_back({*std::move(address), why});
    }

    // The most telling ones in front: not all may be asked about.
    void collect_recipients(const std::string& delimiters, const std::vector<mail::Address>& known_good) {
        if (!delimiters.empty() && !known_good.empty()) {
            const mail::Address random = callout::make_random_control(domain_);
            add(std::string(known_good.front().local()) + delimiters.substr(0, 1) +
                    std::string(random.local()) + "@" + domain_,
                Why::extension);
        }
        add("postmaster@" + domain_, Why::postmaster);
        for (const mail::Address& address : route_.accept) add(address.text(), Why::accept);
        // Whether a server validates recipients is a setting of each domain.
        for (const std::string& domain : route_.domains) {
            if (asked_.size() >= kMostRecipients) break;
            if (domain != domain_) add(callout::make_random_control(domain).text(), Why::made_up);
            add("postmaster@" + domain, Why::postmaster);
        }
    }

    // False: nothing more can be said.
    bool tell_health(const Talk& talk) {
        const callout::SessionResult& result = talk.controls;
        const std::string reason = printable(result.reason, 1000);
        if (talk.over_time) {
            tell_(Finding::fail(kCalloutArea, subject_,
                                "the session did not get through its controls in time",
                                fmt::format("postcensus probe --transcript postmaster@{}", domain_)));
            return false;
        }
        switch (result.health) {
            case Health::passed:
                return true;
            case Health::accept_all:
                if (route_.accepts_all_of(domain_))
                    tell_(Finding::ok(kCalloutArea, subject_,
                                      fmt::format("accepts every recipient of {}, as accept = @{} wants it",
                                                  domain_, domain_)));
                else
                    tell_(Finding::fail(kCalloutArea, subject_, reason, validation_remedy(domain_)));
                return false;
            case Health::fault:
                tell_(Finding::fail(kCalloutArea, subject_, reason, remedy_for(result.fault)));
                return false;
            case Health::retry:
                break;
        }
        tell_(Finding::fail(kCalloutArea, subject_, reason,
                            result.sender_accepted
                                ? fmt::format("postcensus probe --transcript postmaster@{}", domain_)
                                : fmt::format("nc -vz {} {}\n# is it up, and does the firewall let this "
                                              "gateway through?",
                                              printable(target_.host), target_.port)));
        return false;
    }

    std::string remedy_for(callout::Fault fault) const {
        switch (fault) {
            case callout::Fault::connection:
                return fmt::format("# allow {} on {}", own_address_towards(target_), subject_);
            case callout::Fault::connector:
                return connector_remedy(target_);
            case callout::Fault::domain:
                return accepted_domain_remedy(domain_);
            case callout::Fault::directory:
                return fmt::format("[route.{}]\ncontrol = ADDRESS@{}   # one that certainly exists",
                                   route_.name, domain_);
            case callout::Fault::other:
                break;
        }
        return fmt::format("postcensus probe --transcript postmaster@{}", domain_);
    }

    void tell_controls(const Talk& talk) {
        if (talk.controls.control_accepted)
            tell_(Finding::ok(kCalloutArea, subject_,
                              fmt::format("refuses a made-up recipient of {} and accepts {}", domain_,
                                          printable(talk.controls.control_accepted->external()))));
        else
            tell_(Finding::warn(
                kCalloutArea, subject_,
                fmt::format("refuses a made-up recipient of {}, but there is no known-good one: "
                            "without it no recipient is ever proven unknown",
                            domain_),
                fmt::format("postcensus sync\n# or:\n[route.{}]\ncontrol = ADDRESS@{}   # one that "
                            "certainly exists",
                            route_.name, domain_)));
    }

    void tell_speed(const Talk& talk) {
        const Milliseconds tarpit = talk.controls.tarpit;
        const double answers = answers_per_second(route_.callout.sessions, pace_.most_refused, tarpit);
        const double misses = static_cast<double>(busiest_hour_) / 3600.0;
        const std::string remedy = tarpit_remedy(target_);
        const std::string speed =
            fmt::format("a refusal takes {:.1f} s: {:.1f} unknown recipients a second with sessions = {}",
                        std::chrono::duration<double>(tarpit).count(), answers, route_.callout.sessions);
        if (misses > answers)
            tell_(Finding::warn(
                kCalloutArea, subject_,
                fmt::format("{}; the busiest hour of the last day missed {:.2f} a second", speed, misses),
                remedy));
        else if (tarpit >= kTarpit)
            tell_(Finding::warn(kCalloutArea, subject_, speed, remedy));
        else
            tell_(Finding::ok(kCalloutArea, subject_, speed));
    }

    void tell_outcome(const census::CalloutOutcome& outcome, const Snapshot& snapshot) {
        const auto asked = std::find_if(asked_.begin(), asked_.end(),
                                        [&](const Asked& one) { return one.address == outcome.recipient; });
        if (asked == asked_.end()) return;
        if (asked->why == Why::extension) return tell_extension(outcome);
        if (asked->why == Why::made_up) return tell_made_up(outcome);
        const std::string address = outcome.recipient.external();
        const std::string shown = printable(address);
        if (outcome.klass == CalloutClass::deliverable) {
            tell_(Finding::ok(kCalloutArea, shown, fmt::format("is deliverable at {}", subject_)));
        } else if (outcome.klass == CalloutClass::policy) {
            tell_(Finding::warn(
                kCalloutArea, shown,
                fmt::format("refuses senders from outside: {}", printable(outcome.reply)),
                fmt::format("Set-Mailbox {} -RequireSenderAuthenticationEnabled $false", shown)));
        } else if (outcome.klass == CalloutClass::unknown) {
            tell_unknown(*asked, outcome, address, snapshot);
        } else {
            tell_(
                Finding::warn(kCalloutArea, shown,
                              fmt::format("got no answer that proves anything: {}", printable(outcome.reply)),
                              fmt::format("postcensus probe --transcript {}", shown)));
        }
    }

    void tell_unknown(const Asked& asked, const census::CalloutOutcome& outcome, const std::string& address,
                      const Snapshot& snapshot) {
        const std::string shown = printable(address);
        const std::string reply = printable(outcome.reply);
        if (asked.why == Why::postmaster) {
            auto aliases = find_aliases(scene_.configuration.postfix.config_dir, snapshot, {address});
            if (aliases && !aliases->empty()) {
                tell_(Finding::ok(kCalloutArea, shown, "is an alias in virtual_alias_maps"));
                return;
            }
            if (!route_.accepts(outcome.recipient)) {
                tell_(Finding::fail(
                    kCalloutArea, shown,
                    fmt::format(
                        "does not exist at {} ({}), and every domain that takes mail must have it (RFC "
                        "5321, 4.5.1){}",
                        subject_, reply, aliases ? "" : "; virtual_alias_maps could not be asked"),
                    fmt::format(
                        "Set-Mailbox ADMINISTRATOR -EmailAddresses @{{add=\"{0}\"}}\n# or an entry in "
                        "virtual_alias_maps: {0} ADMINISTRATOR@{1}",
                        shown, printable(outcome.recipient.domain()))));
                return;
            }
        }
        tell_(Finding::warn(
            kCalloutArea, shown,
            fmt::format("is accepted here (accept), and does not exist at {}: mail to it "
                        "bounces ({})",
                        subject_, reply),
            fmt::format("# [route.{}] accept: take {} out, or make it in Exchange", route_.name, shown)));
    }

    void tell_made_up(const census::CalloutOutcome& outcome) {
        const std::string domain = printable(outcome.recipient.domain());
        if (outcome.klass == CalloutClass::unknown)
            tell_(Finding::ok(kCalloutArea, domain,
                              fmt::format("{} refuses a made-up recipient of it", subject_)));
        else if (outcome.klass == CalloutClass::deliverable &&
                 !route_.accepts_all_of(std::string(outcome.recipient.domain())))
            tell_(
                Finding::fail(kCalloutArea, domain,
                              fmt::format("{} accepts a made-up recipient of it: nobody there is ever proven "
                                          "unknown",
                                          subject_),
                              validation_remedy(domain)));
        else if (outcome.klass == CalloutClass::fault)
            tell_(Finding::fail(kCalloutArea, domain,
                                fmt::format("{} refuses it: {}", subject_, printable(outcome.reply)),
                                accepted_domain_remedy(domain)));
    }

    void tell_extension(const census::CalloutOutcome& outcome) {
        if (outcome.klass == CalloutClass::deliverable)
            tell_(Finding::ok(kCalloutArea, "recipient_delimiter",
                              fmt::format("{} takes an accepted address with an extension too", subject_)));
        else if (outcome.klass == CalloutClass::unknown)
            tell_(Finding::warn(kCalloutArea, "recipient_delimiter",
                                fmt::format("{} does not know {}: an accepted address with any extension is "
                                            "accepted here and bounces there",
                                            subject_, printable(outcome.recipient.external())),
                                "recipient_delimiter ="));
    }

    const CheckScene& scene_;
    const config::Route& route_;
    const callout::Target& target_;
    const Tell& tell_;
    std::string domain_;
    std::string subject_;
    std::optional<store::Database> state_;
    census::Pace pace_;
    std::int64_t busiest_hour_ = 0;
    std::vector<Asked> asked_;
};

}  // namespace

void check_callout(const CheckScene& scene, const config::Route& route, const callout::Target* target,
                   const Tell& tell) {
    if (target != nullptr) {
        CalloutCheck(scene, route, *target, tell).run();
        return;
    }
    const auto address = mail::Address::from_internal("postmaster@" + route.domains.front());
    if (!address) return;
    const std::string subject = "[route." + route.name + "]";
    auto targets = flow::find_targets(scene.configuration, route, *address);
    if (!targets) {
        tell(Finding::fail(kCalloutArea, subject, targets.error().message,
                           fmt::format("usermod -aG postfix {}", own_user())));
        return;
    }
    if (targets->empty())
        tell(Finding::fail(
            kCalloutArea, subject,
            fmt::format("Postfix's transport tables name no host for {}", address->external()),
            fmt::format("# in transport_maps:\n{} relay:[ex1.corp.example]:2525\n# or:\n[route.{}]\ncallout "
                        "= ex1.corp.example:2525",
                        route.domains.front(), route.name)));
    // The others are asked only while the first one is at fault, and there is time for one.
    if (!targets->empty()) CalloutCheck(scene, route, targets->front(), tell).run();
}

}  // namespace postcensus::check
