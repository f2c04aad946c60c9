// SPDX-License-Identifier: MIT
#include "flow/publish/decider.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "base/log.h"
#include "flow/decide/decision.h"
#include "postfix/lapse.h"
#include "store/addresses.h"
#include "store/directories.h"
#include "store/domains.h"
#include "store/history.h"

namespace postcensus::flow {
namespace {

using namespace std::chrono_literals;

std::string lock_content(const config::Configuration& configuration) {
    return fmt::format("{} {} {}\n", ::getpid(), configuration.digest, configuration.file.string());
}

std::vector<store::DomainPolicy> domain_policies(const config::Configuration& configuration) {
    std::vector<store::DomainPolicy> policies;
    for (const config::Route& route : configuration.routes)
        for (const std::string& domain : route.domains) {
            store::DomainPolicy policy{domain, route.policy_text(domain), {}};
            for (const mail::Address& address : route.accept)
                if (address.domain() == domain) policy.configured.push_back(address);
            policies.push_back(std::move(policy));
        }
    return policies;
}

// The keys of a table that this state does not know to be out: of another state, or newer than this one.
// Nothing if it knows it; or if nobody's table is empty. A table without a head that the state knows of was
// touched by somebody, and is written again.
Result<std::optional<std::vector<std::string>>> foreign_keys(
    const postfix::TableFolder& tables, const std::string& table, const std::string& state_id,
    const std::map<std::string, store::Publication>& known) {
    using Keys = std::optional<std::vector<std::string>>;
    std::error_code ignored;
    if (!std::filesystem::exists(tables.text_path(table), ignored) &&
        !std::filesystem::exists(tables.index_path(table), ignored))
        return Keys{};
    const auto head = tables.head(table);
    // One that cannot be read may be newer than this state: that is no sign that somebody touched it.
    if (const auto text = tables.text_path(table);
        !head && std::filesystem::exists(text, ignored) && ::access(text.c_str(), R_OK) != 0)
        return fail(ExitCode::cannot_write, describe_errno("cannot read the table", text, errno) +
                                                "; give it back to the user that runs Postcensus");
    const auto publication = known.find(table);
    if (publication != known.end() &&
        (!head || (head->state_id == state_id && head->generation <= publication->second.generation)))
        return Keys{};
    auto keys = tables.keys(table);
    if (!keys) return fail(keys.error());
    if (!head && keys->empty()) return Keys{};
    return Keys(*std::move(keys));
}

Result<std::string> delimiters_of(const config::Configuration& configuration) {
    auto values = postfix::read_parameters(configuration.postfix.config_dir, {"recipient_delimiter"});
    if (!values) return fail(values.error());
    return (*values)["recipient_delimiter"];
}

// What was put out is noted, whatever became of the rest.
Result<void> note_all(store::Database& state, const std::vector<Published>& published,
                      const Result<void>& outcome) {
    auto noted = note_published(state, published);
    return outcome ? noted : outcome;
}

}  // namespace

bool is_watch(int pid) {
    std::ifstream file(fmt::format("/proc/{}/cmdline", pid), std::ios::binary);
    if (!file) return true;
    for (std::string word; std::getline(file, word, '\0');)
        if (word == "watch") return true;
    return false;
}

bool watch_runs(const config::Configuration& configuration) {
    auto holder = LockFile::holder(lock_path(configuration));
    // "Don't know" is no "no".
    return !holder || (*holder && is_watch((*holder)->pid));
}

bool last_decider_is_watch(const config::Configuration& configuration) {
    const std::string words = read_file(lock_path(configuration), 4096).value_or("");
    int pid = 0;
    const auto [end, bad] = std::from_chars(words.data(), words.data() + words.size(), pid);
    std::error_code ignored;
    return bad == std::errc{} && pid != ::getpid() &&
           std::filesystem::exists(fmt::format("/proc/{}", pid), ignored) && is_watch(pid);
}

std::filesystem::path lock_path(const config::Configuration& configuration) {
    return configuration.state.path.parent_path() / "decider";
}
std::filesystem::path tables_lock_path(const config::Configuration& configuration) {
    return configuration.postfix.maps / ".publisher";
}
std::filesystem::path wake_path(const config::Configuration& configuration) {
    return configuration.state.path.parent_path() / "wake";
}

void end_leases(Tenure& tenure, const config::Configuration& configuration, Time now) {
    auto lapsed = postfix::lapse_tables(configuration.postfix.maps, now);
    if (!lapsed) {
        if (tenure.is_news(lapsed.error().message)) log_failure(lapsed.error());
        return;
    }
    for (const postfix::Lapsed& one : *lapsed) {
        spdlog::warn("emptied the table {}: {}", one.table, one.why);
        tenure.unnoted().push_back({one.table, now, one.why + ", and the disk was full"});
    }
}

Result<void> note_domains(const config::Configuration& configuration, store::Database& state) {
    const auto lock = LockFile::try_lock(lock_path(configuration), lock_content(configuration));
    if (!lock) return fail(lock.error());
    if (!*lock) return {};
    auto replaced = state.write(
        [&](store::Writer& writer) { store::replace_domains(writer, domain_policies(configuration)); });
    return replaced ? Result<void>{} : fail(replaced.error());
}

// Its words are for people.
Result<void> take_tables(Tenure& tenure, const config::Configuration& configuration) {
    auto taken = tenure.take(tables_lock_path(configuration),
                             fmt::format("{} {}\n", ::getpid(), configuration.state.path.string()));
    if (!taken) return fail(taken.error());
    if (*taken) return {};
    return fail(ExitCode::try_again,
                fmt::format("another Postcensus, with another state than {}, publishes into {}; give each "
                            "its own [general] maps",
                            configuration.state.path.string(), configuration.postfix.maps.string()));
}

Result<std::unique_ptr<Decider>> Decider::try_become(Tenure& tenure,
                                                     const config::Configuration& configuration,
                                                     store::Database& state, Time now) {
    auto lock = tenure.take(lock_path(configuration), lock_content(configuration));
    if (!lock) return fail(lock.error());
    if (!*lock) return std::unique_ptr<Decider>{};
    auto type = postfix::resolve_table_type(configuration.postfix);
    if (!type) return fail(type.error());
    auto state_id = state.state_id();
    if (!state_id) return fail(state_id.error());
    auto delimiters = delimiters_of(configuration);
    if (!delimiters) return fail(delimiters.error());
    postfix::TableFolder tables(configuration.postfix, *type);
    if (auto made = tables.make_folder(); !made) return fail(made.error());
    if (auto taken = take_tables(tenure, configuration); !taken) return fail(taken.error());
    if (auto prepared = tables.prepare(); !prepared) return fail(prepared.error());
    Publisher publisher(configuration, tables, *state_id, *delimiters);
    std::unique_ptr<Decider> decider(new Decider(tenure, configuration, std::move(publisher)));
    if (auto recovered = decider->recover(state, now); !recovered) return fail(recovered.error());
    return decider;
}

Decider::Decider(Tenure& tenure, const config::Configuration& configuration, Publisher publisher)
    : tenure_(tenure), configuration_(configuration), publisher_(std::move(publisher)) {}

Result<void> Decider::mend_folder() {
    if (!tenure_.holds(lock_path(configuration_))) {
        // Commands that decide by themselves may have it for a moment.
        auto lock = tenure_.take(lock_path(configuration_), lock_content(configuration_));
        if (!lock) return fail(lock.error());
        if (*lock) spdlog::warn("{} was removed; it is made again", lock_path(configuration_).string());
    }
    if (tenure_.holds(tables_lock_path(configuration_))) return {};
    std::error_code ignored;
    const bool stands = std::filesystem::exists(configuration_.postfix.maps, ignored);
    if (auto made = publisher_.tables().make_folder(); !made) return made;
    if (auto taken = take_tables(tenure_, configuration_); !taken) return taken;
    spdlog::warn("{} was removed; it is made again, and what else is missing is written again",
                 (stands ? tables_lock_path(configuration_) : configuration_.postfix.maps).string());
    return {};
}

// What stands in tables that this state does not know of.
struct Decider::Foreign {
    bool any = false;
    bool of_another_state = false;
    std::vector<mail::Address> accepted;
};

Result<Decider::Foreign> Decider::take_over(const std::string& state_id, const Publications& known,
                                            Time now) {
    const postfix::TableFolder& tables = publisher_.tables();
    Foreign foreign;
    for (const std::string table : {"unknown", "closed", "directory", "learned"}) {
        auto keys = foreign_keys(tables, table, state_id, known);
        if (!keys) return fail(keys.error());
        if (!*keys) continue;
        const auto head = tables.head(table);
        const bool of_another = !head || head->state_id != state_id;
        foreign.any = true;
        foreign.of_another_state = foreign.of_another_state || of_another;
        // What this state has no evidence for is nobody's to refuse.
        if (table == "unknown" || table == "closed") {
            if (auto emptied = postfix::empty_table(configuration_.postfix.maps, table); !emptied)
                return fail(emptied.error());
            tenure_.unnoted().push_back(
                {table, now,
                 of_another ? "it was of another state than this one" : "it was newer than this state"});
            continue;
        }
        for (const std::string& key : **keys)
            if (auto address = mail::Address::from_external(key))
                foreign.accepted.push_back(*std::move(address));
    }
    return foreign;
}

Result<void> Decider::recover(store::Database& state, Time now) {
    auto known = state.read([](SQLite::Database& db) { return store::load_publications(db); });
    auto state_id = state.state_id();
    if (!known) return fail(known.error());
    if (!state_id) return fail(state_id.error());
    auto foreign = take_over(*state_id, *known, now);
    if (!foreign) return fail(foreign.error());
    std::vector<Published> withdrawn;
    for (const Withdrawn& one : tenure_.unnoted())
        withdrawn.push_back(as_withdrawn(publisher_.tables(), one.table, *known, one.at, one.why));
    const auto adopted = state.write([&](store::Writer& writer) -> std::int64_t {
        store::replace_domains(writer, domain_policies(configuration_));
        note_published(writer, withdrawn);
        if (!foreign->any) return 0;
        // A state that is older than the tables may be older than the directory's tombstones, too.
        store::forget_positions(writer);
        // What another state refused it proved elsewhere.
        if (foreign->of_another_state) store::end_rejections(writer);
        return store::adopt(writer, foreign->accepted, now);
    });
    if (!adopted) return fail(adopted.error());
    tenure_.unnoted().clear();
    if (foreign->any)
        spdlog::warn(
            "the tables are {}: {} recipients in them that it does not know stay accepted until a callout or "
            "a full reading says otherwise; the next `sync` reads in full",
            foreign->of_another_state
                ? "of another state than this one"
                : "newer than this state (it was restored, or a publication was broken off)",
            *adopted);
    return {};
}

Result<void> Decider::settle(store::Database& state, Time now) {
    auto seq = state.current_seq();
    if (!seq) return fail(seq.error());
    if (auto decided = decide_all(state, configuration_, now); !decided) return fail(decided.error());
    auto ready = publisher_.ready(state);
    if (!ready) return fail(ready.error());
    if (*ready)
        if (auto published = publish(state, now); !published) return published;
    return state.write([&](store::Writer& writer) {
        store::set_settled(writer, *seq);
        store::note_size(writer, now);
    });
}

Result<void> Decider::publish(store::Database& state, Time now) {
    const auto put_out_overlays = [&] {
        std::vector<Published> out;
        auto done = publisher_.publish_overlays(state, now, out);
        return note_all(state, out, done);
    };
    if (auto done = put_out_overlays(); !done) return done;
    auto due = publisher_.base_due(state, now);
    if (!due) return fail(due.error());
    // Nobody stays to build it later, so what is in `learned` moves into the base now.
    auto learned = state.read([](SQLite::Database& db) {
        const auto known = store::load_publications(db);
        const auto base = known.find("directory");
        return base == known.end() ? 1 : store::base_age(db, base->second.seq).learned;
    });
    if (!learned) return fail(learned.error());
    if (due->why.empty() && *learned == 0) return {};
    auto base = publisher_.publish_base(state, now);
    if (!base) return fail(base.error());
    if (*base)
        if (auto noted = note_published(state, {**base}); !noted) return noted;
    return put_out_overlays();  // what the base holds leaves `learned`
}

Result<bool> settle_or_wait(const config::Configuration& configuration, store::Database& state,
                            std::chrono::milliseconds patience) {
    Tenure tenure;
    auto decider = Decider::try_become(tenure, configuration, state, now());
    if (!decider) return fail(decider.error());
    if (*decider) {
        if (auto settled = (*decider)->settle(state, now()); !settled) return fail(settled.error());
        return true;
    }
    auto held = read_file(lock_path(configuration), 4096);
    if (held && held->find(configuration.digest) == std::string::npos)
        spdlog::warn("the running `watch` has another configuration than {}; what it decides follows its own",
                     configuration.file.string());
    auto seq = state.current_seq();
    if (!seq) return fail(seq.error());
    if (auto woken = write_file(wake_path(configuration), "", 0640); !woken) return fail(woken.error());
    const auto end = std::chrono::steady_clock::now() + patience;
    for (;;) {
        auto settled = state.read([](SQLite::Database& db) { return store::settled_seq(db); });
        if (!settled) return fail(settled.error());
        if (*settled >= *seq) return true;
        if (std::chrono::steady_clock::now() >= end) return false;
        // Another process's commit gives no other sign than the state itself.
        std::this_thread::sleep_for(20ms);
    }
}

}  // namespace postcensus::flow
