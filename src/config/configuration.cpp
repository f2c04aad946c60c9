// SPDX-License-Identifier: MIT
#include "config/configuration.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>

#include "base/duration.h"
#include "base/file.h"
#include "base/printable.h"
#include "config/directory_section.h"
#include "config/values.h"

namespace postcensus::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kLargestFile = 1024UL * 1024;
constexpr std::size_t kLargestDomainFile = 16UL * 1024 * 1024;
constexpr std::uint16_t kHubTransport = 2525;

SectionBinder bind_general(const std::string& file, Configuration& out) {
    SectionBinder binder(file, "general");
    binder.key("state", "/var/lib/postcensus/state.db", set_path(out.state.path))
        .key("maps", "/var/lib/postcensus/maps", set_path(out.postfix.maps))
        .key("table-type", "auto", one_of(out.postfix.table_type, {"auto", "hash", "btree", "lmdb", "cdb"}))
        .key("postfix-config", "/etc/postfix", set_path(out.postfix.config_dir))
        .key("publish-interval", "1s", set_duration(out.publish_interval, 0ms))
        .key("metrics-dir", "", set_path(out.metrics_dir, true))
        .key("max-removals", "10%", set_percent(out.gate.percent));
    return binder;
}

SectionBinder bind_log(const std::string& file, Configuration& out) {
    SectionBinder binder(file, "log");
    binder
        .key("source", "auto",
             [&out](const std::string& text) -> Result<void> {
                 if (text != "auto" && text != "file" && text != "journal")
                     return fail(ExitCode::configuration, "write 'auto', 'file' or 'journal'");
                 out.log.source = text == "file"      ? maillog::SourceKind::file
                                  : text == "journal" ? maillog::SourceKind::journal
                                                      : maillog::SourceKind::automatic;
                 return {};
             })
        .key("path", "/var/log/mail.log", set_path(out.log.path))
        .key("syslog-name", "postfix", [&out](const std::string& text) -> Result<void> {
            out.log.syslog_names = split_words(text);
            if (out.log.syslog_names.empty())
                return fail(ExitCode::configuration, "name at least one, normally 'postfix'");
            return {};
        });
    return binder;
}

Setter set_domains(Route& route) {
    return [&route](const std::string& text) -> Result<void> {
        std::vector<std::string> words = split_words(text);
        std::vector<std::string> domains;
        for (const std::string& word : words) {
            if (word == "postfix") {
                route.ask_postfix_for_domains = true;
                continue;
            }
            if (!word.starts_with("file:")) {
                domains.push_back(word);
                continue;
            }
            auto content = read_file(word.substr(5), kLargestDomainFile);
            if (!content) return fail(content.error());
            const std::vector<std::string> named = split_words(*content);
            domains.insert(domains.end(), named.begin(), named.end());
        }
        for (const std::string& domain : domains) {
            const auto valid = mail::valid_domain(domain);
            if (!valid)
                return fail(ExitCode::configuration,
                            fmt::format("'{}' is not a domain", printable(domain, 80)));
            route.domains.push_back(*valid);
        }
        if (route.domains.empty() && !route.ask_postfix_for_domains)
            return fail(ExitCode::configuration, "name at least one domain, or write postfix");
        return {};
    };
}

Result<callout::Target> parse_target(const std::string& text) {
    callout::Target target{text, kHubTransport};
    // [2001:db8::1]:2525, host:2525 or host
    const std::size_t colon = text.rfind(':');
    const std::size_t bracket = text.rfind(']');
    if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
        unsigned port = 0;
        const auto [rest, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
        if (error != std::errc{} || rest != text.data() + text.size() || port == 0 || port > 65535)
            return fail(ExitCode::configuration, fmt::format("'{}' has no valid port", printable(text, 80)));
        target = {text.substr(0, colon), static_cast<std::uint16_t>(port)};
    }
    if (target.host.size() > 2 && target.host.front() == '[' && target.host.back() == ']')
        target.host = target.host.substr(1, target.host.size() - 2);
    if (target.host.empty() || target.host.find('/') != std::string::npos)
        return fail(ExitCode::configuration, fmt::format("'{}' is not host:port", printable(text, 80)));
    return target;
}

Setter set_targets(callout::Settings& settings) {
    return [&settings](const std::string& text) -> Result<void> {
        if (text == "none") return {};
        if (text == "postfix") {
            settings.ask_postfix = true;
            return {};
        }
        for (const std::string& word : split_words(text)) {
            auto target = parse_target(word);
            if (!target) return fail(target.error());
            settings.targets.push_back(*target);
        }
        if (settings.targets.empty()) return fail(ExitCode::configuration, "name a host:port, or write none");
        return {};
    };
}

