// SPDX-License-Identifier: MIT
#include "tasks/publish.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/duration.h"
#include "base/hash.h"
#include "base/log.h"
#include "mail/log_event.h"
#include "postfix/lapse.h"

namespace postcensus::tasks {
namespace {

using namespace std::chrono_literals;

// Postfix shows these words to strangers: nothing of the server behind, and never a value of digits alone,
// which would mean OK (access(5)).
const std::string kUnknownText = "550 5.1.1 " + std::string(mail::kUnknownRecipient);
const std::string kClosedText = "550 5.7.1 This recipient accepts mail from authenticated senders only";

constexpr std::size_t kMostUnknown = 50'000;
constexpr std::int64_t kMostLearned = 5'000;
constexpr std::int64_t kLargestOverlay = 20'000;
constexpr auto kOldestLearned = 24h;
constexpr auto kClosedLease = 24h;

std::string digest_of(const postfix::TableEntries& entries) {
    return fmt::format("{}-{:016x}", entries.size(), Fnv1a().mix(entries.text()).value());
}

// A key for each form of the domain: mail comes under both.
void add_entries(postfix::TableEntries& entries, const mail::Address& address, std::string_view value) {
    for (const std::string& form : address.external_forms()) entries.add(form, value);
}

postfix::TableEntries to_entries(const std::vector<store::Row>& rows, std::string_view value) {
    postfix::TableEntries entries;
    for (const store::Row& row : rows) add_entries(entries, row.address, value);
    return entries;
}

postfix::TableEntries base_entries(SQLite::Database& db) {
    postfix::TableEntries entries;
    std::string domain;
    std::vector<std::string> forms;
    std::string key;
    store::for_each_base_row(db, [&](std::string_view local, const std::string& its_domain) {
        if (forms.empty() || domain != its_domain) {
            domain = its_domain;
            forms = mail::domain_forms(domain);
        }
        for (const std::string& form : forms) {
            key.assign(mail::quoted_local(local)).append(1, '@').append(form);
            entries.add(key, "OK");
        }
    });
    return entries;
}

}  // namespace

struct Publisher::Draft {
    std::string table;
    postfix::TableEntries entries;
    std::optional<Time> until;
    store::Seq seq = 0;
    bool renew = false;  // write it for its lease's sake, though no entry changed
};

Publisher::Publisher(const config::Configuration& configuration, postfix::TableFolder tables,
                     std::string state_id)
    : configuration_(configuration), tables_(std::move(tables)), state_id_(std::move(state_id)) {}

Publisher::Draft Publisher::draft_unknown(SQLite::Database& db, Time now) const {
    Draft draft{"unknown", {}, {}, 0, false};
    std::vector<store::Row> rows = store::unknown_rows(db, kMostUnknown);
    // A lease that ended while the decider was busy is not written again.
    std::erase_if(rows, [now](const store::Row& row) { return !row.until || *row.until <= now; });
    draft.entries = to_entries(rows, kUnknownText);
    Milliseconds grace = 1min;
    for (const store::Row& row : rows) {
        draft.until = std::min(draft.until.value_or(*row.until), *row.until);
        if (const config::Route* route = configuration_.route_of(row.address.domain()); route != nullptr)
            grace = std::min(grace, route->policy.unknown_expire / 10);
        // access(5) would refuse B+x with B: an extension that is accepted is named.
        for (const mail::Address& extension : store::accepted_extensions(db, row.address, delimiters_))
            add_entries(draft.entries, extension, "DUNNO");
    }
    if (draft.until) draft.until = *draft.until + grace;
    return draft;
}

Publisher::Draft Publisher::draft_learned(SQLite::Database& db, store::Seq base_seq) const {
    Draft draft{"learned", to_entries(store::learned_rows(db, base_seq), "OK"), {}, 0, false};
    for (const config::Route& route : configuration_.routes)
        for (const std::string& domain : route.accept_domains)
            for (const std::string& form : mail::domain_forms(domain)) draft.entries.add("@" + form, "OK");
    return draft;
}

Publisher::Draft Publisher::draft_closed(SQLite::Database& db, Time now) const {
    Draft draft{"closed", to_entries(store::closed_rows(db), kClosedText), {}, 0, false};
    // Never written beyond its lease: what failsafe has emptied stays empty until there is new evidence.
    const auto evidence = store::last_good_evidence(db);
    if (!evidence || *evidence + kClosedLease <= now)
        draft.entries.clear();
    else if (!draft.entries.empty())
        draft.until = *evidence + kClosedLease;
    return draft;
}

Result<std::optional<Published>> Publisher::put_out(Draft draft,
                                                    const std::map<std::string, store::Publication>& before,
                                                    Time now) const {
    draft.entries.sort();
    const auto found = before.find(draft.table);
    Published published{draft.table, {.generation = 1, .seq = draft.seq, .digest = digest_of(draft.entries)}};
    if (found != before.end()) {
        const bool intact = found->second.identity == tables_.identity(draft.table);
        if (intact && found->second.digest == published.publication.digest && !draft.renew)
            return std::optional<Published>{};
        if (!intact) spdlog::warn("the table {} was changed by someone else; writing it again", draft.table);
        published.publication.generation = found->second.generation + 1;
    }
    postfix::TableContent content{
        draft.table,
        {state_id_, published.publication.generation, now, draft.until, draft.entries.count_by_domain()},
        std::move(draft.entries)};
    const auto begun = std::chrono::steady_clock::now();
    if (auto out = tables_.publish(content); !out) return fail(out.error());
    const auto took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begun);
    published.publication.identity = tables_.identity(draft.table);
    published.publication.entries = static_cast<std::int64_t>(content.entries.size());
    published.publication.until = draft.until;
    published.publication.at = now;
    spdlog::info("published {}: {} entries, generation {}, in {} ms", draft.table, content.entries.size(),
                 content.head.generation, took.count());
    return std::optional<Published>(std::move(published));
}

