// SPDX-License-Identifier: MIT
#include "tasks/report.h"

#include <fmt/format.h>

#include "postfix/table.h"
#include "store/audit.h"
#include "tasks/relay_domains.h"

namespace postcensus::tasks {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 10s;

// A table that says something else than the state: for a moment after a change that is normal, for longer it
// is a fault.
void compare(const census::Explanation& explanation, std::vector<std::string>& trouble) {
    const auto found = [&explanation](const char* table) {
        const auto entry = explanation.postfix.find(table);
        return entry != explanation.postfix.end() && entry->second && *entry->second != "DUNNO";
    };
    const bool accepted = found("directory") || found("learned");
    const bool rejected = found("unknown");
    if (rejected != (explanation.answer == census::Answer::reject) ||
        (accepted && !census::exists(explanation.answer) && explanation.answer != census::Answer::reject) ||
        (!accepted && census::exists(explanation.answer)))
        trouble.push_back(
            "the tables say something else than the state; if that lasts longer than a few seconds, is "
            "`postcensus watch` running?");
}

}  // namespace

Result<census::Report> gather_report(const config::Configuration& configuration, Time since, Time until,
                                     const std::string& domain) {
    auto state = store::Database::open(configuration.state.path, store::Database::Mode::read_only, kPatience);
    if (!state) return fail(state.error());
    return state->read(
        [&](SQLite::Database& db) { return store::load_report(db, since, until, domain, now()); });
}

Result<census::Explanation> gather_explanation(config::Configuration configuration,
                                               const mail::Address& address) {
    auto state = store::Database::open(configuration.state.path, store::Database::Mode::read_only, kPatience);
    if (!state) return fail(state.error());
    if (auto taken = take_relay_domains(configuration, *state); !taken) return fail(taken.error());
    auto explanation =
        state->read([&](SQLite::Database& db) { return store::load_explanation(db, address, now()); });
    if (!explanation) return fail(explanation.error());
    if (configuration.route_of(address.domain()) == nullptr) {
        explanation->reason = census::Reason::not_relayed;
        explanation->known = true;
        explanation->trouble.push_back(fmt::format("no route names the domain {}", address.domain()));
    }
    auto type = postfix::resolve_table_type(configuration.postfix);
    if (!type) {
        explanation->trouble.push_back(type.error().message);
        return explanation;
    }
    const postfix::TableFolder tables(configuration.postfix, *type);
    bool all_read = true;
    for (const char* table : {"directory", "learned", "closed", "unknown"}) {
        auto value = tables.look_up(table, address.external());
        if (value)
            explanation->postfix[table] = *value;
        else
            explanation->trouble.push_back(value.error().message);
        all_read = all_read && value.has_value();
    }
    if (all_read) compare(*explanation, explanation->trouble);
    return explanation;
}

}  // namespace postcensus::tasks
