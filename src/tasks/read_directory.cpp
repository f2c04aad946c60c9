// SPDX-License-Identifier: MIT
#include "tasks/read_directory.h"

#include <fmt/format.h>
#include <openssl/sha.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/duration.h"
#include "store/publications.h"
#include "store/readings.h"

namespace postcensus::tasks {
namespace {

using namespace std::chrono_literals;

// A wrong password that is tried again and again locks the account, the right password included.
constexpr auto kRefusedPause = 1h;

std::string refused_key(const directory::Settings& settings) {
    return "bind-refused." + settings.name;
}

// Salted with the state's id, so that equal passwords in two states look different.
std::string credential_digest(const directory::Settings& settings, const std::string& salt) {
    const std::string text = salt + '\n' + settings.bind_dn + '\n' + settings.password;
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash);
    std::string hex;
    for (const unsigned char byte : hash) hex += fmt::format("{:02x}", byte);
    return hex;
}

Result<void> check_not_refused(store::Database& state, const directory::Settings& settings,
                               const std::string& digest, Time now) {
    auto refused = state.read([&](SQLite::Database& db) -> std::string {
        SQLite::Statement load(db, "SELECT value FROM meta WHERE key = ?");
        load.bind(1, refused_key(settings));
        return load.executeStep() ? load.getColumn(0).getString() : std::string{};
    });
    if (!refused) return fail(refused.error());
    const std::size_t space = refused->find(' ');
    if (space == std::string::npos || refused->substr(space + 1) != digest) return {};
    const Time since = parse_time(refused->substr(0, space)).value_or(Time{});
    if (now < since || now - since >= kRefusedPause) return {};
    return fail(ExitCode::unavailable,
                fmt::format("{}: the directory refused this bind-dn and password at {}; they are not tried "
                            "again until {}, because that can "
                            "lock the account. Mend password-file (a new password is tried at once)",
                            settings.name, format_time(since), format_time(since + kRefusedPause)));
}

void remember_refused(store::Database& state, const directory::Settings& settings, const std::string& digest,
                      Time now) {
    auto written = state.write([&](store::Writer& writer) {
        SQLite::Statement save(writer.db, "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)");
        save.bind(1, refused_key(settings));
        save.bind(2, format_time(now) + " " + digest);
        save.exec();
    });
    if (!written) spdlog::warn("cannot remember that the login was refused: {}", written.error().message);
}

// What the reading met, compared with the state as it goes: only what differs is kept.
class Comparison {
  public:
    Comparison(std::unordered_map<std::string, std::uint64_t> known, census::ListingPolicy policy)
        : known_(std::move(known)), policy_(policy) {}

    void meet(const census::DirectoryObject& object) {
        census::Listing listing = census::judge(object, policy_);
        if (listing.invalid > 0 && invalid.size() < 5) invalid.push_back(listing.dn);
        invalid_values += listing.invalid;
        if (listing.addresses.empty()) return;
        ++with_addresses;
        const auto found = known_.find(listing.guid);
        if (found != known_.end()) {
            const bool same = found->second == listing.digest();
            known_.erase(found);
            if (same) return;
        }
        difference.changed.push_back(std::move(listing));
    }

    void finish() {
        for (const auto& [guid, digest] : known_) difference.gone.push_back(guid);
    }

    store::Difference difference;
    std::int64_t with_addresses = 0;
    std::size_t invalid_values = 0;
    std::vector<std::string> invalid;