Setter set_accept(Route& route) {
    return [&route](const std::string& text) -> Result<void> {
        for (const std::string& word : split_words(text)) {
            if (word.front() == '@') {
                const auto domain = mail::valid_domain(word.substr(1));
                if (!domain)
                    return fail(ExitCode::configuration,
                                fmt::format("'{}' is not @domain", printable(word, 80)));
                route.accept_domains.push_back(*domain);
                continue;
            }
            const auto address = mail::Address::from_external(word);
            if (!address || !address->fits_table())
                return fail(ExitCode::configuration,
                            fmt::format("'{}' is neither an address nor @domain", printable(word, 80)));
            route.accept.push_back(*address);
        }
        return {};
    };
}

// What goes into an SMTP command as it stands must not hold what ends one.
Setter set_smtp_word(std::string& target) {
    return [&target](const std::string& text) -> Result<void> {
        if (text.find_first_of(" \t\r\n<>") != std::string::npos || !is_printable(text))
            return fail(ExitCode::configuration,
                        fmt::format("'{}' cannot be sent to a mail server", printable(text, 80)));
        target = text;
        return {};
    };
}

Setter set_tls(callout::Tls& target) {
    return [&target](const std::string& text) -> Result<void> {
        if (text == "off")
            target = callout::Tls::off;
        else if (text == "opportunistic")
            target = callout::Tls::opportunistic;
        else if (text == "required")
            target = callout::Tls::required;
        else
            return fail(ExitCode::configuration, "write off, opportunistic or required");
        return {};
    };
}

SectionBinder bind_route(const std::string& file, const std::string& section, Route& route) {
    SectionBinder binder(file, section);
    binder.required("domains", set_domains(route))
        .key("callout", "none", set_targets(route.callout))
        .key("accept", "", set_accept(route))
        .key("mail-from", "", set_smtp_word(route.callout.mail_from))
        .key("helo", "", set_smtp_word(route.callout.helo))
        .key("tls", "opportunistic", set_tls(route.callout.tls))
        .key("sessions", "4", set_number(route.callout.sessions, 1, 20))
        .key("control", "",
             [&route](const std::string& text) -> Result<void> {
                 if (text.empty()) return {};
                 route.callout.control = mail::Address::from_external(text);
                 if (!route.callout.control)
                     return fail(ExitCode::configuration,
                                 fmt::format("'{}' is not an address", printable(text, 80)));
                 return {};
             })
        .key("confirmation-interval", "15m", set_duration(route.policy.confirmation_interval, 1s))
        .key("directory-complete", "no", set_bool(route.policy.directory_complete))
        .key("deliverable-refresh", "7d", set_duration(route.deliverable_refresh, 1s))
        .key("unknown-expire", "1h", set_duration(route.policy.unknown_expire, 1s));
    return binder;
}

Setter set_rate(census::Rate& target) {
    return [&target](const std::string& text) -> Result<void> {
        auto rate = census::Rate::parse(text);
        if (!rate) return fail(rate.error());
        target = *rate;
        return {};
    };
}

SectionBinder bind_budget(const std::string& file, census::Budget& budget) {
    SectionBinder binder(file, "budget");
    binder.key("total", "20/s", set_rate(budget.total))
        .key("domain", "5/s", set_rate(budget.domain))
        .key("network", "30/m", set_rate(budget.network))
        .key("relays", "", [&budget](const std::string& text) -> Result<void> {
            for (const std::string& word : split_words(text)) {
                auto network = census::Network::parse(word);
                if (!network) return fail(network.error());
                budget.relays.push_back(*network);
            }
            return {};
        });
    return binder;
}

// What concerns several sections. `sections`: of the routes, in their order.
Result<void> finish(Configuration& out, const std::vector<IniSection>& sections) {
    const std::string file = out.file.string();
    for (std::size_t i = 0; i < out.routes.size(); ++i)
        for (const std::string& domain : out.routes[i].domains)
            if (!out.route_by_domain.emplace(domain, i).second)
                return mistake(file, sections[i], "domains", domain + " is named twice");
    bool asked = false;
    for (std::size_t i = 0; i < out.routes.size(); ++i) {
        if (out.routes[i].ask_postfix_for_domains && std::exchange(asked, true))
            return mistake(file, sections[i], "domains", "only one route can take what Postfix relays");
    }
    for (std::size_t i = 0; i < out.routes.size(); ++i) {
        std::vector<std::string> named = out.routes[i].accept_domains;
        for (const mail::Address& address : out.routes[i].accept) named.emplace_back(address.domain());
        for (const std::string& domain : named) {
            const auto owner = out.route_by_domain.find(domain);
            const bool known = owner != out.route_by_domain.end();
            if (known ? owner->second != i : !out.routes[i].ask_postfix_for_domains)
                return mistake(file, sections[i], "accept", domain + " is none of this route's domains");
        }
        if (out.routes[i].policy.directory_complete && out.directories.empty())
            return mistake(file, sections[i], "directory-complete",
                           "there is no [directory.NAME] section that could know these recipients");
    }
    return {};
}

}  // namespace

bool Route::accepts(const mail::Address& address) const {
    return accepts_all_of(std::string(address.domain())) ||
           std::find(accept.begin(), accept.end(), address) != accept.end();
}

