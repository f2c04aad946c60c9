// SPDX-License-Identifier: MIT
#include "check/main_cf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/printable.h"
#include "postfix/lookup.h"

namespace postcensus::check {
namespace {

constexpr const char* kMainCfArea = "postfix";
constexpr const char* kMaps = "relay_recipient_maps";

// The operator's own tables stay, ours go in front.
std::string mended_maps(const std::string& list, const OurTables& ours) {
    std::string line = fmt::format("{} = {}, {}", kMaps, ours.name("directory"), ours.name("learned"));
    for (const std::string& word : postfix::split_list(list))
        if (!named_table(word, ours)) line += ", " + word;
    return line;
}

// What is wrong with the way main.cf names a table; empty if nothing.
std::string why_misnamed(const NamedTable& named, const OurTables& ours) {
    if (named.proxied)
        return fmt::format("names {} with proxy:, which goes on answering from a table that was replaced",
                           named.table);
    if (named.type != ours.type)
        return fmt::format("names {} as {}:, but the table that is built is of the type {}", named.table,
                           shown(named.type), ours.type);
    return {};
}

bool covers(const std::vector<std::string>& names, const std::string& syslog_name) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return syslog_name == name || (syslog_name.starts_with(name) &&
                                       (syslog_name[name.size()] == '-' || syslog_name[name.size()] == '/'));
    });
}

// Whether mail goes through a content filter at all.
bool filters_content(const Snapshot& snapshot) {
    if (!snapshot.value("content_filter").empty()) return true;
    return std::any_of(snapshot.services.begin(), snapshot.services.end(), [](const Service& service) {
        const auto filter = service.overrides.find("content_filter");
        const auto proxy = service.overrides.find("smtpd_proxy_filter");
        return (filter != service.overrides.end() && !filter->second.empty()) ||
               (proxy != service.overrides.end() && !proxy->second.empty());
    });
}

}  // namespace

std::string shown(std::string_view text) {
    return printable(text, 400);
}

std::string some_of(const std::vector<std::string>& names, std::size_t most) {
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), most); ++i)
        text += (text.empty() ? "" : ", ") + shown(names[i]);
    if (names.size() > most) text += fmt::format(" and {} more", names.size() - most);
    return text;
}

// One list: of main.cf, or of a service that has its own.
class RecipientMaps {
  public:
    RecipientMaps(const Snapshot& snapshot, const OurTables& ours, const Service* service)
        : ours_(ours),
          list_(service == nullptr ? snapshot.value(kMaps) : snapshot.value(*service, kMaps)),
          subject_(service == nullptr ? kMaps : shown(service->text()) + " " + kMaps),
          remedy_(service == nullptr ? mended_maps(list_, ours)
                                     : fmt::format("postconf -PX '{}/{}'", shown(service->text()), kMaps)) {}

    Findings judge() {
        check_names();
        if (!missing_.empty() && ours_.present)
            add(Level::fail,
                fmt::format("does not name {}: what Postcensus knows is not asked", some_of(missing_)),
                remedy_);
        if (!missing_.empty() && !ours_.present)
            add(Level::warn,
                fmt::format("does not name {}, and the tables are not there yet", some_of(missing_)),
                "postcensus sync\n# then in main.cf:\n" + remedy_);
        if (missing_.empty() && !ours_.present)
            add(Level::fail, "names tables that are not there yet: Postfix answers 451 to every recipient",
                "postcensus sync");
        if (findings_.empty()) add(Level::ok, "names directory and learned", "");
        return std::move(findings_);
    }

  private:
    void add(Level level, std::string words, const std::string& remedy) {
        findings_.push_back({level, kMainCfArea, subject_, std::move(words), remedy});
    }

    void check_names() {
        std::vector<std::string> named;
        for (const std::string& word : postfix::split_list(list_)) {
            const auto table = named_table(word, ours_);
            if (!table) continue;
            named.push_back(table->table);
            if (const std::string why = why_misnamed(*table, ours_); !why.empty())
                add(Level::fail, why, remedy_);
            if (table->table != "directory" && table->table != "learned")
                add(Level::fail,
                    fmt::format("names {}: every recipient in that table would be accepted",
                                shown(table->table)),
                    remedy_);
        }
        for (const char* table : {"directory", "learned"})
            if (std::find(named.begin(), named.end(), table) == named.end()) missing_.emplace_back(table);
    }

    const OurTables& ours_;
    std::string list_, subject_, remedy_;
    std::vector<std::string> missing_;
    Findings findings_;
};

Findings check_recipient_maps(const Snapshot& snapshot, const OurTables& ours) {
    Findings findings = RecipientMaps(snapshot, ours, nullptr).judge();
    for (const Service& service : snapshot.services) {
        if (service.program != "smtpd" || is_submission(service) || is_reinjection(snapshot, service) ||
            !service.overrides.contains(kMaps))
            continue;
        for (Finding& finding : RecipientMaps(snapshot, ours, &service).judge())
            findings.push_back(std::move(finding));
    }
    return findings;
}