Result<std::vector<Published>> Publisher::publish_overlays(store::Database& reader, Time now) const {
    std::map<std::string, store::Publication> before;
    auto drafts = reader.read([&](SQLite::Database& db) {
        before = store::load_publications(db);
        std::vector<Draft> all;
        all.push_back(draft_unknown(db, now));
        const store::Seq base_seq = before.contains("directory") ? before["directory"].seq : 0;
        // So many are no overlay: the base is due at once, and has them. The old overlay stays until then.
        if (store::base_age(db, base_seq).learned <= kLargestOverlay)
            all.push_back(draft_learned(db, base_seq));
        all.push_back(draft_closed(db, now));
        const store::Seq seq = db.execAndGet("SELECT seq FROM sequence").getInt64();
        for (Draft& draft : all) draft.seq = seq;
        return all;
    });
    if (!drafts) return fail(drafts.error());
    if (auto spares = tables_.ensure_spares(); !spares) return fail(spares.error());
    std::vector<Published> published;
    for (Draft& draft : *drafts) {
        const std::string table = draft.table;
        // A lease is renewed at half time, never beyond what the evidence gives.
        if (const auto found = before.find(table); draft.until && found != before.end())
            draft.renew = table == "closed" &&
                          (!found->second.until || (*found->second.until - now < kClosedLease / 2 &&
                                                    *draft.until > *found->second.until));
        auto out = put_out(std::move(draft), before, now);
        if (!out) {
            // A rejection that cannot be withdrawn the usual way is withdrawn by the spare, and all the
            // others with it.
            if (table == "unknown")
                if (auto emptied = postfix::empty_table(configuration_.postfix.maps, table); !emptied)
                    log_failure(emptied.error());
            return fail(out.error());
        }
        if (*out) published.push_back(**out);
    }
    return published;
}

Result<std::optional<Published>> Publisher::publish_base(store::Database& reader, Time now) const {
    std::map<std::string, store::Publication> before;
    auto draft = reader.read([&](SQLite::Database& db) {
        before = store::load_publications(db);
        Draft base{"directory", base_entries(db), {}, 0, true};
        base.seq = db.execAndGet("SELECT seq FROM sequence").getInt64();
        return base;
    });
    if (!draft) return fail(draft.error());
    return put_out(std::move(*draft), before, now);
}

Result<std::string> Publisher::base_due(store::Database& reader, Time now) const {
    return reader.read([&](SQLite::Database& db) -> std::string {
        const auto publications = store::load_publications(db);
        const auto base = publications.find("directory");
        if (base == publications.end()) return "there is none yet";
        if (base->second.identity != tables_.identity("directory")) return "it was changed by someone else";
        const store::BaseAge age = store::base_age(db, base->second.seq);
        if (age.holds_removed) return "it holds addresses that are not accepted any more";
        if (age.learned > kMostLearned) return fmt::format("{} addresses were accepted since", age.learned);
        if (age.learned > 0 && now - base->second.at > kOldestLearned) return "it is a day old";
        return {};
    });
}

Result<bool> Publisher::ready(store::Database& reader) const {
    return reader.read([&](SQLite::Database& db) {
        if (configuration_.directories.empty() || tables_.head("directory")) return true;
        return db.execAndGet("SELECT EXISTS (SELECT 1 FROM reading WHERE good = 1)").getInt() != 0;
    });
}

Result<void> note_published(store::Database& state, const std::vector<Published>& published) {
    if (published.empty()) return {};
    return state.write([&](store::Writer& writer) {
        for (const Published& one : published) store::note_publication(writer, one.table, one.publication);
    });
}

}  // namespace postcensus::tasks