  private:
    std::unordered_map<std::string, std::uint64_t> known_;  // those not met yet
    census::ListingPolicy policy_;
};

// The exact difference in addresses: those that no object lists any more, and those that none listed before.
Result<void> describe_difference(store::Database& state, const std::string& directory,
                                 const store::Difference& difference, DirectoryRead& read) {
    return state.read([&](SQLite::Database& db) {
        std::map<std::string, int> balance;  // how many objects more (or fewer) list it
        for (const std::string& guid : difference.gone)
            for (const std::string& address : store::addresses_of(db, directory, guid)) --balance[address];
        for (const census::Listing& listing : difference.changed) {
            for (const std::string& address : store::addresses_of(db, directory, listing.guid))
                --balance[address];
            for (const mail::Address& address : listing.addresses) ++balance[address.text()];
        }
        SQLite::Statement count(
            db, "SELECT count(*) FROM address JOIN listing ON address_id = address.id WHERE address = ?");
        for (const auto& [address, change] : balance) {
            count.reset();
            count.bind(1, address);
            count.executeStep();
            const int before = count.getColumn(0).getInt();
            if (before == 0 && before + change > 0) read.added.push_back(address);
            if (before > 0 && before + change <= 0) read.removed.push_back(address);
        }
    });
}

void note_failure(store::Database& state, store::Reading reading, const std::string& why, Time ended) {
    reading.outcome = why;
    reading.good = false;
    reading.ended = ended;
    auto noted = state.write([&](store::Writer& writer) { store::note_failed(writer, reading); });
    if (!noted) spdlog::warn("cannot note the failed reading: {}", noted.error().message);
}

std::vector<std::string> domains_without_callouts(const config::Configuration& configuration) {
    std::vector<std::string> domains;
    for (const config::Route& route : configuration.routes)
        if (!route.asks()) domains.insert(domains.end(), route.domains.begin(), route.domains.end());
    return domains;
}

}  // namespace

Result<DirectoryRead> read_directory(store::Database& state, const directory::Settings& settings,
                                     bool dry_run, const directory::Progress& progress) {
    auto salt = state.state_id();
    auto began_seq = state.current_seq();
    auto known = state.read([&](SQLite::Database& db) { return store::load_digests(db, settings.name); });
    if (!salt) return fail(salt.error());
    if (!began_seq) return fail(began_seq.error());
    if (!known) return fail(known.error());
    const std::string credentials = credential_digest(settings, *salt);
    if (auto refused = check_not_refused(state, settings, credentials, now()); !refused)
        return fail(refused.error());

    store::Reading reading{.directory = settings.name, .began = now(), .began_seq = *began_seq};
    Comparison comparison(*std::move(known), {settings.use_mail});
    auto summary = directory::read_all(
        settings, [&](const census::DirectoryObject& object) { comparison.meet(object); }, progress);
    reading.ended = now();
    if (!summary) {
        Failure failure = summary.error();
        failure.message =
            settings.name + ": " + failure.message + "; nothing was applied, the tables stay as they are";
        if (directory::credentials_refused(failure)) remember_refused(state, settings, credentials, now());
        if (!dry_run) note_failure(state, reading, summary.error().message, now());
        return fail(failure);
    }
    comparison.finish();
    reading.server = summary->server;
    reading.objects = comparison.with_addresses;
    DirectoryRead read;
    if (comparison.invalid_values > 0)
        spdlog::warn(
            "{}: {} values of proxyAddresses are no valid address and were left out, for example of {}",
            settings.name, comparison.invalid_values, comparison.invalid.front());
    // Success with nothing in it is what a lost read permission looks like.
    if (comparison.with_addresses == 0) {
        const std::string why =
            "the read found no recipient at all: has the account lost the right to read, or is base wrong?";
        if (!dry_run) note_failure(state, reading, why, now());
        return fail(ExitCode::finding, fmt::format("{}: {} Nothing was applied, the tables stay as they are",
                                                   settings.name, why));
    }
    if (dry_run) {
        if (auto described = describe_difference(state, settings.name, comparison.difference, read);
            !described)
            return fail(described.error());
        read.summary = fmt::format("{}: full read at {}: {} would be added, {} removed", settings.name,
                                   reading.server, read.added.size(), read.removed.size());
        return read;
    }
    auto applied = state.write(
        [&](store::Writer& writer) { return store::apply(writer, reading, comparison.difference); });
    if (!applied) return fail(applied.error());
    read.summary = fmt::format("{}: full read at {}: {} added, {} removed; {} listed", settings.name,
                               reading.server, applied->added, applied->removed, applied->listed);
    return read;
}

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
            store::Difference all;
            for (const auto& [guid, digest] : store::load_digests(writer.db, name)) all.gone.push_back(guid);
            const store::Reading reading{.directory = name,
                                         .kind = "dropped",
                                         .began = now(),
                                         .ended = now(),
                                         .began_seq = writer.seq};
            return store::apply(writer, reading, all).removed;
        });
        if (!dropped) return fail(dropped.error());
        spdlog::warn("the configuration has no [directory.{}] any more: {} addresses lose its listing", name,
                     *dropped);
    }
    return state.write([&](store::Writer& writer) {
        store::end_adoption(writer, domains_without_callouts(configuration), began);
    });
}

}  // namespace postcensus::tasks
