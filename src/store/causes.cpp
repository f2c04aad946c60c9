// SPDX-License-Identifier: MIT
#include "store/causes.h"

#include <functional>

namespace postcensus::store {
namespace {

std::string first_text(SQLite::Statement& statement, AddressId id,
                       const std::function<std::string(SQLite::Statement&)>& words) {
    statement.reset();
    statement.bind(1, id);
    std::string text = statement.executeStep() ? words(statement) : std::string{};
    statement.reset();
    return text;
}

// "directory corp (changes read at ldaps://dc1.corp.example): CN=…".
std::string object_words(SQLite::Statement& row, std::string_view verb) {
    std::string words = "directory " + row.getColumn("name").getString();
    if (const auto kind = row.getColumn("kind"); !kind.isNull())
        words += " (" + kind.getString() + " read at " + row.getColumn("server").getString() + ")";
    return words.append(verb).append(row.getColumn("dn").getString());
}

}  // namespace

CauseReader::CauseReader(SQLite::Database& db)
    : listing_(db,
               "SELECT directory.name AS name, dn, kind, server FROM listing JOIN object ON object.id = "
               "object_id JOIN directory ON directory.id = object.directory_id LEFT JOIN reading ON "
               "reading.began_seq = read_seq AND reading.directory_id = directory.id WHERE address_id = ? "
               "ORDER BY object_id LIMIT 1"),
      ended_(db,
             "SELECT directory.name AS name, dn, kind, server FROM address JOIN object ON object.id = "
             "last_object JOIN directory ON directory.id = object.directory_id LEFT JOIN reading ON "
             "reading.began_seq = read_seq AND reading.directory_id = directory.id WHERE address.id = ? "
             "LIMIT 1"),
      callout_(db,
               "SELECT target, reply FROM callout WHERE address_id = ? AND class IN ('deliverable', "
               "'unknown', 'policy') "
               "ORDER BY began_seq DESC, id DESC LIMIT 1"),
      absence_(db, "SELECT server, control FROM absence WHERE address_id = ?"),
      command_(
          db,
          "SELECT cause FROM (SELECT cause, from_answer, to_answer FROM event WHERE address_id = ? ORDER "
          "BY id DESC LIMIT 1) WHERE from_answer = to_answer") {}

std::string CauseReader::describe(const Pending& pending, census::Reason reason) {
    std::string words = describe_evidence(pending.id, reason);
    if (pending.approved) words += "; released by approve";
    return words;
}

std::string CauseReader::describe_evidence(AddressId id, census::Reason reason) {
    using census::Reason;
    switch (reason) {
        case Reason::listed:
        case Reason::unseen:
        case Reason::closed_listing:
            return first_text(listing_, id, [](auto& row) { return object_words(row, ": "); });
        case Reason::proven:
        case Reason::closed_callout:
        case Reason::proven_unknown:
        case Reason::contested:
        case Reason::not_missed:
        case Reason::postmaster:
            return first_text(callout_, id, [](auto& row) {
                return "callout to " + row.getColumn(0).getString() + ": " + row.getColumn(1).getString();
            });
        case Reason::proven_absent:
            return first_text(absence_, id, [](auto& row) {
                return "not found twice, the last time at " + row.getColumn(0).getString() +
                       ", which showed " + row.getColumn(1).getString();
            });
        case Reason::adopted:
            return "stood in the published table";
        case Reason::configured:
        case Reason::not_relayed:
            return "configuration";
        case Reason::lease_over:
            return "the rejection's time was over";
        default:
            break;
    }
    std::string words = first_text(command_, id, [](auto& row) { return row.getColumn(0).getString(); });
    if (words.empty())
        words = first_text(ended_, id, [](auto& row) { return object_words(row, ", lists it no more: "); });
    return words.empty() ? "no directory lists it, and no callout has proved it since" : words;
}

}  // namespace postcensus::store
