// SPDX-License-Identifier: MIT
#include <algorithm>

#include "directory/dn.h"
#include "directory/object.h"
#include "directory/reader.h"
#include "mail/address.h"

namespace postcensus::directory {
namespace {

constexpr std::size_t kEnough = 1000;  // a page

// Ends a search that has shown enough; the connection goes with the test.
Result<void> enough() {
    return fail(ExitCode::done, "enough");
}

bool has(const Entry& entry, std::string_view name) {
    return std::any_of(entry.attributes.begin(), entry.attributes.end(), [name](const Attribute& attribute) {
        // A ranged one has its range behind the name.
        return mail::fold(attribute.name.substr(0, attribute.name.find(';'))) == mail::fold(name) &&
               !attribute.values.empty();
    });
}

// Exchange writes one of these on every mailbox.
bool is_mailbox(const Entry& entry) {
    return has(entry, "msExchMailboxGuid") || has(entry, "msExchRecipientTypeDetails") ||
           has(entry, "homeMDB");
}

}  // namespace

Result<View> Reader::view() {
    View view;
    view.root = root_;
    auto found = session_.read({.base = "", .attributes = {"currentTime"}}, [&](const Entry& entry) {
        view.server_time = entry.value("currentTime");
        return Result<void>{};
    });
    if (!found) return fail(found.error());
    const bool ad = settings_.flavour == Flavour::ad;
    if (ad) {
        view.at_root = place_of(root_, settings_.base) == Place::below;
        auto shown = shows_tombstones();
        if (!shown) return fail(shown.error());
        view.tombstones = *shown;
        std::size_t seen = 0;
        auto searched = session_.search(
            {.base = settings_.base,
             .filter = "(mail=*)",
             .attributes = {"proxyAddresses", "msExchMailboxGuid", "msExchRecipientTypeDetails", "homeMDB"}},
            [&](const Entry& entry) -> Result<void> {
                const bool mailbox = is_mailbox(entry);
                std::size_t& count = mailbox ? view.hidden : view.mail_only;
                if (!has(entry, "proxyAddresses") && count++ == 0)
                    (mailbox ? view.hidden_example : view.mail_only_example) = entry.dn;
                return ++seen < kEnough ? Result<void>{} : enough();
            });
        if (!searched && seen < kEnough) return fail(searched.error());
    }
    auto searched = session_.search({.base = settings_.base,
                                     .filter = recipients_filter(settings_),
                                     .attributes = {key_attribute(settings_.flavour)}},
                                    [&](const Entry&) -> Result<void> {
                                        return ++view.recipients < kEnough ? Result<void>{} : enough();
                                    });
    if (!searched && view.recipients < kEnough) return fail(searched.error());
    return view;
}

}  // namespace postcensus::directory
