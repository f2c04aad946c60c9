// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "base/duration.h"
#include "base/printable.h"
#include "check/parts.h"
#include "directory/servers.h"
#include "flow/read/directory_login.h"
#include "store/health.h"
#include "store/mistyped.h"

namespace postcensus::check {
namespace {

using namespace std::chrono_literals;

constexpr const char* kDirectoryArea = "directory";
constexpr auto kDirectoryPatience = 2s;
constexpr auto kSkew = 5min;  // Kerberos takes no more either

// "20261124084425.0Z" (RFC 4517).
std::optional<Time> parse_server_time(const std::string& text) {
    std::tm parts{};
    if (::strptime(text.c_str(), "%Y%m%d%H%M%S", &parts) == nullptr) return std::nullopt;
    return from_unix_ms(static_cast<std::int64_t>(::timegm(&parts)) * 1000);
}

// The value of a DN's first part: "postcensus" of CN=postcensus,OU=Services,…; empty if it has none.
std::string first_value(const std::string& dn) {
    const std::size_t equals = dn.find('=');
    if (equals == std::string::npos) return {};
    return printable(dn.substr(equals + 1, dn.find(',') - equals - 1));
}

// "CORP\postcensus", as dsacls takes an account. A domain's short name mostly is its first label.
std::string account_of(const directory::Settings& settings, const std::string& root) {
    std::string domain = first_value(root);
    for (char& byte : domain)
        if (byte >= 'a' && byte <= 'z') byte = static_cast<char>(byte - 'a' + 'A');
    const std::string name = first_value(settings.bind_dn);
    return (domain.empty() ? "DOMAIN" : domain) + "\\" + (name.empty() ? "ACCOUNT" : name);
}

std::string grant_remedy(const directory::Settings& settings, const std::string& root) {
    return fmt::format("dsacls \"{}\" /I:S /G \"{}:RP;proxyAddresses\"", printable(settings.base),
                       account_of(settings, root));
}

// "dc1.corp.example 636", for nc(1).
std::string host_and_port(const std::string& uri) {
    const bool tls = uri.starts_with("ldaps://");
    std::string rest =
        uri.substr(std::min(uri.size(), uri.find("://") == std::string::npos ? 0 : uri.find("://") + 3));
    rest = rest.substr(0, rest.find('/'));
    const std::size_t colon = rest.rfind(':');
    if (colon == std::string::npos || rest.ends_with(']')) return rest + (tls ? " 636" : " 389");
    return rest.substr(0, colon) + " " + rest.substr(colon + 1);
}

std::string remedy_for(const directory::Settings& settings, const std::string& uri, const Failure& failure) {
    if (directory::credentials_refused(failure))
        return fmt::format(
            "# mend what {} of [directory.{}] names; a new secret is tried at once\n# in "
            "PowerShell, if it is locked: Unlock-ADAccount -Identity {}",
            settings.bind == directory::Bind::gssapi ? "keytab" : "bind-dn and password-file", settings.name,
            first_value(settings.bind_dn));
    const std::string place = host_and_port(uri);
    std::string with_colon = place;
    std::replace(with_colon.begin(), with_colon.end(), ' ', ':');
    std::string certificate = fmt::format(
        "openssl s_client -connect {} -showcerts </dev/null\n# [directory.{}] ca-file = the authority that "
        "it "
        "shows; uri = the name in the certificate",
        with_colon, settings.name);
    if (failure.trouble == Trouble::certificate) return certificate;
    return fmt::format("nc -vz {}", place) + (uri.starts_with("ldaps://") ? "\n" + certificate : "");
}

class DirectoryCheck {
  public:
    DirectoryCheck(const CheckScene& scene, const directory::Settings& settings, const Tell& tell)
        : scene_(scene), settings_(settings), tell_(tell) {}

    void run() {
        if (!open_state()) return;
        auto uris = directory::candidates(settings_);
        if (!uris) {
            tell_(Finding::fail(kDirectoryArea, settings_.name, uris.error().message,
                                fmt::format("dig +short SRV _ldap._tcp.{}", settings_.domain)));
            return;
        }
        for (const std::string& uri : *uris)
            if (!check_server(uri)) break;
        tell_mistyped();
        // One server that answers is enough; the others should be mended before that one fails.
        for (Finding& failure : failures_) {
            if (answered_) failure.level = Level::warn;
            tell_(std::move(failure));
        }
    }

  private:
    std::string subject(const std::string& uri) const { return settings_.name + " " + uri; }

    // False: the state may know that the login was refused, and cannot be asked.
    bool open_state() {
        const std::filesystem::path& path = scene_.configuration.state.path;
        std::error_code ignored;
        if (!std::filesystem::exists(path, ignored)) return true;
        auto version = store::schema_version(path);
        if (version && version->found == version->newest) {
            auto state = store::Database::open(path, store::Database::Mode::existing, kDirectoryPatience);
            if (state) {
                state_ = *std::move(state);
                return true;
            }
        }
        tell_(
            Finding::warn(kDirectoryArea, settings_.name,
                          "was not asked: only the state knows whether it refused this login before, and it "
                          "cannot be opened",
                          "# mend the state first"));
        return false;
    }

