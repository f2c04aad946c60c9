// SPDX-License-Identifier: MIT
#include "directory/reader.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <set>

#include "base/printable.h"
#include "directory/catalogue.h"
#include "directory/dn.h"
#include "directory/object.h"
#include "directory/servers.h"

namespace postcensus::directory {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kKeysPerSearch = 50;

// Entries that were written at the same time may become visible in another order, and a replica's come late:
// so far back is read again. What is read twice changes nothing.
constexpr auto kTimestampOverlap = 10min;
// An equality search over a few entries that takes longer than this has no index to use.
constexpr auto kSlowSearch = 2s;

// The well-known GUID of the Deleted Objects container (MS-ADTS 6.1.1.4).
constexpr const char* kDeletedObjects = "<WKGUID=18E2EA80684F11D2B9AA00C04F79F805,{}>";

// Whatever may carry addresses, or may have carried some: an object that lost them matches no filter by
// address. person covers user, contact and inetOrgPerson.
constexpr const char* kChangedFilter =
    "(&(uSNChanged>={})(|(objectClass=person)(objectClass=group)(objectClass=publicFolder)"
    "(objectClass=msExchDynamicDistributionList){}))";

std::optional<std::int64_t> to_number(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return number;
}

std::string to_hex(std::string_view bytes) {
    std::string out;
    for (const char byte : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return out;
}

// "20261124084425Z" (RFC 4517 GeneralizedTime, as OpenLDAP writes it), `back` before.
std::string earlier(const std::string& timestamp, std::chrono::seconds back) {
    std::tm parts{};
    const char* end = ::strptime(timestamp.c_str(), "%Y%m%d%H%M%S", &parts);
    if (end == nullptr) return timestamp;
    const std::time_t time = ::timegm(&parts) - static_cast<std::time_t>(back.count());
    ::gmtime_r(&time, &parts);
    char out[32];
    std::strftime(out, sizeof out, "%Y%m%d%H%M%SZ", &parts);
    return out;
}

// A position is "QUERY MARK": the mark is the highest USN, or the highest modifyTimestamp.
std::string make_position(const Settings& settings, const std::string& mark) {
    return query_text(settings) + " " + mark;
}
std::string mark_of(const std::string& position) {
    const std::size_t space = position.find(' ');
    return space == std::string::npos ? std::string{} : position.substr(space + 1);
}

}  // namespace

Result<Reader> Reader::open(const Settings& settings, const std::string& uri, Interrupt* interrupt) {
    auto session = Session::open(settings, uri, interrupt);
    if (!session) return fail(session.error());
    Reader reader(settings, *std::move(session));
    if (auto identified = reader.identify(); !identified) return fail(identified.error());
    if (settings.flavour == Flavour::ad && is_catalogue(uri))
        if (auto checked = directory::check_catalogue(reader.session_); !checked)
            return fail(checked.error());
    return reader;
}

Result<void> Reader::identify() {
    std::string service;
    std::string default_context;
    std::optional<std::int64_t> usn;
    auto found = session_.read(
        {.base = "",
         .attributes = {"dsServiceName", "highestCommittedUSN", "defaultNamingContext", "namingContexts"}},
        [&](const Entry& entry) -> Result<void> {
            service = entry.value("dsServiceName");
            usn = to_number(entry.value("highestCommittedUSN"));
            default_context = entry.value("defaultNamingContext");
            for (const Attribute& attribute : entry.attributes)
                if (attribute.name == "namingContexts")
                    for (const std::string_view context : attribute.values)
                        if (context.size() > root_.size() &&
                            place_of(settings_.base, context) == Place::below)
                            root_ = context;
            return {};
        });
    if (!found) return fail(found.error());
    if (root_.empty()) root_ = default_context.empty() ? settings_.base : default_context;
    if (settings_.flavour == Flavour::ldap) {
        server_id_ = session_.uri();
        return {};
    }
    if (service.empty() || !usn)
        return fail(ExitCode::configuration,
                    fmt::format("{} does not look like an Active Directory (no dsServiceName): is flavour = "
                                "ldap meant?",
                                session_.uri()));
    usn_ = *usn;
    // A DC that was restored from a backup gets another invocationId; its USNs begin anew.
    std::string invocation;
    found = session_.read({.base = service, .attributes = {"invocationId"}}, [&](const Entry& entry) {
        invocation = to_hex(entry.value("invocationId"));
        return Result<void>{};
    });
    if (!found) return fail(found.error());
    // Without it, another server behind the same name would look like this one.
    if (invocation.empty())
        return fail(ExitCode::unavailable,
                    fmt::format("{} does not show its invocationId to this account", session_.uri()));
    server_id_ = invocation + (is_catalogue(session_.uri()) ? "/gc" : "");
    return {};
}

Result<void> Reader::refresh() {
    if (settings_.flavour == Flavour::ldap) return {};
    std::optional<std::int64_t> usn;
    auto found = session_.read({.base = "", .attributes = {"highestCommittedUSN"}}, [&](const Entry& entry) {
        usn = to_number(entry.value("highestCommittedUSN"));
        return Result<void>{};
    });
    if (!found) return fail(found.error());
    if (!usn) return fail(ExitCode::unavailable, session_.uri() + " does not say its highestCommittedUSN");
    usn_ = *usn;
    return {};
}

std::string Reader::why_full(const std::string& position) const {
    if (position.empty()) return "the first reading at this server";
    if (!is_same_query(position)) return "base, filter or attributes are others than in the last reading";
    if (settings_.flavour == Flavour::ldap) return {};
    const auto usn = to_number(mark_of(position));
    if (!usn) return "the position cannot be read";
    if (*usn > usn_)
        return fmt::format("its USN went back from {} to {}: was it restored from a snapshot?", *usn, usn_);
    return {};
}

bool Reader::is_same_query(const std::string& position) const {
    return position == make_position(settings_, mark_of(position));
}

std::string Reader::describe(const std::string& position) const {
    return (settings_.flavour == Flavour::ad ? "USN " : "") + mark_of(position);
}

Search Reader::recipients() const {
    return {.base = settings_.base,
            .filter = objects_filter(settings_),
            .attributes = wanted_attributes(settings_)};
}

std::string Reader::deleted_objects() const {
    return fmt::format(kDeletedObjects, root_);
}

Result<ReadSummary> Reader::read_objects(const Search& search, const TakeObject& take,
                                         const Progress& progress) {
    ReadSummary summary;
    // The connection is busy with the next page until the search is over.
    std::vector<Decoded> incomplete;
    auto searched = session_.search(
        search,
        [&](const Entry& entry) -> Result<void> {
            auto decoded = decode(settings_, entry);
            if (!decoded) return fail(decoded.error());
            ++summary.objects;
            if (settings_.flavour == Flavour::ldap) {
                const std::string_view modified = entry.value("modifyTimestamp");
                if (modified > newest_) newest_ = modified;
                for (const std::string& attribute : settings_.attributes)
                    if (!entry.value(attribute).empty()) summary.shown.insert(attribute);
            }
            if (decoded->rests.empty()) return take(decoded->object);
            incomplete.push_back(*std::move(decoded));
            return {};
        },
        [&] {
            ++summary.pages;
            if (progress) progress(summary);
        });
    if (!searched) return fail(searched.error());
    for (Decoded& decoded : incomplete) {
        if (auto completed = complete(session_, decoded); !completed) return fail(completed.error());
        if (auto taken = take(decoded.object); !taken) return fail(taken.error());
    }
    return summary;
}

Result<ReadSummary> Reader::read_all(const TakeObject& take, const Progress& progress) {
    const std::int64_t usn = usn_;
    newest_.clear();
    auto summary = read_objects(recipients(), take, progress);
    if (!summary) return summary;
    if (settings_.flavour == Flavour::ad)
        summary->position = make_position(settings_, std::to_string(usn));
    else if (!newest_.empty())
        summary->position = make_position(settings_, newest_);
    return summary;
}

Result<ReadSummary> Reader::read_changes(const std::string& position, const TakeObject& take,
                                         const TakeKey& take_gone, const Progress& progress) {
    if (settings_.flavour == Flavour::ldap) return read_timestamp_changes(mark_of(position), take, progress);
    return read_usn_changes(to_number(mark_of(position)).value_or(0), take, take_gone, progress);
}

Result<ReadSummary> Reader::read_usn_changes(std::int64_t after, const TakeObject& take,
                                             const TakeKey& take_gone, const Progress& progress) {
    const std::string position = make_position(settings_, std::to_string(usn_));
    if (usn_ == after) return ReadSummary{0, 0, position};
    Search changed = recipients();
    changed.filter = fmt::format(kChangedFilter, after + 1, objects_filter(settings_));
    auto summary = read_objects(changed, take, progress);
    if (!summary) return summary;
    summary->position = position;
    // Without the right to see them this finds nothing, or not even the container: then sweeps do it.
    auto permitted = shows_tombstones();
    if (!permitted) return fail(permitted.error());
    if (!*permitted) return summary;
    auto searched = session_.search({.base = deleted_objects(),
                                     .filter = fmt::format("(&(isDeleted=TRUE)(uSNChanged>={}))", after + 1),
                                     .attributes = {key_attribute(settings_.flavour)},
                                     .show_deleted = true},
                                    [&](const Entry& entry) -> Result<void> {
                                        const std::string key = key_of(settings_.flavour, entry);
                                        return key.empty() ? Result<void>{} : take_gone(key);
                                    });
    if (!searched) return fail(searched.error());
    return summary;
}

// Who no longer matches the operator's filter is found missing by a sweep.
Result<ReadSummary> Reader::read_timestamp_changes(const std::string& since, const TakeObject& take,
                                                   const Progress& progress) {
    const std::string condition = fmt::format("(modifyTimestamp>={})", earlier(since, kTimestampOverlap));
    std::set<std::string> changed;
    const auto begun = std::chrono::steady_clock::now();
    auto searched = session_.search(
        {.base = settings_.base, .filter = condition, .attributes = {key_attribute(settings_.flavour)}},
        [&](const Entry& entry) -> Result<void> {
            changed.insert(key_of(settings_.flavour, entry));
            return {};
        });
    if (!searched) return fail(searched.error());
    if (changed.size() < 1000 && std::chrono::steady_clock::now() - begun > kSlowSearch)
        spdlog::warn("{}: {} took over 2 s to find {} changes: index modifyTimestamp (and {}) for equality",
                     settings_.name, session_.uri(), changed.size(), key_attribute(settings_.flavour));
    newest_ = since;
    ReadSummary summary;
    if (!changed.empty()) {
        Search matching = recipients();
        matching.filter = fmt::format("(&{}{})", settings_.filter, condition);
        auto read = read_objects(matching, take, progress);
        if (!read) return read;
        summary = *read;
    }
    summary.position = make_position(settings_, newest_);
    return summary;
}

Result<ReadSummary> Reader::read_keys(const TakeKey& take, const Progress& progress) {
    ReadSummary summary;
    auto searched = session_.search(
        {.base = settings_.base,
         .filter = recipients_filter(settings_),
         .attributes = {key_attribute(settings_.flavour)}},
        [&](const Entry& entry) -> Result<void> {
            const std::string key = key_of(settings_.flavour, entry);
            ++summary.objects;
            return key.empty() ? Result<void>{} : take(key);
        },
        [&] {
            ++summary.pages;
            if (progress) progress(summary);
        });
    if (!searched) return fail(searched.error());
    return summary;
}

Result<bool> Reader::sees_deletions() {
    // Whoever moves out of a base below the root just disappears.
    if (settings_.flavour == Flavour::ldap || place_of(root_, settings_.base) != Place::below) return false;
    return shows_tombstones();
}

// Without the right to it the container is not found, or shows its bare name (Samba); then sweeps have to do.
Result<bool> Reader::shows_tombstones() {
    bool shown = false;
    auto found = session_.read(
        {.base = deleted_objects(), .attributes = {key_attribute(settings_.flavour)}, .show_deleted = true},
        [&](const Entry& entry) -> Result<void> {
            shown = !key_of(settings_.flavour, entry).empty();
            return {};
        });
    if (!found) return fail(found.error());
    return *found && shown;
}

Result<std::string> Reader::hidden_attribute(const std::set<std::string>& attributes) {
    for (const std::string& attribute : attributes) {
        auto shown = session_.has_any({.base = settings_.base,
                                       .filter = fmt::format("(&{}({}=*))", settings_.filter, attribute),
                                       .attributes = {attribute}});
        if (!shown) return fail(shown.error());
        if (!*shown) return attribute;
    }
    return std::string{};
}

Result<void> Reader::find(const std::vector<std::string>& guids, const TakeFate& take) {
    const bool ad = settings_.flavour == Flavour::ad;
    for (std::size_t start = 0; start < guids.size(); start += kKeysPerSearch) {
        std::string any = "(|";
        for (std::size_t i = start; i < std::min(guids.size(), start + kKeysPerSearch); ++i)
            any += key_filter(settings_.flavour, guids[i]);
        any += ")";
        std::set<std::string> present;
        if (!ad) {
            Search matching = recipients();
            matching.filter = fmt::format("(&{}{})", settings_.filter, any);
            auto read = read_objects(matching,
                                     [&](const census::DirectoryObject& object) {
                                         present.insert(object.guid);
                                         return take(object.guid, Fate::present, object);
                                     },
                                     {});
            if (!read) return fail(read.error());
        }
        Search everywhere = recipients();
        everywhere.base = root_;
        everywhere.filter = any;
        everywhere.show_deleted = ad;
        if (ad) everywhere.attributes.emplace_back("isDeleted");
        std::vector<Decoded> incomplete;
        auto searched = session_.search(everywhere, [&](const Entry& entry) -> Result<void> {
            auto decoded = decode(settings_, entry);
            if (!decoded) return fail(decoded.error());
            const census::DirectoryObject& object = decoded->object;
            if (present.contains(object.guid)) return {};
            // A tombstone may show its key alone; its name says where it lies.
            const Place place = place_of(object.dn, settings_.base);
            if (entry.value("isDeleted") == "TRUE" ||
                (ad && place_of(object.dn, "CN=Deleted Objects," + root_) == Place::below) ||
                place == Place::elsewhere)
                return take(object.guid, Fate::gone, object);
            if (place == Place::unknown) return {};
            // It does not match the operator's filter now. An attribute that is hidden from us looks the
            // same.
            if (!ad) return {};
            if (decoded->rests.empty()) return take(object.guid, Fate::present, object);
            incomplete.push_back(*std::move(decoded));
            return {};
        });
        if (!searched) return fail(searched.error());
        for (Decoded& decoded : incomplete) {
            if (auto completed = complete(session_, decoded); !completed) return completed;
            if (auto taken = take(decoded.object.guid, Fate::present, decoded.object); !taken) return taken;
        }
    }
    return {};
}

Result<Reader> open_any(const Settings& settings, const std::vector<std::string>& uris,
                        Interrupt* interrupt) {
    std::optional<Failure> last;
    for (const std::string& uri : uris) {
        auto reader = Reader::open(settings, uri, interrupt);
        if (reader || credentials_refused(reader.error())) return reader;
        if (uris.size() > 1) spdlog::warn("{}: {}", settings.name, reader.error().message);
        last = reader.error();
    }
    return fail(last.value_or(Failure{ExitCode::configuration, "no server to connect to", {}}));
}

}  // namespace postcensus::directory
