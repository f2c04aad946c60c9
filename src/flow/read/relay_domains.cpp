// SPDX-License-Identifier: MIT
#include "flow/read/relay_domains.h"

#include <algorithm>

#include "base/log.h"
#include "postfix/table.h"
#include "store/domains.h"

namespace postcensus::flow {
namespace {

std::vector<std::string> published_domains(const config::Configuration& configuration) {
    std::vector<std::string> domains;
    const postfix::TableFolder tables(configuration.postfix, "");
    for (const char* table : {"directory", "learned"})
        if (const auto head = tables.head(table))
            for (const auto& [domain, count] : head->counts)
                if (auto valid = mail::valid_domain(domain)) domains.push_back(*std::move(valid));
    return domains;
}

}  // namespace

Result<void> take_relay_domains(config::Configuration& configuration, store::Database& state) {
    if (!configuration.asks_postfix_for_domains()) return {};
    auto domains = state.read([](SQLite::Database& db) { return store::load_relay_domains(db); });
    if (!domains) return fail(domains.error());
    configuration.set_postfix_domains(*domains);
    return {};
}

Result<void> learn_relay_domains(config::Configuration& configuration, store::Database& state, Time now) {
    if (!configuration.asks_postfix_for_domains()) return {};
    auto questions = domains_to_ask(state, {});
    if (!questions) return fail(questions.error());
    // A state that was lost or restored does not know the domains of the tables that are out.
    const std::vector<std::string> published = published_domains(configuration);
    questions->known.insert(questions->known.end(), published.begin(), published.end());
    const auto answers = ask_postfix(configuration, *questions);
    if (answers.failure) log_failure(*answers.failure);
    // Without a first whole answer there is none that could stay: a domain that is not known yet would look
    // like one that has ended.
    auto knows = state.read([](SQLite::Database& db) { return store::knows_relay_domains(db); });
    if (!knows) return fail(knows.error());
    if (!*knows && answers.failure) return fail(*answers.failure);
    auto before = state.read([](SQLite::Database& db) { return store::load_relay_domains(db); });
    if (!before) return fail(before.error());
    for (const std::string& domain : published)
        if (answers.failure && !answers.relayed.contains(domain) &&
            configuration.route_of(domain) == nullptr &&
            std::find(before->begin(), before->end(), domain) == before->end())
            return fail(*answers.failure);
    auto noted = note_answers(state, answers, now);
    if (!noted && (!*knows || noted.error().code != ExitCode::try_again)) return fail(noted.error());
    return take_relay_domains(configuration, state);
}

Result<DomainQuestions> domains_to_ask(store::Database& state, std::vector<std::string> strange) {
    auto known = state.read([](SQLite::Database& db) { return store::known_domains(db); });
    if (!known) return fail(known.error());
    return DomainQuestions{*std::move(known), std::move(strange)};
}

postfix::RelayDomains::Answers ask_postfix(const config::Configuration& configuration,
                                           const DomainQuestions& questions) {
    auto domains = postfix::RelayDomains::open(configuration.postfix.config_dir);
    if (!domains) return {.relayed = {}, .failure = domains.error()};
    std::vector<std::string> known = questions.known;
    known.insert(known.end(), domains->named().begin(), domains->named().end());
    auto answers = domains->ask(known, postfix::RelayDomains::Match::as_postfix);
    if (questions.strange.empty()) return answers;
    auto strange = domains->ask(questions.strange, postfix::RelayDomains::Match::exact);
    for (const auto& [domain, relayed] : strange.relayed)
        if (relayed) answers.relayed.emplace(domain, true);
    return answers;
}

Result<bool> note_answers(store::Database& state, const postfix::RelayDomains::Answers& answers, Time now) {
    const bool whole = !answers.failure;
    // Mostly nothing has changed, and nothing is written.
    auto differs = state.read([&](SQLite::Database& db) {
        return store::relay_domains_differ(db, answers.relayed) || (whole && !store::knows_relay_domains(db));
    });
    if (!differs) return fail(differs.error());
    if (!*differs) return false;
    return state.write([&](store::Writer& writer) {
        if (whole) store::set_knows_relay_domains(writer);
        return store::note_relay_domains(writer, answers.relayed, now);
    });
}

}  // namespace postcensus::flow
