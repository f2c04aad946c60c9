// SPDX-License-Identifier: MIT
#include "flow/read/comparison.h"

#include <algorithm>

#include "store/mistyped.h"

namespace postcensus::flow {
namespace {

constexpr std::size_t kBatch = 1000;

}  // namespace

census::ListingPolicy policy_for(const directory::Settings& settings) {
    if (settings.flavour == directory::Flavour::ldap) return {census::PlainAddresses::counted};
    return {settings.use_mail ? census::PlainAddresses::alone : census::PlainAddresses::ignored};
}

Comparison::Comparison(store::Database& state, const directory::Settings& settings)
    : state_(state),
      directory_(settings.name),
      policy_(policy_for(settings)),
      changes_(state.path().parent_path()) {}

Result<void> Comparison::meet(const census::DirectoryObject& object) {
    census::Listing listing = census::judge(object, policy_);
    invalid_values_ += listing.invalid;
    for (census::Mistyped& one : listing.mistyped)
        if (mistyped_.size() < store::kMostMistyped) mistyped_.push_back(std::move(one));
    listing.mistyped.clear();
    if (!listing.addresses.empty()) ++with_addresses_;
    batch_.push_back(std::move(listing));
    return batch_.size() < kBatch ? Result<void>{} : compare_batch();
}

Result<void> Comparison::meet_key(const std::string& guid) {
    keys_.push_back(guid);
    return keys_.size() < kBatch ? Result<void>{} : compare_batch();
}

Result<void> Comparison::end(const std::string& guid) {
    return changes_.add(Scratch::Kind::end, guid);
}

// One short read transaction for many objects: a long one would let the write-ahead log of the others grow.
Result<void> Comparison::compare_batch() {
    std::optional<Failure> failure;
    const auto keep = [&](Result<void> kept) {
        if (!kept && !failure) failure = kept.error();
    };
    const auto note_met = [this](const store::KnownObject& object) {
        const auto id = static_cast<std::size_t>(object.id);
        if (met_.size() <= id) met_.resize(id + id / 2 + kBatch);
        met_[id] = true;
    };
    auto compared = state_.read([&](SQLite::Database& db) {
        store::KnownObjects known(db, directory_);
        if (!once_mistyped_) once_mistyped_ = store::mistyped_objects(db, directory_);
        for (const census::Listing& listing : batch_) {
            const auto object = known.find(listing.guid);
            if (object) note_met(*object);
            if (once_mistyped_->erase(listing.guid) > 0) looked_at_again_.push_back(listing.guid);
            keep(compare(listing, object));
        }
        for (const std::string& guid : keys_) {
            const auto object = known.find(guid);
            // One that hid its addresses is looked at with its values, by find_missing().
            if (!object || object->doubts) continue;
            note_met(*object);
            if (object->unseen) keep(changes_.add(Scratch::Kind::seen, guid));
        }
    });
    batch_.clear();
    keys_.clear();
    if (!compared) return compared;
    if (failure) return fail(*failure);
    return {};
}

Result<void> Comparison::compare(const census::Listing& listing,
                                 const std::optional<store::KnownObject>& object) {
    const bool lists = !listing.addresses.empty();
    const bool there = object && !object->gone;
    const bool listed = there && object->digest != 0;
    // Of the addresses that it listed none is shown now, or only a plain one in their place.
    const bool whole = listing.plain && (object && (object->plain || object->digest == listing.digest()));
    const bool lost = listing.bare && listed && !whole;
    if (lost || (listing.doubts && !lists)) {
        const bool known = there && object->doubts == listing.doubts &&
                           (object->unseen || (listing.doubts && !listing.doubts->empty()));
        return known ? Result<void>{} : changes_.hide(listing);
    }
    if (!lists && !there) return {};
    if (lists && listed && object->digest == listing.digest() && object->plain == listing.plain) {
        if (object->doubts == listing.doubts && (object->unseen == listing.doubts.has_value())) return {};
        if (!listing.doubts) return changes_.add(Scratch::Kind::seen, listing.guid);
    }
    return changes_.put(listing);
}

Result<void> Comparison::finish() {
    return compare_batch();
}

Result<void> Comparison::find_missing(directory::Reader& reader, store::Seq began) {
    if (auto compared = compare_batch(); !compared) return compared;
    std::vector<std::string> missing;
    auto collected = state_.read([&](SQLite::Database& db) {
        store::for_each_object(db, directory_, began, [&](std::int64_t id, std::string guid) {
            const auto index = static_cast<std::size_t>(id);
            if (index >= met_.size() || !met_[index]) missing.push_back(std::move(guid));
        });
    });
    if (!collected) return collected;
    std::set<std::string> found;
    auto looked = reader.find(missing,
                              [&](const std::string& guid, directory::Fate fate,
                                  const census::DirectoryObject& object) -> Result<void> {
                                  if (!found.insert(guid).second) return {};
                                  return fate == directory::Fate::gone ? end(guid) : meet(object);
                              });
    if (!looked) return looked;
    // Not found proves nothing: a lost permission looks the same.
    for (const std::string& guid : missing)
        if (!found.contains(guid))
            if (auto kept = changes_.add(Scratch::Kind::unseen, guid); !kept) return kept;
    return compare_batch();
}

}  // namespace postcensus::flow
