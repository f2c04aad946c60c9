// SPDX-License-Identifier: MIT
#include "audit/explain.h"

#include <fmt/format.h>

#include <array>
#include <future>

#include "base/printable.h"
#include "flow/publish/decider.h"
#include "flow/read/relay_domains.h"
#include "postfix/lookup.h"
#include "postfix/table.h"
#include "store/explanation.h"

namespace postcensus::audit {
namespace {

using namespace std::chrono_literals;

constexpr auto kExplainPatience = 10s;

struct PostfixSide {
    Result<std::string> table_type = std::string{};
    postfix::Extensions extensions;
    std::string trouble;  // why these are not known
};

// Two programs at once: most of the time that an explanation takes is theirs.
PostfixSide ask_postconf(const postfix::Settings& settings) {
    auto parameters = std::async(std::launch::async, [&settings] {
        return postfix::read_parameters(
            settings.config_dir, {"recipient_delimiter", "owner_request_special", "double_bounce_sender"});
    });
    PostfixSide side;
    side.table_type = postfix::resolve_table_type(settings);
    auto values = parameters.get();
    if (values)
        side.extensions = postfix::read_extensions(*values);
    else
        side.trouble = values.error().message;
    return side;
}

// The keys under which Postfix looks for a recipient in a table, the first that is found counts: with its
// extension, without it, and in relay_recipient_maps the whole domain (postconf(5), access(5)).
std::vector<std::string> keys_of(const std::string& recipient, const std::optional<mail::Address>& address,
                                 const std::optional<mail::Address>& base, std::string_view table) {
    std::vector<std::string> keys{recipient};
    if (base) keys.push_back(base->external());
    if (address && (table == "directory" || table == "learned"))
        keys.push_back("@" + std::string(address->domain()));
    return keys;
}

std::optional<mail::Address> without_extension(const mail::Address& address,
                                               const postfix::Extensions& extensions) {
    const auto base = extensions.base_of(address.local());
    if (!base) return std::nullopt;
    return mail::Address::from_stored(*base + "@" + std::string(address.domain()));
}

bool contradicts(const census::Explanation& explanation) {
    const auto found = [&explanation](const char* table) {
        const auto& entry = explanation.postfix.at(table);
        return entry && entry->value != "DUNNO";
    };
    const bool accepted = found("directory") || found("learned");
    if (found("unknown") != (explanation.answer == census::Answer::reject)) return true;
    if (found("closed") != (explanation.answer == census::Answer::closed)) return true;
    return explanation.answer != census::Answer::reject && accepted != census::exists(explanation.answer);
}

void ask_tables(const config::Configuration& configuration, const PostfixSide& side,
                const std::optional<mail::Address>& address, const std::optional<mail::Address>& base,
                const std::string& recipient, census::Explanation& out) {
    if (!side.table_type) {
        out.trouble.push_back(side.table_type.error().message);
        return;
    }
    using Answers = Result<std::map<std::string, std::string>>;
    std::map<std::string, std::future<Answers>> lookups;
    for (const char* table : postfix::kTables)
        lookups[table] = std::async(std::launch::async, [&, table] {
            return postfix::look_up(configuration.postfix.config_dir,
                                    *side.table_type + ":" + (configuration.postfix.maps / table).string(),
                                    keys_of(recipient, address, base, table));
        });
    for (auto& [table, lookup] : lookups) {
        const Answers answers = lookup.get();
        if (!answers) {
            out.trouble.push_back(answers.error().message);
            continue;
        }
        auto& found = out.postfix[table];
        for (const std::string& key : keys_of(recipient, address, base, table))
            if (const auto entry = answers->find(key); entry != answers->end() && !found)
                found = census::Explanation::Found{entry->first, entry->second};
    }
    if (out.postfix.size() == postfix::kTables.size() && contradicts(out))
        out.trouble.emplace_back(
            "the tables say something else than the state; if that lasts longer than a few seconds, is "
            "`postcensus watch` running?");
}

// What answers for an address of which nothing of its own is known: the one without extension, for Postfix
// looks that up too, or the catch-all of its domain.
void answer_through_others(const config::Route& route, const std::optional<census::Explanation>& base,
                           std::string_view domain, census::Explanation& out) {
    if (out.answer != census::Answer::unsure) return;
    if (base && base->answer != census::Answer::unsure) {
        out.answer = base->answer;
        out.table = base->table;
        out.reason = base->reason;
        out.through = base->address;
        out.known = true;
        out.evidence.insert(out.evidence.end(), base->evidence.begin(), base->evidence.end());
        out.next = base->next;
        return;
    }
    if (!route.accepts_all_of(std::string(domain))) return;
    out.answer = census::Answer::accept;
    out.table = "learned";
    out.reason = census::Reason::configured;
    out.through = "@" + std::string(domain);
    out.known = true;
    out.evidence.push_back({"configured", fmt::format("accept = @{} in [route.{}]", domain, route.name), {}});
    out.next.clear();
}

}  // namespace

Result<census::Explanation> explain(config::Configuration configuration, const std::string& recipient) {
    std::optional<mail::Address> address;
    std::string domain;
    if (recipient.starts_with('@')) {
        const auto valid = mail::valid_domain(std::string_view(recipient).substr(1));
        if (!valid) return fail(ExitCode::usage, fmt::format("'{}' is not a domain", printable(recipient)));
        domain = *valid;
    } else {
        address = mail::Address::from_external(recipient);
        if (!address)
            return fail(ExitCode::usage,
                        fmt::format("'{}' is not an address; a catch-all is @domain", printable(recipient)));
        domain = address->domain();
    }
    auto postconf = std::async(std::launch::async, ask_postconf, configuration.postfix);
    auto state =
        store::Database::open(configuration.state.path, store::Database::Mode::read_only, kExplainPatience);
    if (!state) return fail(state.error());
    if (auto taken = flow::take_relay_domains(configuration, *state); !taken) return fail(taken.error());
    const PostfixSide side = postconf.get();
    const auto base = address ? without_extension(*address, side.extensions) : std::nullopt;

    const bool watched = flow::watch_runs(configuration);
    std::optional<census::Explanation> of_base;
    auto loaded = state->read([&](SQLite::Database& db) {
        census::Explanation out;
        out.address = "@" + domain;
        if (address) out = store::load_explanation(db, *address, now());
        if (base) of_base = store::load_explanation(db, *base, now());
        if (!address || out.answer == census::Answer::unsure)
            for (census::ExplanationLine& line : store::load_domain_evidence(db, domain))
                if ((!address || line.kind != "census") && (line.kind != "breaker" || watched))
                    out.evidence.push_back(std::move(line));
        return out;
    });
    if (!loaded) return loaded;
    census::Explanation& out = *loaded;
    const config::Route* route = configuration.route_of(domain);
    if (route == nullptr) {
        // What the tables hold of it waits for the gate at most.
        if (out.answer == census::Answer::unsure) out.reason = census::Reason::not_relayed;
        out.known = true;
        out.trouble.push_back(fmt::format("no route names the domain {}", domain));
    } else {
        answer_through_others(*route, of_base, domain, out);
        if (address && out.answer == census::Answer::unsure && !route->asks() &&
            !route->policy.directory_complete)
            out.next.push_back({"directory",
                                fmt::format("nobody is asked about it: [route.{}] has no callout, and its "
                                            "directory may be incomplete; the next reading may list it",
                                            route->name),
                                {}});
    }
    if (!side.trouble.empty()) out.trouble.push_back(side.trouble);
    ask_tables(configuration, side, address, base, out.address, out);
    return loaded;
}

}  // namespace postcensus::audit
