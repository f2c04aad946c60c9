// SPDX-License-Identifier: MIT
#include "directory/reader.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <optional>

#include "base/printable.h"
#include "mail/address.h"

namespace postcensus::directory {
namespace {

const std::vector<std::string> kAttributes{"objectGUID", "proxyAddresses", "mail",
                                           "msExchRecipientTypeDetails", "msExchRequireAuthToSendTo"};

// A long attribute comes in ranges: "proxyAddresses;range=0-1499". Returns where the next range begins;
// nothing for a whole one. Microsoft: "Searching Using Range Retrieval".
struct AttributeName {
    std::string base;  // folded
    bool ranged = false;
    std::optional<int> next;  // of a range that is not the last
};

AttributeName parse_name(const std::string& name) {
    AttributeName parsed{mail::fold(name.substr(0, name.find(';'))), false, {}};
    const std::size_t range = mail::fold(name).find(";range=");
    if (range == std::string::npos) return parsed;
    parsed.ranged = true;
    const std::size_t dash = name.find('-', range);
    int last = 0;
    if (dash != std::string::npos &&
        std::from_chars(name.data() + dash + 1, name.data() + name.size(), last).ec == std::errc{})
        parsed.next = last + 1;
    return parsed;
}

// Fetches the rest of an attribute that came in part.
Result<void> complete_range(Session& session, const std::string& dn, const std::string& attribute, int next,
                            std::vector<std::string>& values) {
    for (;;) {
        auto entry = session.read_entry(dn, {fmt::format("{};range={}-*", attribute, next)});
        if (!entry) return fail(entry.error());
        const Attribute* found = nullptr;
        AttributeName name;
        for (const Attribute& candidate : entry->attributes) {
            AttributeName parsed = parse_name(candidate.name);
            if (parsed.ranged && parsed.base == mail::fold(attribute)) {
                found = &candidate;
                name = std::move(parsed);
            }
        }
        // A part is never the whole: without the rest, the read is void.
        if (found == nullptr || (name.next && *name.next <= next))
            return fail(ExitCode::unavailable, fmt::format("{} gave only a part of {} of {}",
                                                           session.server(), attribute, printable(dn)));
        values.insert(values.end(), found->values.begin(), found->values.end());
        if (!name.next) return {};
        next = *name.next;
    }
}

Result<census::DirectoryObject> to_object(Session& session, Entry entry) {
    census::DirectoryObject object;
    object.dn = std::move(entry.dn);
    for (Attribute& attribute : entry.attributes) {
        const AttributeName name = parse_name(attribute.name);
        if (name.base == "objectguid" && !attribute.values.empty()) object.guid = attribute.values.front();
        if (name.base == "msexchrequireauthtosendto" && !attribute.values.empty())
            object.requires_authentication = mail::fold(attribute.values.front()) == "true";
        if (name.base == "msexchrecipienttypedetails" && !attribute.values.empty()) {
            const std::string& text = attribute.values.front();
            std::int64_t number = 0;
            if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc{})
                object.recipient_type_details = number;
        }
        if (name.base != "proxyaddresses" && name.base != "mail") continue;
        std::vector<std::string>& values = name.base == "mail" ? object.mail : object.proxy_addresses;
        values.insert(values.end(), std::make_move_iterator(attribute.values.begin()),
                      std::make_move_iterator(attribute.values.end()));
        if (name.next)
            if (auto rest = complete_range(
                    session, object.dn, name.base == "mail" ? "mail" : "proxyAddresses", *name.next, values);
                !rest)
                return fail(rest.error());
    }
    if (object.guid.size() != 16)
        return fail(ExitCode::unavailable,
                    fmt::format("{} gave no objectGUID for {}: is it an Active Directory?", session.server(),
                                printable(object.dn)));
    return object;
}

Result<Session> open_any(const Settings& settings) {
    std::optional<Failure> last;
    for (const std::string& uri : settings.uris) {
        auto session = Session::open(settings, uri);
        if (session) return session;
        // A wrong password is wrong everywhere: another try only brings the account nearer to its lock.
        if (credentials_refused(session.error())) return session;
        spdlog::warn("{}: {}", settings.name, session.error().message);
        last = session.error();
    }
    return fail(
        last.value_or(Failure{ExitCode::configuration, settings.name + ": no uri to connect to", {}}));
}

}  // namespace

Result<ReadSummary> read_all(const Settings& settings, const TakeObject& take, const Progress& progress) {
    auto session = open_any(settings);
    if (!session) return fail(session.error());
    ReadSummary summary{session->server()};
    const std::string filter = settings.use_mail ? "(|(proxyAddresses=*)(mail=*))" : "(proxyAddresses=*)";
    // Objects whose ranges must be completed are finished after the search: the connection is busy with the
    // next page until then.
    std::vector<Entry> ranged;
    const auto take_page = [&](std::vector<Entry> entries) -> Result<void> {
        ++summary.pages;
        for (Entry& entry : entries) {
            ++summary.objects;
            bool whole = true;
            for (const Attribute& attribute : entry.attributes)
                whole = whole && !parse_name(attribute.name).next;
            if (!whole) {
                ranged.push_back(std::move(entry));
                continue;
            }
            auto object = to_object(*session, std::move(entry));
            if (!object) return fail(object.error());
            take(*object);
        }
        progress(summary);
        return {};
    };
    if (auto searched = session->search_paged(settings.base, filter, kAttributes, take_page); !searched)
        return fail(searched.error());
    for (Entry& entry : ranged) {
        auto object = to_object(*session, std::move(entry));
        if (!object) return fail(object.error());
        take(*object);
    }
    return summary;
}

}  // namespace postcensus::directory
