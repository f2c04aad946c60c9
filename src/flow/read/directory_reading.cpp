// SPDX-License-Identifier: MIT
#include "flow/read/directory_reading.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "store/mistyped.h"

namespace postcensus::flow {
namespace {

constexpr std::size_t kFewMistyped = 10;  // in the log

}  // namespace

Result<store::Seq> begin_reading(store::Database& state) {
    return state.write([](store::Writer& writer) { return store::begin_reading(writer); });
}

DirectoryReading::DirectoryReading(store::Database& state, const directory::Settings& settings,
                                   directory::Reader& reader, const directory::Reader::Progress& progress)
    : state_(state), settings_(settings), reader_(reader), progress_(progress), compare_(state, settings) {
    reading_.directory = settings.name;
    reading_.server = reader.uri();
    reading_.began = now();
}

void DirectoryReading::start(store::Seq began, std::string from) {
    reading_.began_seq = began;
    from_ = std::move(from);
}

Result<void> DirectoryReading::read_all() {
    reading_.kind = store::ReadingKind::full;
    return take(reader_.read_all([this](const auto& object) { return compare_.meet(object); }, progress_));
}

Result<void> DirectoryReading::read_changes() {
    reading_.kind = store::ReadingKind::changes;
    return take(reader_.read_changes(
        from_, [this](const auto& object) { return compare_.meet(object); },
        [this](const std::string& guid) { return compare_.end(guid); }, progress_));
}

Result<void> DirectoryReading::sweep() {
    reading_.kind = store::ReadingKind::sweep;
    // Of an object that may list its `mail` alone the key says too little: it may have lost the rest.
    if (settings_.use_mail) {
        auto read = reader_.read_all([this](const auto& object) { return compare_.meet(object); }, progress_);
        if (!read) return fail(read.error());
        if (is_empty()) return empty();
        return find_missing();
    }
    std::int64_t met = 0;
    auto read = reader_.read_keys(
        [&](const std::string& guid) {
            ++met;
            return compare_.meet_key(guid);
        },
        progress_);
    if (!read) return fail(read.error());
    if (met == 0) return empty();
    return find_missing();
}

Result<void> DirectoryReading::look_up(const std::vector<mail::Address>& addresses,
                                       const std::function<void(const census::DirectoryObject&)>& note) {
    reading_.kind = store::ReadingKind::lookup;
    auto summary = reader_.look_up(addresses, [&](const auto& object) {
        ++reading_.objects;
        note(object);
        return compare_.meet(object);
    });
    if (!summary) return fail(summary.error());
    return check_attributes(*summary);
}

Result<void> DirectoryReading::find_missing() {
    return compare_.find_missing(reader_, reading_.began_seq);
}

tl::unexpected<Failure> DirectoryReading::empty() const {
    return fail(ExitCode::finding,
                "the read found no recipient at all: has the account lost the right to read, or is base "
                "wrong?");
}

Result<store::Applied> DirectoryReading::apply(const store::ListedAnswer& answer) {
    if (auto finished = compare_.finish(); !finished) return fail(finished.error());
    warn_of_invalid();
    reading_.ended = now();
    const auto begun = std::chrono::steady_clock::now();
    auto applied = state_.write([&](store::Writer& writer) {
        store::ReadingWriter out(writer, reading_, answer);
        auto replayed = replay(out);
        if (!replayed) throw store::Abort{replayed.error()};
        const store::Applied sum = out.finish();
        if (reading_.kind == store::ReadingKind::full || reading_.kind == store::ReadingKind::sweep)
            store::note_swept(writer, settings_.name, reading_.ended);
        store::note_shown(writer, settings_.name, reading_.kind == store::ReadingKind::full, shown_);
        store::note_mistyped(writer, settings_.name, reading_.kind == store::ReadingKind::full,
                             compare_.looked_at_again(), compare_.mistyped());
        move_position(writer);
        return sum;
    });
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
    if (applied)
        spdlog::info("{}: applied {} differences in {:.0f} ms", settings_.name, compare_.changes().size(),
                     took.count());
    return applied;
}

void DirectoryReading::move_position(store::Writer& writer) {
    if (position_.empty()) return;
    store::move_position(writer, settings_.name, {reader_.server_id(), reader_.uri(), position_, now()},
                         from_);
}

Result<void> DirectoryReading::take(Result<directory::ReadSummary> summary) {
    if (!summary) return fail(summary.error());
    reading_.objects = static_cast<std::int64_t>(summary->objects);
    position_ = summary->position;
    return summary->objects == 0 ? Result<void>{} : check_attributes(*summary);
}

Result<void> DirectoryReading::check_attributes(const directory::ReadSummary& summary) {
    // Where there is one alone, an object that does not show it is unseen.
    if (settings_.flavour != directory::Flavour::ldap || settings_.attributes.size() < 2) return {};
    auto facts = state_.read([&](SQLite::Database& db) { return store::load_directory(db, settings_.name); });
    if (!facts) return fail(facts.error());
    // Those that this reading met, too: the right may be lost in its middle.
    shown_ = summary.shown;
    for (const std::string& attribute : settings_.attributes)
        if (facts->shown.contains(attribute)) shown_.insert(attribute);
    auto hidden = reader_.hidden_attribute(shown_);
    if (!hidden) return fail(hidden.error());
    if (hidden->empty()) return {};
    return fail(
        ExitCode::finding,
        fmt::format("no object shows {} any more: has the account lost the right to read it? If nobody "
                    "has one left, take it out of attributes",
                    *hidden));
}

void DirectoryReading::warn_of_invalid() const {
    if (compare_.invalid_values() == 0) return;
    spdlog::warn("{}: {} values are no valid address and were left out (see `report`)", settings_.name,
                 compare_.invalid_values());
    for (std::size_t i = 0; i < std::min(compare_.mistyped().size(), kFewMistyped); ++i) {
        const census::Mistyped& one = compare_.mistyped()[i];
        spdlog::warn("{}: {}: '{}': {}", settings_.name, one.dn, one.value, one.why);
    }
}

Result<void> DirectoryReading::replay(store::ReadingWriter& out) {
    return compare_.changes().for_each([&out](const Scratch::Change& change) {
        switch (change.kind) {
            case Scratch::Kind::put:
                return out.put(change.listing);
            case Scratch::Kind::hide:
                return out.hide(change.listing);
            case Scratch::Kind::end:
                return out.end(change.listing.guid);
            case Scratch::Kind::unseen:
                return out.mark_unseen(change.listing.guid);
            case Scratch::Kind::seen:
                return out.mark_seen(change.listing.guid);
        }
    });
}

}  // namespace postcensus::flow
