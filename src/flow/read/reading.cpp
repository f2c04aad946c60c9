// SPDX-License-Identifier: MIT
#include "flow/read/reading.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "directory/servers.h"
#include "flow/read/directory_login.h"
#include "flow/read/directory_reading.h"
#include "store/leavers.h"
#include "store/publications.h"
#include "store/readings.h"

namespace postcensus::flow {
namespace {

using namespace std::chrono_literals;

constexpr auto kFullInterval = 24h;
// A poll that found nothing to apply moves the position only so often: each time is a write.
constexpr auto kPositionInterval = 1min;

Result<store::DirectoryFacts> load_facts(store::Database& state, const std::string& directory) {
    return state.read([&](SQLite::Database& db) { return store::load_directory(db, directory); });
}

std::string position_at(const store::DirectoryFacts& facts, const std::string& server_id) {
    for (const store::Position& position : facts.positions)
        if (position.server_id == server_id) return position.text;
    return {};
}

void note_failure(store::Database& state, store::Reading reading, const std::string& why) {
    reading.outcome = why;
    reading.good = false;
    reading.ended = now();
    auto noted = state.write([&](store::Writer& writer) { store::note_failed(writer, reading); });
    if (!noted) spdlog::warn("cannot note the failed reading: {}", noted.error().message);
}

// The exact difference in addresses: those that no object lists any more, and those that none listed before.
Result<void> describe_difference(store::Database& state, const std::string& directory, Scratch& changes,
                                 DirectoryRead& read) {
    Result<void> replayed;
    auto described = state.read([&](SQLite::Database& db) {
        std::map<std::string, int> balance;  // how many objects more (or fewer) list it
        replayed = changes.for_each([&](const Scratch::Change& change) {
            if (change.kind == Scratch::Kind::unseen) ++read.unseen;
            if (change.kind == Scratch::Kind::hide) ++read.hidden;
            if (change.kind != Scratch::Kind::put && change.kind != Scratch::Kind::end) return;
            for (const std::string& address : store::addresses_of(db, directory, change.listing.guid))
                --balance[address];
            for (const mail::Address& address : change.listing.addresses) ++balance[address.text()];
        });
        SQLite::Statement count(
            db, "SELECT count(*) FROM address JOIN listing ON address_id = address.id WHERE address = ?");
        for (const auto& [address, change] : balance) {
            if (change == 0) continue;
            count.reset();
            count.bind(1, address);
            count.executeStep();
            const int before = count.getColumn(0).getInt();
            if (before == 0 && before + change > 0) read.added.push_back(address);
            if (before > 0 && before + change <= 0) read.removed.push_back(address);
        }
    });
    if (!described) return described;
    return replayed;
}

std::string unseen_words(std::int64_t unseen, std::int64_t hidden) {
    std::string words;
    if (unseen > 0) words += fmt::format("; {} objects are not found any more (see `report`)", unseen);
    if (hidden > 0)
        words += fmt::format(
            "; {} objects show no addresses to this account, though they are mailboxes (see "
            "`report`)",
            hidden);
    return words;
}

std::vector<std::string> domains_without_callouts(const config::Configuration& configuration) {
    std::vector<std::string> domains;
    for (const config::Route& route : configuration.routes)
        if (!route.asks()) domains.insert(domains.end(), route.domains.begin(), route.domains.end());
    return domains;
}

Result<DirectoryRead> read_with(store::Database& state, const directory::Settings& settings, ReadMode mode,
                                directory::Reader& reader, DirectoryReading& reading,
                                const store::ListedAnswer& answer) {
    const bool dry_run = mode == ReadMode::dry_run;
    auto facts = load_facts(state, settings.name);
    if (!facts) return fail(facts.error());
    auto began = dry_run ? state.current_seq() : begin_reading(state);
    if (!began) return fail(began.error());
    if (auto refreshed = reader.refresh(); !refreshed) return fail(refreshed.error());
    const std::string from = position_at(*facts, reader.server_id());
    reading.start(*began, from);
    const std::string why_full = reader.why_full(from);
    if (!from.empty() && !why_full.empty()) spdlog::warn("{}: reading in full: {}", settings.name, why_full);
    const Time time = now();
    const bool full = mode != ReadMode::automatic || !why_full.empty() || !facts->full_at ||
                      time < *facts->full_at || time - *facts->full_at >= kFullInterval;
    if (full) {
        reading.reading().kind = store::ReadingKind::full;
        if (auto read = reading.read_all(); !read) return fail(read.error());
        if (reading.is_empty()) return reading.empty();
        if (auto found = reading.find_missing(); !found) return fail(found.error());
    } else {
        if (auto read = reading.read_changes(); !read) return fail(read.error());
        const bool due =
            settings.sweep_interval > 0ms && (!facts->swept_at || time < *facts->swept_at ||
                                              time - *facts->swept_at >= settings.sweep_interval);
        auto seen = due ? reader.sees_deletions() : Result<bool>(true);
        if (!seen) return fail(seen.error());
        if (!*seen)
            if (auto swept = reading.sweep(); !swept) return fail(swept.error());
    }
    const std::string what = full ? "full read" : fmt::format("incremental from {}", reader.describe(from));
    const std::string server = directory::short_name(reader.uri());
    DirectoryRead read;
    if (dry_run) {
        if (auto finished = reading.compared().finish(); !finished) return fail(finished.error());
        auto described = describe_difference(state, settings.name, reading.compared().changes(), read);
        if (!described) return fail(described.error());
        read.summary =
            fmt::format("{}: {} at {}: {} would be added, {} removed{}", settings.name, what, server,
                        read.added.size(), read.removed.size(), unseen_words(read.unseen, read.hidden));
        return read;
    }
    auto applied = reading.apply(answer);
    if (!applied) return fail(applied.error());
    read.unseen = applied->unseen;
    read.hidden = applied->hidden;
    read.summary = fmt::format("{}: {} at {}: {} added, {} removed; {} listed{}", settings.name, what, server,
                               applied->added, applied->removed, applied->listed,
                               unseen_words(applied->unseen, applied->hidden));
    return read;
}

}  // namespace

Result<DirectoryRead> read_directory(store::Database& state, const directory::Settings& settings,
                                     ReadMode mode, const directory::Reader::Progress& progress,
                                     const store::ListedAnswer& answer) {
    const auto failed = [&](Failure failure, store::Reading reading) {
        reading.directory = settings.name;
        if (mode != ReadMode::dry_run) note_failure(state, reading, failure.message);
        failure.message = fmt::format("{}: {}; nothing was applied, the tables stay as they are",
                                      settings.name, failure.message);
        return fail(failure);
    };
    auto reader =
        open_directory(state, settings, mode == ReadMode::automatic ? Other::later : Other::at_once, nullptr);
    if (!reader) return failed(reader.error(), {.kind = store::ReadingKind::changes, .began = now()});
    DirectoryReading reading(state, settings, *reader, progress);
    auto read = read_with(state, settings, mode, *reader, reading, answer);
    if (!read) return failed(read.error(), reading.reading());
    return read;
}

Result<Poll> read_changes(store::Database& state, const directory::Settings& settings,
                          directory::Reader& reader) {
    const auto facts = load_facts(state, settings.name);
    if (!facts) return fail(facts.error());
    const std::string from = position_at(*facts, reader.server_id());
    if (auto refreshed = reader.refresh(); !refreshed) return fail(refreshed.error());
    if (!reader.why_full(from).empty()) return Poll{};
    const auto moved =
        std::find_if(facts->positions.begin(), facts->positions.end(),
                     [&](const auto& position) { return position.server_id == reader.server_id(); });
    const directory::Reader::Progress quiet;
    {
        // A look, without a place in the order of readings: mostly there is nothing.
        DirectoryReading look(state, settings, reader, quiet);
        look.start(0, from);
        if (auto read = look.read_changes(); !read) return fail(read.error());
        if (auto finished = look.compared().finish(); !finished) return fail(finished.error());
        if (look.compared().changes().size() == 0) {
            if (look.position() != from && now() - moved->at >= kPositionInterval) {
                auto written = state.write([&](store::Writer& writer) { look.move_position(writer); });
                if (!written) return fail(written.error());
            }
            return Poll{true, false, {}};
        }
    }
    auto began = begin_reading(state);
    if (!began) return fail(began.error());
    if (auto refreshed = reader.refresh(); !refreshed) return fail(refreshed.error());
    DirectoryReading reading(state, settings, reader, quiet);
    reading.start(*began, from);
    if (auto read = reading.read_changes(); !read) return fail(read.error());
    auto applied = reading.apply();
    if (!applied) return fail(applied.error());
    return Poll{
        true, true,
        fmt::format("{}: changes from {} at {}: {} added, {} removed; {} listed{}", settings.name,
                    reader.describe(from), directory::short_name(reader.uri()), applied->added,
                    applied->removed, applied->listed, unseen_words(applied->unseen, applied->hidden))};
}

namespace {

// What one object says about the addresses that were asked for.
void note_looked_up(const directory::Settings& settings, const census::DirectoryObject& object,
                    const std::vector<mail::Address>& asked, LookedUp& out) {
    const census::Listing listing = census::judge(object, policy_for(settings));
    const auto was_asked = [&](const mail::Address& address) {
        return std::find(asked.begin(), asked.end(), address) != asked.end();
    };
    const auto note = [&](const mail::Address& address, std::vector<mail::Address>& where) {
        if (was_asked(address) && std::find(where.begin(), where.end(), address) == where.end())
            where.push_back(address);
    };
    for (const mail::Address& listed : listing.addresses) note(listed, out.found);
    // It was found by a value that it does not show: whichever that was.
    if (settings.flavour == directory::Flavour::ldap &&
        std::none_of(listing.addresses.begin(), listing.addresses.end(), was_asked))
        for (const mail::Address& address : asked) note(address, out.doubtful);
    if (!listing.doubts) return;
    for (const std::string& value : object.mail)
        if (const auto address = mail::Address::from_internal(value)) note(*address, out.doubtful);
}

}  // namespace

Result<LookedUp> look_up(store::Database& state, const directory::Settings& settings,
                         directory::Reader& reader, const std::vector<mail::Address>& addresses) {
    auto facts = load_facts(state, settings.name);
    if (!facts) return fail(facts.error());
    // What another configuration reads is more than an object shows to this one, or less.
    if (!facts->positions.empty() && !reader.is_same_query(facts->positions.front().text))
        return fail(ExitCode::finding,
                    "base, filter or attributes are others than in the last reading: run `postcensus "
                    "sync`, or reload `watch`");
    // A look without a place in the order of readings: mostly nothing is found.
    LookedUp looked;
    const directory::Reader::Progress quiet;
    const auto read = [&](store::Seq began, DirectoryReading& reading) -> Result<void> {
        looked = {};
        reading.start(began, {});
        auto done = reading.look_up(
            addresses, [&](const auto& object) { note_looked_up(settings, object, addresses, looked); });
        return done ? reading.compared().finish() : done;
    };
    DirectoryReading look(state, settings, reader, quiet);
    if (auto done = read(0, look); !done) return fail(done.error());
    if (looked.found.empty() && look.compared().changes().size() == 0) return looked;
    auto began = begin_reading(state);
    if (!began) return fail(began.error());
    DirectoryReading reading(state, settings, reader, quiet);
    if (auto done = read(*began, reading); !done) return fail(done.error());
    if (auto applied = reading.apply(); !applied) return fail(applied.error());
    return looked;
}

namespace {

// Objects that are not found any more, and whose mailboxes the server has refused again and again. One
// reading for each directory ends them.
Result<void> end_leavers(const config::Configuration& configuration, store::Database& state) {
    Milliseconds interval{0};
    for (const config::Route& route : configuration.routes)
        interval = std::max(interval, route.policy.confirmation_interval);
    auto leavers = state.read([&](SQLite::Database& db) {
        return store::find_leavers(db, interval, [&](const std::string& domain) {
            const config::Route* route = configuration.route_of(domain);
            return route == nullptr ? std::nullopt : std::optional(route->asks());
        });
    });
    if (!leavers) return fail(leavers.error());
    for (std::size_t i = 0; i < leavers->size();) {
        const std::string directory = (*leavers)[i].directory;
        auto ended = state.write([&](store::Writer& writer) {
            const Time time = now();
            const store::Reading reading{.directory = directory,
                                         .kind = store::ReadingKind::dropped,
                                         .began = time,
                                         .ended = time,
                                         .began_seq = writer.seq};
            store::ReadingWriter out(writer, reading);
            for (; i < leavers->size() && (*leavers)[i].directory == directory; ++i) {
                out.end((*leavers)[i].guid);
                store::note_left(writer, (*leavers)[i], time);
            }
            return out.finish().removed;
        });
        if (!ended) return fail(ended.error());
        spdlog::info("{}: {} addresses were listed by objects that have left", directory, *ended);
    }
    return {};
}

}  // namespace

Result<void> finish_reading(const config::Configuration& configuration, store::Database& state,
                            store::Seq began) {
    auto stored = state.read([](SQLite::Database& db) { return store::directories_with_objects(db); });
    if (!stored) return fail(stored.error());
    for (const std::string& name : *stored) {
        const bool configured =
            std::any_of(configuration.directories.begin(), configuration.directories.end(),
                        [&name](const directory::Settings& settings) { return settings.name == name; });
        if (configured) continue;
        auto dropped = state.write([&](store::Writer& writer) {
            const store::Reading reading{.directory = name,
                                         .kind = store::ReadingKind::dropped,
                                         .began = now(),
                                         .ended = now(),
                                         .began_seq = writer.seq};
            std::vector<std::string> guids;
            store::for_each_object(writer.db, name, writer.seq,
                                   [&](std::int64_t, std::string guid) { guids.push_back(std::move(guid)); });
            store::ReadingWriter out(writer, reading);
            for (const std::string& guid : guids) out.end(guid);
            store::drop_directory(writer, name);
            return out.finish().removed;
        });
        if (!dropped) return fail(dropped.error());
        spdlog::warn("the configuration has no [directory.{}] any more: {} addresses lose its listing", name,
                     *dropped);
    }
    if (auto ended = end_leavers(configuration, state); !ended) return ended;
    return state.write([&](store::Writer& writer) {
        store::end_adoption(writer, domains_without_callouts(configuration), began);
    });
}

}  // namespace postcensus::flow
