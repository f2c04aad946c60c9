// SPDX-License-Identifier: MIT
#include "flow/read/directory_login.h"

#include <fmt/format.h>
#include <openssl/sha.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/file.h"
#include "base/hash.h"
#include "directory/servers.h"
#include "store/directories.h"

namespace postcensus::flow {
namespace {

using namespace std::chrono_literals;

// A wrong password that is tried again and again locks the account, the right password included.
constexpr auto kRefusedPause = 1h;
constexpr auto kSwitchPause = 30min;
constexpr auto kSwitchJitter = 10min;  // not all gateways read the next server in the same minute
constexpr std::size_t kLargestKeytab = 1024UL * 1024;

std::string refused_key(const directory::Settings& settings) {
    return "bind-refused." + settings.name;
}

// Salted with the state's id, so that equal passwords in two states look different.
std::string credential_digest(const directory::Settings& settings, const std::string& salt) {
    std::string text = salt + '\n' + settings.bind_dn + '\n' + settings.password + '\n';
    if (settings.bind == directory::Bind::gssapi)
        if (auto keytab = read_file(settings.keytab, kLargestKeytab)) text += *keytab;
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
    return fail(
        {.code = ExitCode::unavailable,
         .message = fmt::format(
             "the directory refused this account and its secret at {}; they are not tried again until "
             "{}, "
             "because that can lock the account. Mend password-file or keytab (a new one is tried at once)",
             format_time(since), format_time(since + kRefusedPause)),
         .trouble = Trouble::credentials});
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

// The servers in the order to try, the followed one in front.
struct Candidates {
    std::vector<std::string> uris;
    bool followed = false;  // the first is the one whose changes are followed
    std::optional<Time> away_since;
};

Result<Candidates> find_candidates(store::Database& state, const directory::Settings& settings) {
    auto uris = directory::candidates(settings);
    if (!uris) return fail(uris.error());
    auto facts = state.read([&](SQLite::Database& db) { return store::load_directory(db, settings.name); });
    if (!facts) return fail(facts.error());
    Candidates candidates{*std::move(uris), false, facts->away_since};
    if (facts->positions.empty()) return candidates;
    const auto found =
        std::find(candidates.uris.begin(), candidates.uris.end(), facts->positions.front().uri);
    if (found == candidates.uris.end()) return candidates;
    std::rotate(candidates.uris.begin(), found, found + 1);
    candidates.followed = true;
    return candidates;
}

void note_away(store::Database& state, const std::string& directory, std::optional<Time> since) {
    auto noted = state.write([&](store::Writer& writer) { store::set_away(writer, directory, since); });
    if (!noted) spdlog::debug("{}", noted.error().message);
}

Result<directory::Reader> open_followed_or_other(store::Database& state, const directory::Settings& settings,
                                                 Other other, const std::string& salt,
                                                 directory::Interrupt* interrupt) {
    auto candidates = find_candidates(state, settings);
    if (!candidates) return fail(candidates.error());
    if (!candidates->followed) return directory::open_any(settings, candidates->uris, interrupt);
    const std::string followed = candidates->uris.front();
    auto reader = directory::Reader::open(settings, followed, interrupt);
    if (reader) {
        if (candidates->away_since) note_away(state, settings.name, std::nullopt);
        return reader;
    }
    if (directory::credentials_refused(reader.error())) return reader;
    const Time time = now();
    Time since = candidates->away_since.value_or(time);
    if (since > time) since = time;  // the clock was set back
    if (since != candidates->away_since) note_away(state, settings.name, since);
    if (other == Other::never || candidates->uris.size() == 1) return reader;
    const auto jitter = Fnv1a().mix(salt).mix(settings.name).value() %
                        static_cast<std::uint64_t>(std::chrono::seconds(kSwitchJitter).count());
    const Time switches = since + kSwitchPause + std::chrono::seconds(jitter);
    if (other == Other::later && time < switches) {
        Failure away = reader.error();
        away.message = fmt::format(
            "{}; another server is read from {} on, when what was written last has had time to reach it "
            "(`sync --full` reads one at once)",
            away.message, format_time(switches));
        return fail(std::move(away));
    }
    spdlog::warn("{}: {}; trying the other servers", settings.name, reader.error().message);
    candidates->uris.erase(candidates->uris.begin());
    return directory::open_any(settings, candidates->uris, interrupt);
}

template <typename Open>
Result<directory::Reader> guarded(store::Database& state, const directory::Settings& settings, Open&& open) {
    auto salt = state.state_id();
    if (!salt) return fail(salt.error());
    const std::string digest = credential_digest(settings, *salt);
    if (auto allowed = check_not_refused(state, settings, digest, now()); !allowed)
        return fail(allowed.error());
    auto reader = open(*salt);
    if (!reader && directory::credentials_refused(reader.error()))
        remember_refused(state, settings, digest, now());
    return reader;
}

}  // namespace

Result<directory::Reader> open_directory(store::Database& state, const directory::Settings& settings,
                                         Other other, directory::Interrupt* interrupt) {
    return guarded(state, settings, [&](const std::string& salt) {
        return open_followed_or_other(state, settings, other, salt, interrupt);
    });
}

Result<directory::Reader> open_for_questions(store::Database& state, const directory::Settings& settings,
                                             directory::Interrupt* interrupt) {
    return guarded(state, settings, [&](const std::string&) -> Result<directory::Reader> {
        auto candidates = find_candidates(state, settings);
        if (!candidates) return fail(candidates.error());
        return directory::open_any(settings, candidates->uris, interrupt);
    });
}

Result<directory::Reader> open_server(store::Database* state, const directory::Settings& settings,
                                      const std::string& uri, directory::Interrupt* interrupt) {
    if (state == nullptr) return directory::Reader::open(settings, uri, interrupt);
    return guarded(*state, settings,
                   [&](const std::string&) { return directory::Reader::open(settings, uri, interrupt); });
}

}  // namespace postcensus::flow