bool Route::accepts_all_of(const std::string& domain) const {
    return std::find(accept_domains.begin(), accept_domains.end(), domain) != accept_domains.end();
}

std::string Route::policy_text(const std::string& domain) const {
    std::string text = fmt::format("unknown-expire={} confirmation-interval={} callout={}",
                                   format_duration(policy.unknown_expire),
                                   format_duration(policy.confirmation_interval), asks() ? "yes" : "no");
    if (policy.directory_complete) text += " directory-complete";
    if (accepts_all_of(domain)) text += " accept=@" + domain;
    for (const mail::Address& address : accept)
        if (address.domain() == domain) text += " accept=" + address.text();
    return text;
}

const Route* Configuration::route_of(std::string_view domain) const {
    const auto found = route_by_domain.find(domain);
    return found == route_by_domain.end() ? nullptr : &routes[found->second];
}

bool Configuration::needs_proof(const std::string& domain) const {
    const Route* route = route_of(domain);
    return route != nullptr && route->asks() && !route->accepts_all_of(domain);
}

bool Configuration::asks_postfix_for_domains() const {
    return std::any_of(routes.begin(), routes.end(),
                       [](const Route& route) { return route.ask_postfix_for_domains; });
}

void Configuration::set_postfix_domains(const std::vector<std::string>& domains) {
    postfix_domains = domains;
    for (std::size_t i = 0; i < routes.size(); ++i) {
        if (!routes[i].ask_postfix_for_domains) continue;
        for (const std::string& domain : domains)
            if (route_by_domain.emplace(domain, i).second) routes[i].domains.push_back(domain);
    }
}

std::chrono::milliseconds Configuration::longest_lease() const {
    std::chrono::milliseconds longest{};
    for (const Route& route : routes) longest = std::max(longest, route.policy.unknown_expire);
    return longest;
}

Result<Configuration> load(const std::filesystem::path& file, Secrets secrets) {
    auto text = read_file(file, kLargestFile);
    if (!text)
        return fail(ExitCode::configuration,
                    text.error().message +
                        "; write one: postcensus.conf(5) has a short example. Or name it with --config");
    auto sections = split_ini(*text, file.string());
    if (!sections) return fail(sections.error());

    Configuration out;
    out.file = file;
    IniSection general{"general", 1, {}};
    IniSection log{"log", 1, {}};
    IniSection budget{"budget", 1, {}};
    std::vector<IniSection> routes;
    for (IniSection& section : *sections) {
        const auto where =
            fmt::format("{}:{}: [{}] ", file.string(), section.line, printable(section.name, 60));
        if (section.name == "general") {
            general = section;
        } else if (section.name == "log") {
            log = section;
        } else if (section.name == "budget") {
            budget = section;
        } else if (section.name.starts_with("directory.") && section.name.size() > 10) {
            DirectoryDraft draft;
            draft.settings.name = section.name.substr(10);
            if (auto bound = bind_directory(file.string(), section.name, draft).bind(section); !bound)
                return fail(bound.error());
            if (auto finished = finish_directory(file.string(), section, draft, secrets); !finished)
                return fail(finished.error());
            out.directories.push_back(std::move(draft.settings));
        } else if (section.name.starts_with("route.") && section.name.size() > 6) {
            routes.push_back(section);
            Route& route = out.routes.emplace_back();
            route.name = section.name.substr(6);
            if (auto bound = bind_route(file.string(), section.name, route).bind(section); !bound)
                return fail(bound.error());
        } else {
            return fail(ExitCode::configuration, where +
                                                     "there is no such section; [general], [log], "
                                                     "[directory.NAME], [route.NAME] and [budget] there are");
        }
    }
    if (auto bound = bind_general(file.string(), out).bind(general); !bound) return fail(bound.error());
    if (auto bound = bind_log(file.string(), out).bind(log); !bound) return fail(bound.error());
    if (auto bound = bind_budget(file.string(), out.budget).bind(budget); !bound) return fail(bound.error());
    if (auto finished = finish(out, routes); !finished) return fail(finished.error());

    std::string decides = *text;
    for (const Route& route : out.routes)
        for (const std::string& domain : route.domains) decides.append("\n").append(domain);
    out.digest = fmt::format("{:016x}", std::hash<std::string>{}(decides));
    return out;
}

std::vector<std::string> known_keys() {
    Configuration configuration;
    DirectoryDraft draft;
    Route route;
    std::vector<std::string> keys;
    const auto add = [&keys](const std::string& section, const SectionBinder& binder) {
        for (const std::string& name : binder.names()) keys.push_back(fmt::format("{} {}", section, name));
    };
    add("general", bind_general({}, configuration));
    add("log", bind_log({}, configuration));
    add("directory", bind_directory({}, {}, draft));
    add("route", bind_route({}, {}, route));
    add("budget", bind_budget({}, configuration.budget));
    return keys;
}

}  // namespace postcensus::config
