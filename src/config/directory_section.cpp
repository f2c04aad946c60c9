// SPDX-License-Identifier: MIT
#include "config/directory_section.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/printable.h"
#include "config/values.h"

namespace postcensus::config {
namespace {

using namespace std::chrono_literals;

// What stands in a filter or an attribute list as it is must not end it.
bool is_attribute_name(const std::string& name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char byte) {
        return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
               byte == '-' || byte == '.';
    });
}

class Finisher {
  public:
    Finisher(const std::string& file, const IniSection& section, DirectoryDraft& draft, Secrets secrets)
        : file_(file), section_(section), draft_(draft), settings_(draft.settings), secrets_(secrets) {}

    Result<void> run() {
        settings_.flavour = draft_.flavour == "ldap" ? directory::Flavour::ldap : directory::Flavour::ad;
        settings_.bind = draft_.bind == "gssapi" ? directory::Bind::gssapi : directory::Bind::simple;
        for (const auto step : {&Finisher::servers, &Finisher::login, &Finisher::objects})
            if (auto done = (this->*step)(); !done) return done;
        return {};
    }

  private:
    tl::unexpected<Failure> bad(const std::string& key, const std::string& what) const {
        return mistake(file_, section_, key, what);
    }

    Result<void> servers() {
        settings_.uris = split_words(draft_.uri);
        if (settings_.uris.empty() == settings_.domain.empty())
            return bad("uri",
                       "name the servers, for example ldaps://dc1.corp.example; or, instead, the domain "
                       "whose servers DNS names");
        if (!settings_.site.empty() && settings_.domain.empty())
            return bad("site", "it goes with domain, and says whose servers come first");
        for (const std::string& uri : settings_.uris) {
            const bool tls = uri.starts_with("ldaps://");
            if (!tls && !uri.starts_with("ldap://"))
                return bad("uri", fmt::format("'{}' begins neither with ldaps:// nor with ldap://",
                                              printable(uri, 80)));
            // Kerberos seals a connection by itself.
            if (!tls && !settings_.starttls && !settings_.insecure &&
                settings_.bind == directory::Bind::simple)
                return bad("uri",
                           "a password would cross the network readable; use ldaps://, or starttls = yes (or "
                           "insecure = yes, if you must)");
            if (tls && settings_.starttls)
                return bad("starttls", "ldaps:// is encrypted from the start; use one of the two");
        }
        return {};
    }

    Result<void> login() {
        if (settings_.bind == directory::Bind::gssapi) {
            if (draft_.keytab.empty()) return bad("keytab", "bind = gssapi needs the keytab of the account");
            if (secrets_ == Secrets::left) return {};
            auto keytab = find_secret(draft_.keytab);
            if (!keytab) return bad("keytab", keytab.error().message);
            settings_.keytab = *keytab;
            return {};
        }
        if (settings_.bind_dn.empty()) return bad("bind-dn", "an empty name would be an anonymous login");
        if (draft_.password_file.empty()) return bad("password-file", "it must be written");
        if (secrets_ == Secrets::left) return {};
        auto password = read_secret(draft_.password_file);
        if (!password) return bad("password-file", password.error().message);
        settings_.password = *password;
        return {};
    }

    Result<void> objects() {
        settings_.attributes = split_words(draft_.attributes);
        for (const std::string& name : settings_.attributes)
            if (!is_attribute_name(name))
                return bad("attributes", fmt::format("'{}' is no attribute", printable(name, 80)));
        if (settings_.flavour == directory::Flavour::ad) {
            // Which attributes and objects count in an Active Directory is not a matter of taste.
            if (!settings_.filter.empty()) return bad("filter", "it goes with flavour = ldap");
            if (draft_.attributes != "mail") return bad("attributes", "it goes with flavour = ldap");
            return {};
        }
        if (settings_.use_mail) return bad("use-mail", "it goes with flavour = ad; name mail in attributes");
        if (settings_.attributes.empty()) return bad("attributes", "name at least one, for example mail");
        if (settings_.filter.empty()) {
            for (const std::string& name : settings_.attributes) settings_.filter += "(" + name + "=*)";
            if (settings_.attributes.size() > 1) settings_.filter = "(|" + settings_.filter + ")";
        }
        if (settings_.filter.front() != '(')
            return bad("filter", "a filter stands in parentheses, for example (objectClass=inetOrgPerson)");
        return {};
    }

    const std::string& file_;
    const IniSection& section_;
    DirectoryDraft& draft_;
    directory::Settings& settings_;
    Secrets secrets_;
};

}  // namespace

SectionBinder bind_directory(const std::string& file, const std::string& section, DirectoryDraft& draft) {
    SectionBinder binder(file, section);
    binder.key("uri", "", set_text(draft.uri))
        .key("domain", "", set_text(draft.settings.domain))
        .key("site", "", set_text(draft.settings.site))
        .required("base", set_text(draft.settings.base))
        .key("flavour", "ad", one_of(draft.flavour, {"ad", "ldap"}))
        .key("bind", "simple", one_of(draft.bind, {"simple", "gssapi"}))
        .key("bind-dn", "", set_text(draft.settings.bind_dn))
        .key("password-file", "", set_text(draft.password_file))
        .key("keytab", "", set_text(draft.keytab))
        .key("starttls", "no", set_bool(draft.settings.starttls))
        .key("insecure", "no", set_bool(draft.settings.insecure))
        .key("ca-file", "", set_path(draft.settings.ca_file, true))
        .key("filter", "", set_text(draft.settings.filter))
        .key("attributes", "mail", set_text(draft.attributes))
        .key("use-mail", "no", set_bool(draft.settings.use_mail))
        .key("poll-interval", "15s", set_duration(draft.settings.poll_interval, 0ms))
        .key("sweep-interval", "1h", set_duration(draft.settings.sweep_interval, 0ms));
    return binder;
}

Result<void> finish_directory(const std::string& file, const IniSection& section, DirectoryDraft& draft,
                              Secrets secrets) {
    return Finisher(file, section, draft, secrets).run();
}

}  // namespace postcensus::config