    // False: no other server is to be tried.
    bool check_server(const std::string& uri) {
        const auto left = std::chrono::duration_cast<std::chrono::seconds>(scene_.deadline -
                                                                           std::chrono::steady_clock::now());
        if (left < 2s) {
            failures_.push_back(Finding::warn(kDirectoryArea, subject(uri),
                                              "was not asked: the time was over",
                                              fmt::format("nc -vz {}", host_and_port(uri))));
            return true;
        }
        directory::Settings hurried = settings_;
        // A login may take twice that.
        hurried.connect_timeout = std::clamp<std::chrono::seconds>(left / 4, 1s, 3s);
        hurried.answer_timeout = std::clamp<std::chrono::seconds>(left / 3, 1s, 4s);
        hurried.whole_timeout = std::chrono::duration_cast<std::chrono::seconds>(left);
        auto reader = flow::open_server(state_ ? &*state_ : nullptr, hurried, uri, nullptr);
        if (!reader) return note_failure(uri, reader.error());
        auto view = reader->view();
        if (!view) return note_failure(uri, view.error());
        tell_view(uri, *view);
        return true;
    }

    bool note_failure(const std::string& uri, const Failure& failure) {
        failures_.push_back(Finding::fail(kDirectoryArea, subject(uri), printable(failure.message, 1000),
                                          remedy_for(settings_, uri, failure)));
        return !directory::credentials_refused(failure);
    }

    void tell_view(const std::string& uri, const directory::View& view) {
        if (view.recipients == 0) {
            failures_.push_back(
                Finding::fail(kDirectoryArea, subject(uri),
                              fmt::format("the login works, and no recipient is to be seen below {}: base is "
                                          "wrong, or the account may not read there",
                                          printable(settings_.base)),
                              grant_remedy(settings_, view.root)));
            return;
        }
        answered_ = true;
        tell_(Finding::ok(
            kDirectoryArea, subject(uri),
            fmt::format("login and search work; {} objects with recipients seen",
                        view.recipients >= 1000 ? "1000 or more" : std::to_string(view.recipients))));
        if (view.hidden > 0)
            tell_(Finding::warn(
                kDirectoryArea, subject(uri),
                fmt::format("{} mailboxes show no proxyAddresses to this account, for example {}: their "
                            "addresses look as if they were gone",
                            view.hidden, printable(view.hidden_example)),
                grant_remedy(settings_, view.root)));
        tell_mail_only(uri, view);
        tell_clock(uri, view);
        tell_tombstones(view);
    }

    // As the last readings met them.
    void tell_mistyped() {
        if (!state_) return;
        auto known =
            state_->read([&](SQLite::Database& db) { return store::load_mistyped(db, settings_.name); });
        if (!known || known->empty()) return;
        const census::Mistyped& one = known->front();
        tell_(Finding::warn(
            kDirectoryArea, settings_.name + " addresses",
            fmt::format("{} values are no valid address and are left out, for example '{}' of {}: {}",
                        known->size(), printable(one.value), printable(one.dn), one.why),
            "postcensus report\n# mend them where they stand"));
    }

    // Nobody can tell whether their addresses are hidden, so nothing is concluded from what is not listed.
    void tell_mail_only(const std::string& uri, const directory::View& view) {
        const auto& routes = scene_.configuration.routes;
        const bool complete = std::any_of(routes.begin(), routes.end(), [](const config::Route& route) {
            return route.policy.directory_complete;
        });
        if (view.mail_only == 0 || settings_.use_mail || !complete) return;
        tell_(Finding::warn(
            kDirectoryArea, subject(uri),
            fmt::format(
                "{} objects have `mail` and show no proxyAddresses, for example {}: directory-complete "
                "refuses nobody in the domains of their `mail`",
                view.mail_only, printable(view.mail_only_example)),
            grant_remedy(settings_, view.root) +
                fmt::format("\n# or, where `mail` is all that they have: [directory.{}] use-mail = yes",
                            settings_.name)));
    }

    void tell_clock(const std::string& uri, const directory::View& view) {
        const auto theirs = parse_server_time(view.server_time);
        if (!theirs) return;
        const auto skew = std::chrono::abs(now() - *theirs);
        if (skew > kSkew)
            tell_(Finding::warn(kDirectoryArea, subject(uri),
                                fmt::format("its clock and ours are {} apart", spell_duration(skew)),
                                "timedatectl set-ntp true\n# and there: w32tm /query /status"));
    }

    void tell_tombstones(const directory::View& view) {
        if (settings_.flavour != directory::Flavour::ad || told_tombstones_) return;
        told_tombstones_ = true;
        const std::string subject = settings_.name + " deleted objects";
        if (view.tombstones && view.at_root)
            tell_(Finding::ok(kDirectoryArea, subject,
                              "can be read: who is deleted is gone with the next poll"));
        else if (view.tombstones)
            tell_(Finding::ok(kDirectoryArea, subject,
                              "can be read; base is a part of the domain, so sweeps look for "
                              "who moved out of it"));
        else
            tell_(Finding::warn(
                kDirectoryArea, subject,
                fmt::format(
                    "cannot be read: a sweep every {} looks for who is gone, and what it does not find "
                    "may be hidden as well as deleted",
                    format_duration(settings_.sweep_interval)),
                fmt::format("dsacls \"CN=Deleted Objects,{0}\" /takeownership\n"
                            "dsacls \"CN=Deleted Objects,{0}\" /I:T /G \"{1}:LCRP\"",
                            printable(view.root), account_of(settings_, view.root))));
    }

    const CheckScene& scene_;
    const directory::Settings& settings_;
    const Tell& tell_;
    std::optional<store::Database> state_;
    Findings failures_;
    bool answered_ = false;
    bool told_tombstones_ = false;
};

}  // namespace

void check_directory(const CheckScene& scene, const directory::Settings& settings, const Tell& tell) {
    DirectoryCheck(scene, settings, tell).run();
}

}  // namespace postcensus::check