Findings check_parameters(const Snapshot& snapshot) {
    Findings findings;
    const std::string code = snapshot.value("unknown_relay_recipient_reject_code");
    if (code.size() == 3 && code.starts_with('4'))
        findings.push_back(Finding::ok(kMainCfArea, "unknown_relay_recipient_reject_code", code));
    else
        findings.push_back(Finding::fail(
            kMainCfArea, "unknown_relay_recipient_reject_code",
            fmt::format(
                "is {}: a recipient that is in no table is refused for good, before anybody was asked",
                shown(code)),
            "unknown_relay_recipient_reject_code = 450"));
    if (const std::string format = snapshot.value("info_log_address_format"); format == "internal")
        findings.push_back(Finding::fail(
            kMainCfArea, "info_log_address_format",
            "is internal: senders can forge the fields of a log line, so the log is no evidence",
            "info_log_address_format = external"));
    if (snapshot.value("soft_bounce") == "yes")
        findings.push_back(Finding::warn(kMainCfArea, "soft_bounce",
                                         "is yes: proven unknown recipients get 450 too, and no sender "
                                         "learns that they do not exist",
                                         "soft_bounce = no"));
    if (snapshot.value("smtpd_reject_unlisted_sender") == "yes")
        findings.push_back(Finding::warn(kMainCfArea, "smtpd_reject_unlisted_sender",
                                         "is yes: senders of the relay domains that are in no table yet get "
                                         "450, and nobody asks about them",
                                         "smtpd_reject_unlisted_sender = no"));
    if (const std::string delimiter = snapshot.value("recipient_delimiter"); !delimiter.empty())
        findings.push_back(Finding::warn(
            kMainCfArea, "recipient_delimiter",
            fmt::format(
                "is '{}': of each accepted B, B{}anything is accepted too, and bounces if Exchange does "
                "not know it; an unknown B is refused with every extension (name what only an alias "
                "knows in accept)",
                shown(delimiter), shown(delimiter.substr(0, 1))),
            "recipient_delimiter ="));
    return findings;
}

bool is_submission(const Service& service) {
    constexpr std::array<std::string_view, 5> kPorts{"submission", "587", "smtps", "submissions", "465"};
    return std::find(kPorts.begin(), kPorts.end(), service.port()) != kPorts.end();
}

bool is_reinjection(const Snapshot& snapshot, const Service& service) {
    const std::string_view port = service.port();
    if (service.program != "smtpd" || service.type != "inet" || port == "smtp" || port == "25" ||
        is_submission(service))
        return false;
    const auto filter = service.overrides.find("content_filter");
    if (filter != service.overrides.end()) return filter->second.empty();
    return filters_content(snapshot) &&
           (service.name.starts_with("127.") || service.name.starts_with("localhost:") ||
            service.name.starts_with("[::1]:"));
}

Findings check_reinjection(const Snapshot& snapshot) {
    Findings findings;
    for (const Service& service : snapshot.services) {
        if (!is_reinjection(snapshot, service)) continue;
        const std::vector<std::string> options =
            postfix::split_list(snapshot.value(service, "receive_override_options"));
        // Without a list of recipients there is nothing to check by.
        const auto maps = service.overrides.find(kMaps);
        if (std::find(options.begin(), options.end(), "no_unknown_recipient_checks") != options.end() ||
            (maps != service.overrides.end() && maps->second.empty())) {
            findings.push_back(Finding::ok(kMainCfArea, shown(service.text()),
                                           "takes mail back from the content filter without checking its "
                                           "recipients again"));
            continue;
        }
        std::string kept;
        for (const std::string& option : options) kept += "," + option;
        findings.push_back(Finding::warn(
            kMainCfArea, shown(service.text()),
            "takes mail back from the content filter and checks its recipients again: what was accepted in "
            "between is refused there, and the filter has to bounce it",
            fmt::format("postconf -P '{}/receive_override_options=no_unknown_recipient_checks{}'",
                        shown(service.text()), kept)));
    }
    return findings;
}

Findings check_syslog_names(const Snapshot& snapshot, const std::vector<std::string>& names) {
    std::vector<std::string> strange;
    for (const Service& service : snapshot.services) {
        if (service.program != "smtpd" && service.program != "smtp" && service.program != "lmtp") continue;
        const std::string name = snapshot.value(service, "syslog_name");
        // What refers to $service_name is only known to the running service.
        const std::string fixed = name.substr(0, name.find('$'));
        if (!fixed.empty() && !covers(names, name) && !covers(names, fixed) &&
            std::find(strange.begin(), strange.end(), name) == strange.end())
            strange.push_back(name);
    }
    if (strange.empty()) return {Finding::ok("log", "syslog_name", some_of(names))};
    std::string all;
    for (const std::string& name : names) all += " " + name;
    std::string added;
    for (const std::string& name : strange) added += " " + shown(name.substr(0, name.find('/')));
    return {Finding::fail("log", "syslog_name",
                          fmt::format("Postfix logs as {} too, and [log] syslog-name does not cover that: "
                                      "misses there are not seen",
                                      some_of(strange)),
                          fmt::format("[log]\nsyslog-name ={}{}", all, added))};
}

Findings check_transports(const Snapshot& snapshot,
                          const std::map<std::string, std::vector<std::string>>& domains) {
    Findings findings;
    for (const auto& [transport, carried] : domains) {
        if (transport == "error" || transport == "retry" || transport == "discard") {
            findings.push_back(Finding::fail(
                kMainCfArea, "transport_maps",
                fmt::format("{} goes to the transport {}: nothing is delivered", some_of(carried), transport),
                fmt::format("transport_maps: {} relay:[HOST-OF-EXCHANGE]", shown(carried.front()))));
            continue;
        }
        const std::string name = shown(transport) + "_destination_recipient_limit";
        std::string limit = snapshot.value(transport + "_destination_recipient_limit");
        if (limit.empty()) limit = snapshot.value("default_destination_recipient_limit");
        if (limit == "1")
            findings.push_back(Finding::ok(kMainCfArea, name, "1; carries " + some_of(carried)));
        else
            findings.push_back(Finding::fail(
                kMainCfArea, name,
                fmt::format(
                    "is {} for the transport that carries {}: Exchange may refuse a whole mail for one "
                    "recipient that it does not know",
                    shown(limit), some_of(carried)),
                name + " = 1"));
    }
    return findings;
}

}  // namespace postcensus::check
