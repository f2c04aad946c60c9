// SPDX-License-Identifier: MIT
#include "directory/catalogue.h"

#include <fmt/format.h>

#include <string>

namespace postcensus::directory {

// A catalogue that lacks proxyAddresses would look like a directory without recipients; one that lacks the
// others, like one where nobody refuses outside senders, or where Exchange's own mailboxes are people's.
Result<void> check_catalogue(Session& session) {
    std::string schema;
    auto found = session.read({.base = "", .attributes = {"schemaNamingContext"}}, [&](const Entry& entry) {
        schema = entry.value("schemaNamingContext");
        return Result<void>{};
    });
    if (!found) return fail(found.error());
    bool addresses = false;
    std::string lacking;
    auto searched = session.search(
        {.base = schema,
         .filter = "(|(lDAPDisplayName=proxyAddresses)(lDAPDisplayName=msExchRequireAuthToSendTo)"
                   "(lDAPDisplayName=msExchRecipientTypeDetails))",
         .attributes = {"lDAPDisplayName", "isMemberOfPartialAttributeSet"}},
        [&](const Entry& entry) {
            const std::string name(entry.value("lDAPDisplayName"));
            const bool member = entry.value("isMemberOfPartialAttributeSet") == "TRUE";
            if (name == "proxyAddresses") addresses = member;
            if (name != "proxyAddresses" && !member) lacking = name;
            return Result<void>{};
        });
    if (!searched) return fail(searched.error());
    if (!addresses) lacking = "proxyAddresses";
    if (lacking.empty()) return {};
    return fail(ExitCode::configuration,
                fmt::format("{} is a global catalogue that does not hold {} (the schema's "
                            "isMemberOfPartialAttributeSet is not TRUE for it): name a domain controller's "
                            "port 636 instead, in a [directory.*] section for each domain",
                            session.uri(), lacking));
}

}  // namespace postcensus::directory
