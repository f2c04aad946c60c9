// SPDX-License-Identifier: MIT
#include "tasks/relay_domains.h"

#include "base/log.h"
#include "store/domains.h"

namespace postcensus::tasks {

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
    const auto answers = ask_postfix(configuration, *questions);
    if (answers.failure) log_failure(*answers.failure);
    // Without a first whole answer there is none that could stay: a domain that is not known yet would look
    // like one that has ended.
    auto knows = state.read([](SQLite::Database& db) { return store::knows_relay_domains(db); });
    if (!knows) return fail(knows.error());
    if (!*knows && answers.failure) return fail(*answers.failure);
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
    // Tables that were asked for nothing have not shown that they answer.
    const bool whole = !answers.failure && !answers.relayed.empty();
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

}  // namespace postcensus::tasks
