// SPDX-License-Identifier: MIT
#include "store/leavers.h"

#include <fmt/format.h>

#include "base/printable.h"

namespace postcensus::store {

std::vector<Leaver> find_leavers(SQLite::Database& db, Milliseconds interval,
                                 const std::function<std::optional<bool>(const std::string&)>& is_asked) {
    SQLite::Statement unseen(
        db,
        "SELECT object.id, guid, dn, name, unseen_seq, full_seq FROM object INDEXED BY object_unseen CROSS "
        "JOIN "
        "directory ON directory.id = directory_id WHERE unseen_seq IS NOT NULL AND doubts IS NULL AND "
        "unseen_seq < full_seq");
    // Who is listed by somebody else as well, or accepted by the operator, is not asked about.
    SQLite::Statement listed(db,
                             "SELECT address_id, domain, configured = 1 OR EXISTS (SELECT 1 FROM listing AS "
                             "other CROSS JOIN object ON "
                             "object.id = other.object_id WHERE other.address_id = listing.address_id AND "
                             "unseen_seq IS NULL) AS known FROM "
                             "listing CROSS JOIN address ON address.id = address_id WHERE object_id = ?");
    // What was said before it was last known to exist says nothing.
    SQLite::Statement refused(
        db,
        "SELECT coalesce(min(began_seq < :full), 0), coalesce(max(at) - min(at), 0) FROM callout "
        "WHERE address_id = :id AND class = 'unknown' AND began_seq >= :since AND began_seq > coalesce("
        "(SELECT max(began_seq) FROM callout WHERE address_id = :id AND class IN ('deliverable', 'policy')), "
        "-1)");
    std::vector<Leaver> leavers;
    while (unseen.executeStep()) {
        const SQLite::Column guid = unseen.getColumn("guid");
        Leaver one{.directory = unseen.getColumn("name").getString(),
                   .guid = std::string(static_cast<const char*>(guid.getBlob()),
                                       static_cast<std::size_t>(guid.getBytes())),
                   .dn = unseen.getColumn("dn").getString(),
                   .addresses = {}};
        listed.reset();
        listed.bind(1, unseen.getColumn("id").getInt64());
        bool left = true;
        bool any = false;
        while (left && listed.executeStep()) {
            one.addresses.push_back(listed.getColumn("address_id").getInt64());
            if (listed.getColumn("known").getInt() != 0) continue;
            const auto asked = is_asked(listed.getColumn("domain").getString());
            if (!asked) continue;
            any = true;
            left = *asked;
            if (!left) continue;
            refused.reset();
            refused.bind(":id", one.addresses.back());
            refused.bind(":since", unseen.getColumn("unseen_seq").getInt64());
            refused.bind(":full", unseen.getColumn("full_seq").getInt64());
            refused.executeStep();
            left = refused.getColumn(0).getInt() != 0 && refused.getColumn(1).getInt64() >= interval.count();
        }
        if (left && any) leavers.push_back(std::move(one));
    }
    return leavers;
}

void note_left(Writer& writer, const Leaver& leaver, Time now) {
    SQLite::Statement event(writer.db,
                            "INSERT INTO event (address_id, seq, at, from_answer, to_answer, reason, cause) "
                            "SELECT id, ?, ?, answer, answer, reason, ? FROM address WHERE id = ?");
    const std::string cause = fmt::format(
        "{} has left the directory {}: no reading finds it, a full one after that neither, and the mail "
        "server has "
        "refused this address more than once since",
        printable(leaver.dn), leaver.directory);
    for (const AddressId id : leaver.addresses) {
        event.reset();
        event.bind(1, writer.seq);
        event.bind(2, to_unix_ms(now));
        event.bind(3, cause);
        event.bind(4, id);
        event.exec();
    }
}

}  // namespace postcensus::store
