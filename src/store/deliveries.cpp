// SPDX-License-Identifier: MIT
#include "store/deliveries.h"

#include <algorithm>
#include <chrono>

#include "store/questions.h"

namespace postcensus::store {
namespace {

using namespace std::chrono_literals;

// What a callout has just said is not asked again for the next bounce.
constexpr auto kJustAnswered = 15min;
constexpr int kMostRenewals = 4;
constexpr auto kDeliveryNoted = 1h;  // a busy mailbox is not written with every mail

}  // namespace

bool record_bounces(Writer& writer, const std::vector<StoredBounce>& bounces, Time now) {
    SQLite::Statement note(writer.db,
                           "INSERT INTO bounce (address_id, first_at, last_at, count, host, reply) "
                           "VALUES (:id, :at, :at, 1, :host, :reply) ON CONFLICT (address_id) DO UPDATE SET "
                           "last_at = max(last_at, :at), count = count + 1, host = :host, reply = :reply");
    SQLite::Statement count(writer.db,
                            "INSERT INTO bounce_hour (hour, address_id, first_at, last_at, count) VALUES "
                            "(:at / 3600000, :id, :at, :at, 1) ON CONFLICT (hour, address_id) DO UPDATE SET "
                            "first_at = min(first_at, :at), last_at = max(last_at, :at), count = count + 1");
    SQLite::Statement accepted(
        writer.db,
        "SELECT accepted_seq IS NOT NULL AS was, answer IN ('accept', 'closed') AND NOT EXISTS (SELECT 1 "
        "FROM callout WHERE address_id = "
        "address.id AND class IN ('deliverable', 'unknown', 'policy') AND at > :since) FROM address "
        "WHERE id = :id");
    bool asked = false;
    for (const StoredBounce& bounce : bounces) {
        const auto id = find_address(writer.db, bounce.recipient);
        if (!id) continue;
        accepted.reset();
        accepted.bind(":id", *id);
        accepted.bind(":since", to_unix_ms(now - kJustAnswered));
        // One that was never accepted got past another table than ours.
        if (!accepted.executeStep() || accepted.getColumn(0).getInt() == 0) continue;
        const bool doubtful = accepted.getColumn(1).getInt() != 0;
        note.reset();
        note.bind(":id", *id);
        note.bind(":at", to_unix_ms(bounce.at));
        note.bind(":host", bounce.host);
        note.bind(":reply", bounce.reply);
        note.exec();
        count.reset();
        count.bind(":id", *id);
        count.bind(":at", to_unix_ms(bounce.at));
        count.exec();
        if (!bounce.ask || !doubtful) continue;
        ask(writer, *id, "bounce", now, now);
        asked = true;
    }
    return asked;
}

void renew_proofs(Writer& writer, const std::vector<StoredDelivery>& deliveries) {
    SQLite::Statement proof(
        writer.db,
        "SELECT class, at, lower(target) FROM callout WHERE address_id = :id AND class IN ('deliverable', "
        "'unknown', 'policy') AND NOT EXISTS (SELECT 1 FROM address JOIN domain USING (domain) WHERE "
        "address.id = "
        ":id AND accept_all = 1) ORDER BY began_seq DESC, id DESC LIMIT 1");
    SQLite::Statement later(
        writer.db,
        "UPDATE question SET due = max(due, ?) WHERE address_id = ? AND cause = 'refresh' AND attempts = 0");
    SQLite::Statement note(writer.db,
                           "INSERT INTO delivery (address_id, at, host) VALUES (:id, :at, :host) ON CONFLICT "
                           "(address_id) DO UPDATE SET at = :at, host = :host WHERE :at - at >= :apart");
    note.bind(":apart", static_cast<std::int64_t>(Milliseconds(kDeliveryNoted).count()));
    for (const StoredDelivery& delivery : deliveries) {
        const auto id = find_address(writer.db, delivery.recipient);
        if (!id) continue;
        note.reset();
        note.bind(":id", *id);
        note.bind(":at", to_unix_ms(delivery.at));
        note.bind(":host", delivery.host);
        note.exec();
        proof.reset();
        proof.bind(":id", *id);
        if (!proof.executeStep() || proof.getColumn(0).getString() != "deliverable" ||
            !proof.getColumn(2).getString().starts_with(delivery.host + ":"))
            continue;
        const Time proved = from_unix_ms(proof.getColumn(1).getInt64());
        later.reset();
        later.bind(1, to_unix_ms(std::min(delivery.at + delivery.refresh,
                                          proved + kMostRenewals * delivery.refresh)));
        later.bind(2, *id);
        later.exec();
    }
}

void note_asked(Writer& writer, const std::vector<StoredAsk>& asked) {
    SQLite::Statement note(writer.db,
                           "UPDATE address SET asked_at = max(coalesce(asked_at, 0), ?) WHERE local = ? AND "
                           "domain = ? AND answer = 'reject'");
    for (const StoredAsk& one : asked) {
        note.reset();
        note.bind(1, to_unix_ms(one.at));
        note.bind(2, std::string(one.recipient.local()));
        note.bind(3, std::string(one.recipient.domain()));
        note.exec();
    }
}

}  // namespace postcensus::store
