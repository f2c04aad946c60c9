// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "audit/gather_report.h"
#include "base/duration.h"
#include "base/printable.h"
#include "check/exchange_remedies.h"
#include "check/parts.h"
#include "postfix/table.h"
#include "store/health.h"

namespace postcensus::check {
namespace {

using namespace std::chrono_literals;

constexpr const char* kStateArea = "state";
constexpr auto kStatePatience = 2s;
constexpr std::uintmax_t kMegabyte = 1024UL * 1024;
constexpr std::uintmax_t kScarce = 200 * kMegabyte;
constexpr std::uintmax_t kOverlays = kMegabyte;  // small tables, and what the state writes at once
constexpr auto kStaleReading = 24h;              // a reading, where nothing asks more often
constexpr auto kLongInLine = 1h;
constexpr std::int64_t kMuchUndecided = 1000;

std::uintmax_t size_of(const std::filesystem::path& file) {
    std::error_code ignored;
    const std::uintmax_t size = std::filesystem::file_size(file, ignored);
    return ignored ? 0 : size;
}

// The next base is built beside the old one.
std::uintmax_t size_of_base(const std::filesystem::path& maps) {
    std::uintmax_t index = 0;
    for (const std::string& suffix : postfix::index_suffixes())
        index = std::max(index, size_of(maps / ("directory" + suffix)));
    return size_of(maps / "directory") + index;
}

// `needed`: what the next publication writes here.
void check_space(const std::filesystem::path& folder, std::uintmax_t needed, const Tell& tell) {
    std::error_code error;
    const auto space = std::filesystem::space(folder, error);
    if (error) {
        tell(Finding::fail(kStateArea, folder.string(), error.message(),
                           fmt::format("install -d -o {} -m 0755 {}", own_user(), folder.string())));
        return;
    }
    const std::string words = fmt::format("{} MB are free", space.available / kMegabyte);
    const std::string remedy = fmt::format("df -h {}", folder.string());
    if (space.available < kOverlays)
        tell(Finding::fail(kStateArea, folder.string(),
                           fmt::format("{} KB are free: what is decided may not be stored or published",
                                       space.available / 1024),
                           remedy));
    else if (space.available < kOverlays + needed)
        tell(Finding::fail(
            kStateArea, folder.string(),
            fmt::format("{}, and the next directory needs {} MB beside the old one: it cannot be published",
                        words, needed / kMegabyte + 1),
            remedy));
    else if (space.available < kScarce || space.available < space.capacity / 20)
        tell(Finding::warn(kStateArea, folder.string(), words, remedy));
    else
        tell(Finding::ok(kStateArea, folder.string(), words));
}

bool share_a_disk(const std::filesystem::path& one, const std::filesystem::path& other) {
    struct stat a {};
    struct stat b {};
    return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev;
}

void check_reading(const directory::Settings& settings, const census::DirectoryLine& health, Time now,
                   const Tell& tell) {
    const std::string subject = "readings of " + settings.name;
    const std::string remedy = fmt::format("postcensus --log-level info sync {}", settings.name);
    const Time last = *health.last_good;
    const auto age = std::max(now - last, Milliseconds(0));
    if (last > now + 5min)
        tell(Finding::warn(
            kStateArea, subject,
            fmt::format("the last one was at {}, in the future: was the clock set back?", format_time(last)),
            "timedatectl status"));
    if (health.full_failure)
        tell(Finding::warn(
            kStateArea, subject,
            fmt::format("the last full one was not applied: {}", printable(*health.full_failure)), remedy));
    else if (age > std::max<Milliseconds>(kStaleReading, 3 * settings.poll_interval))
        tell(Finding::warn(
            kStateArea, subject,
            fmt::format("the last good one was {} ago: nobody reads the changes", spell_duration(age)),
            remedy + "\nsystemctl list-timers 'postcensus*'"));
    else if (!health.last_full)
        tell(Finding::warn(kStateArea, subject, "it was not read in full yet", remedy));
    else if (now - *health.last_full > census::kFullStale)
        tell(Finding::warn(kStateArea, subject,
                           fmt::format("the last full one was {} ago: no `sync` runs",
                                       spell_duration(now - *health.last_full)),
                           "systemctl list-timers 'postcensus*'"));
    else if (health.away_since)
        tell(Finding::warn(kStateArea, subject,
                           fmt::format("the server whose changes are followed has been away since {}",
                                       format_time(*health.away_since)),
                           remedy + " --full"));
    else
        tell(Finding::ok(kStateArea, subject,
                         fmt::format("the last good one was {} ago; {} addresses listed", spell_duration(age),
                                     health.listed)));
}

void check_backlog(const CheckScene& scene, const store::StateHealth& health, const Tell& tell) {
    const Time now = scene.now;
    if (health.held > 0)
        tell(Finding::warn(kStateArea, "holds", fmt::format("{} removals wait for an operator", health.held),
                           "postcensus report\npostcensus approve"));
    if (health.unseen > 0)
        tell(Finding::warn(
            kStateArea, "unseen objects",
            fmt::format("{} objects are not found any more, or show no addresses though they are mailboxes; "
                        "nothing says that they are gone",
                        health.unseen),
            "postcensus report\n# let the account read Deleted Objects and proxyAddresses: "
            "docs/directory.md"));
    if (health.undecided > kMuchUndecided)
        tell(Finding::warn(
            kStateArea, "undecided", fmt::format("{} addresses wait to be decided", health.undecided),
            fmt::format("journalctl -u {}\n# is `watch` busy, or in trouble?", unit_of(scene, "watch"))));
    if (health.oldest_in_line && now - *health.oldest_in_line > kLongInLine)
        tell(Finding::warn(
            kStateArea, "questions",
            fmt::format("{} questions stand in line, the oldest for {}: the servers answer more slowly than "
                        "mail comes, or not at all",
                        health.waiting, spell_duration(now - *health.oldest_in_line)),
            "postcensus report\n# [route.NAME] sessions, TarpitInterval of Exchange's connector"));
    if (health.misses_without_route > 0)
        tell(Finding::warn(
            kStateArea, "misses without a route",
            fmt::format("{} since yesterday, for domains that Postfix relays and no route names (subdomains "
                        "too, while parent_domain_matches_subdomains has relay_domains)",
                        health.misses_without_route),
            "grep 'User unknown in relay recipient table' /var/log/mail.log\n# add the domains to a "
            "[route.NAME]"));
    if (health.misses_suppressed > 0)
        tell(Finding::warn(
            kStateArea, "misses suppressed",
            fmt::format("{} since yesterday went over the [budget] and were not asked about",
                        health.misses_suppressed),
            "# if the clients are a filter or backup MX of yours:\n[budget]\nrelays = ITS-NETWORK"));
}

// What `watch` met, also in domains that a session of this test does not ask about.
void check_accepted(const config::Configuration& configuration, const std::vector<std::string>& domains,
                    const Tell& tell) {
    for (const std::string& domain : domains)
        if (configuration.needs_proof(domain))
            tell(Finding::fail("callout", printable(domain),
                               "its server accepted a made-up recipient of it when it was last asked: nobody "
                               "there is ever proven "
                               "unknown",
                               validation_remedy(printable(domain))));
}

Result<void> check_inside(const CheckScene& scene, const Tell& tell) {
    const std::filesystem::path& path = scene.configuration.state.path;
    auto state = store::Database::open(path, store::Database::Mode::read_only, kStatePatience);
    if (!state) return fail(state.error());
    auto health = state->read([&](SQLite::Database& db) { return store::load_state_health(db, scene.now); });
    if (!health) return fail(health.error());
    tell(Finding::ok(kStateArea, path.string(), "can be read"));
    audit::keep_configured(health->directories, scene.configuration);
    for (std::size_t i = 0; i < health->directories.size(); ++i) {
        const directory::Settings& settings = scene.configuration.directories[i];
        if (health->directories[i].last_good)
            check_reading(settings, health->directories[i], scene.now, tell);
        else
            tell(Finding::warn(kStateArea, "readings of " + settings.name, "it was never read",
                               fmt::format("postcensus sync {}", settings.name)));
    }
    check_backlog(scene, *health, tell);
    check_accepted(scene.configuration, health->accept_all, tell);
    return {};
}

}  // namespace

void check_state(const CheckScene& scene, const Tell& tell) {
    const std::filesystem::path& path = scene.configuration.state.path;
    const std::filesystem::path& maps = scene.configuration.postfix.maps;
    const bool together = share_a_disk(path.parent_path(), maps);
    check_space(path.parent_path(), together ? size_of_base(maps) : 0, tell);
    if (!together) check_space(maps, size_of_base(maps), tell);
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
        tell(Finding::warn(kStateArea, path.string(), "there is no state yet", "postcensus sync"));
        return;
    }
    auto version = store::schema_version(path);
    if (version && version->found < version->newest) {
        tell(Finding::warn(kStateArea, path.string(),
                           fmt::format("was made by an older version (schema {}, this one knows {})",
                                       version->found, version->newest),
                           "postcensus sync\n# copies it beside, and brings it up to date"));
        return;
    }
    if (auto inside = version ? check_inside(scene, tell) : fail(version.error()); !inside)
        tell(
            Finding::fail(kStateArea, path.string(), inside.error().message,
                          fmt::format("ls -l {} (it belongs to {}); see operations.md, Backup, restore, lost "
                                      "state",
                                      path.string(), own_user())));
}

}  // namespace postcensus::check
