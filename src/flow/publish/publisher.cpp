// SPDX-License-Identifier: MIT
#include "flow/publish/publisher.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/duration.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/printable.h"
#include "mail/log_event.h"
#include "postfix/lapse.h"
#include "store/addresses.h"
#include "store/history.h"

namespace postcensus::flow {
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
constexpr auto kClosedPause = 1min;
constexpr auto kTableTolerance = 1min;
constexpr std::size_t kMostChanged = 1000;  // of the base's new keys are asked for in the new index
constexpr std::size_t kLongestWhy = 500;
constexpr const char* kWithdrawn = "withdrawn";  // no digest of entries is like it

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
    entries.reserve(static_cast<std::size_t>(store::count_accepted(db)));
    std::string domain;
    std::vector<std::string> forms;
    std::string key;
    store::for_each_base_row(db, [&](std::string_view local, const std::string& its_domain) {
        if (forms.empty() || domain != its_domain) {
            domain = its_domain;
            forms = mail::domain_forms(domain);
        }
        for (const std::string& form : forms) {
            key.clear();
            mail::append_quoted_local(key, local);
            key.append(1, '@').append(form);
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
    bool renew = false;   // write it for its lease's sake, though no entry changed
    bool always = false;  // the base is built only where it is due
    bool complete = true;
    std::optional<Time> future = {};  // something is confirmed by a clock that was ahead
    std::vector<std::string> changed = {};
};

Publisher::Publisher(const config::Configuration& configuration, postfix::TableFolder tables,
                     std::string state_id, std::string delimiters)
    : configuration_(configuration),
      tables_(std::move(tables)),
      state_id_(std::move(state_id)),
      delimiters_(std::move(delimiters)) {}

// access(5) would refuse B+x with B: an extension that is accepted is named. One that is closed itself has an
// entry of its own in `closed`.
void Publisher::add_extensions(SQLite::Database& db, Draft& draft, const mail::Address& address) const {
    for (const store::Extension& extension : store::accepted_extensions(db, address, delimiters_))
        if (!extension.closed || draft.table != "closed")
            add_entries(draft.entries, extension.address, "DUNNO");
}

Publisher::Draft Publisher::draft_unknown(SQLite::Database& db, Time now) const {
    Draft draft{"unknown", {}, {}};
    std::vector<store::Row> rows = store::unknown_rows(db, kMostUnknown);
    // A lease that ended while the decider was busy is not written again; nor is one that is longer than any
    // may be: the clock was set back.
    const Time longest = now + configuration_.longest_lease();
    std::erase_if(rows, [&](const store::Row& row) {
        return !row.until || *row.until <= now || *row.until > longest + kTableTolerance;
    });
    draft.entries = to_entries(rows, kUnknownText);
    Milliseconds grace = 1min;
    for (const store::Row& row : rows) {
        draft.until = std::min(draft.until.value_or(*row.until), *row.until);
        if (const config::Route* route = configuration_.route_of(row.address.domain()); route != nullptr)
            grace = std::min(grace, route->policy.unknown_expire / 10);
        add_extensions(db, draft, row.address);
    }
    if (draft.until) draft.until = *draft.until + grace;
    return draft;
}

Publisher::Draft Publisher::draft_learned(SQLite::Database& db, store::Seq base_seq) const {
    Draft draft{"learned", to_entries(store::learned_rows(db, base_seq), "OK"), {}};
    for (const config::Route& route : configuration_.routes)
        for (const std::string& domain : route.accept_domains)
            for (const std::string& form : mail::domain_forms(domain)) draft.entries.add("@" + form, "OK");
    return draft;
}

// The lease of each runs from what confirmed it last, and is never written beyond: what failsafe has emptied
// stays empty until there is new evidence.
Publisher::Draft Publisher::draft_closed(SQLite::Database& db, Time now) const {
    Draft draft{"closed", {}, {}};
    const std::vector<store::ClosedRow> rows = store::closed_rows(db);
    for (const store::ClosedRow& row : rows)
        if (row.confirmed && *row.confirmed > now + kTableTolerance)
            draft.future = std::max(draft.future.value_or(*row.confirmed), *row.confirmed);
    const std::optional<Time> stale = std::max(stale_, draft.future);
    for (const store::ClosedRow& row : rows) {
        const bool known = row.confirmed && (!stale || *row.confirmed > *stale);
        const Time until = known ? std::min(*row.confirmed, now) + kClosedLease : now;
        if (until <= now) {
            draft.complete = false;
            continue;
        }
        draft.until = std::min(draft.until.value_or(until), until);
        add_entries(draft.entries, row.address, kClosedText);
        add_extensions(db, draft, row.address);
    }
    return draft;
}

bool Publisher::closed_is_current(SQLite::Database& db, const Publications& before, Time now) const {
    const auto out = before.find("closed");
    if (!closed_ || now + kTableTolerance < closed_->at || out == before.end() ||
        out->second.identity != tables_.identity("closed"))
        return false;
    if (store::last_closed_change(db) > closed_->seq) return false;
    if (store::extensions_changed(db, closed_->seq, delimiters_)) return false;
    // A lease is renewed at half time. Where that is not possible yet, and for those that were left out, it
    // is tried again now and then.
    const std::optional<Time>& until = out->second.until;
    if (closed_->complete && (out->second.entries == 0 || (until && now < *until - kClosedLease / 2)))
        return true;
    const bool over = out->second.entries > 0 && (!until || now >= *until);
    return !over && now >= closed_->at && now < closed_->at + kClosedPause;
}

Result<std::optional<Published>> Publisher::put_out(Draft draft, const Publications& before, Time now) const {
    draft.entries.sort();
    const auto found = before.find(draft.table);
    Published published{draft.table, {.generation = 1, .seq = draft.seq}};
    if (!draft.always) published.publication.digest = digest_of(draft.entries);
    if (found != before.end()) {
        const bool intact = found->second.identity == tables_.identity(draft.table);
        if (intact && found->second.digest == published.publication.digest && !draft.renew && !draft.always)
            return std::optional<Published>{};
        published.repaired = !intact;
        if (!intact) published.emptied = tables_.emptied_at(draft.table);
        published.publication.generation = found->second.generation + 1;
    }
    postfix::TableContent content{
        draft.table,
        {state_id_, published.publication.generation, now, draft.until, draft.entries.count_by_domain()},
        std::move(draft.entries),
        std::move(draft.changed)};
    const auto begun = std::chrono::steady_clock::now();
    auto identity = tables_.publish(content);
    if (!identity) return fail(identity.error());
    // Not before: where it cannot be written, that is what is said.
    if (published.emptied)
        spdlog::warn("the table {} was emptied by failsafe; writing it again", draft.table);
    else if (published.repaired)
        spdlog::warn("the table {} was changed by someone else; writing it again", draft.table);
    const auto took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begun);
    published.publication.identity = *std::move(identity);
    published.publication.entries = static_cast<std::int64_t>(content.entries.size());
    published.publication.until = draft.until;
    published.publication.at = now;
    spdlog::info("published {}: {} entries, generation {}, in {} ms", draft.table, content.entries.size(),
                 content.head.generation, took.count());
    return std::optional<Published>(std::move(published));
}

Result<void> Publisher::publish_overlays(store::Database& reader, Time now,
                                         std::vector<Published>& published) {
    Publications before;
    std::optional<Drafted> drafted;
    std::optional<Time> future;
    auto drafts = reader.read([&](SQLite::Database& db) {
        before = store::load_publications(db);
        std::vector<Draft> all;
        all.push_back(draft_unknown(db, now));
        const store::Seq base_seq = before.contains("directory") ? before["directory"].seq : 0;
        // So many are no overlay: the base is due at once, and has them. The old overlay stays until then.
        if (store::base_age(db, base_seq).learned <= kLargestOverlay)
            all.push_back(draft_learned(db, base_seq));
        const store::Seq seq = db.execAndGet("SELECT seq FROM sequence").getInt64();
        if (!closed_is_current(db, before, now)) {
            all.push_back(draft_closed(db, now));
            drafted = Drafted{seq, now, all.back().complete};
            future = all.back().future;
        } else {
            closed_->seq = seq;
        }
        for (Draft& draft : all) draft.seq = seq;
        return all;
    });
    if (!drafts) return fail(drafts.error());
    if (future) stale_ = std::max(stale_.value_or(*future), *future);
    // A full disk must not stand before a withdrawal.
    auto spares = tables_.ensure_spares();
    for (Draft& draft : *drafts) {
        const std::string table = draft.table;
        if (const auto found = before.find(table); draft.until && found != before.end())
            draft.renew = table == "closed" &&
                          (!found->second.until || (*found->second.until - now < kClosedLease / 2 &&
                                                    *draft.until > *found->second.until));
        auto out = put_out(std::move(draft), before, now);
        if (!out) {
            // A rejection that cannot be withdrawn the usual way is withdrawn by the spare, and all the
            // others with it.
            if (table == "unknown") withdraw(table, before, now, out.error(), published);
            return fail(out.error());
        }
        if (*out) published.push_back(**out);
    }
    if (drafted) closed_ = drafted;
    return spares;
}

void Publisher::withdraw(const std::string& table, const Publications& before, Time now,
                         const Failure& failure, std::vector<Published>& published) const {
    const auto found = before.find(table);
    if (found != before.end() && found->second.digest == kWithdrawn &&
        found->second.identity == tables_.identity(table))
        return;  // since the last try
    if (auto emptied = postfix::empty_table(configuration_.postfix.maps, table); !emptied)
        return log_failure(emptied.error());
    published.push_back(
        as_withdrawn(tables_, table, before, now, "it could not be written: " + failure.message));
}

Result<std::optional<Published>> Publisher::publish_base(store::Database& reader, Time now) const {
    Publications before;
    auto draft = reader.read([&](SQLite::Database& db) {
        before = store::load_publications(db);
        Draft base{"directory", base_entries(db), {}};
        base.always = true;
        base.seq = db.execAndGet("SELECT seq FROM sequence").getInt64();
        const store::Seq last = before.contains("directory") ? before["directory"].seq : base.seq;
        for (const store::Row& row : store::arrived_since(db, last, kMostChanged))
            base.changed.push_back(row.address.external());
        return base;
    });
    if (!draft) return fail(draft.error());
    return put_out(std::move(*draft), before, now);
}

Result<BaseDue> Publisher::base_due(store::Database& reader, Time now) const {
    return reader.read([&](SQLite::Database& db) -> BaseDue {
        const auto publications = store::load_publications(db);
        const auto base = publications.find("directory");
        if (base == publications.end()) return {"there is none yet", true};
        const store::BaseAge age = store::base_age(db, base->second.seq);
        if (age.holds_removed) return {"it holds addresses that are not accepted any more", true};
        if (base->second.identity != tables_.identity("directory"))
            return {"it was changed by someone else", true};
        if (age.learned > kMostLearned) return {fmt::format("{} addresses were accepted since", age.learned)};
        if (age.learned > 0 && now - base->second.at > kOldestLearned) return {"it is a day old"};
        return {};
    });
}

Result<bool> Publisher::ready(store::Database& reader) const {
    return reader.read([&](SQLite::Database& db) {
        if (configuration_.directories.empty() || tables_.head("directory")) return true;
        return db.execAndGet("SELECT EXISTS (SELECT 1 FROM reading WHERE good = 1)").getInt() != 0;
    });
}

Published as_withdrawn(const postfix::TableFolder& tables, const std::string& table,
                       const std::map<std::string, store::Publication>& before, Time now, std::string why) {
    why = printable(why, kLongestWhy);
    spdlog::warn("emptied the table {}: {}", table, why);
    Published out{table, {}, false, {}, std::move(why)};
    if (const auto found = before.find(table); found != before.end()) out.publication = found->second;
    out.publication.digest = kWithdrawn;
    out.publication.identity = tables.identity(table);
    out.publication.entries = 0;
    out.publication.until.reset();
    out.publication.at = now;
    return out;
}

void note_published(store::Writer& writer, const std::vector<Published>& published) {
    for (const Published& one : published) {
        store::note_publication(writer, one.table, one.publication);
        if (!one.withdrawn.empty()) {
            store::note_command(
                writer,
                {"decider", "itself", fmt::format("emptied the table {}: {}", one.table, one.withdrawn)},
                one.publication.at);
            continue;
        }
        store::count(writer, "published", one.publication.at, 1, one.table);
        if (one.repaired) store::count(writer, "tables-repaired", one.publication.at, 1);
        // failsafe itself knows no state.
        if (one.emptied)
            store::note_command(writer,
                                {"failsafe", "its timer, or by hand", "emptied the table " + one.table},
                                *one.emptied);
    }
}

Result<void> note_published(store::Database& state, const std::vector<Published>& published) {
    if (published.empty()) return {};
    return state.write([&](store::Writer& writer) { note_published(writer, published); });
}

}  // namespace postcensus::flow
