// SPDX-License-Identifier: MIT
#include "store/explanation.h"

#include <fmt/format.h>

#include "store/addresses.h"
#include "store/callouts.h"

namespace postcensus::store {
namespace {

using Lines = std::vector<census::ExplanationLine>;

constexpr int kMostClients = 5;
constexpr std::size_t kMostHistory = 50;

std::string text(SQLite::Statement& row, const char* column) {
    return row.getColumn(column).getString();
}

std::optional<Time> time(SQLite::Statement& row, const char* column) {
    const auto at = row.getColumn(column);
    if (at.isNull()) return std::nullopt;
    return from_unix_ms(at.getInt64());
}

// With the DC that showed it: the reading whose values these are. Readings are kept for a while only; then
// the directory's last one stands for it.
void add_listings(SQLite::Database& db, AddressId id, Lines& out) {
    SQLite::Statement listings(
        db,
        "SELECT name, dn, closed, unseen_seq IS NOT NULL AS unseen, coalesce((SELECT server FROM reading "
        "WHERE "
        "began_seq = read_seq AND reading.directory_id = directory.id LIMIT 1), (SELECT server FROM reading "
        "WHERE reading.directory_id = directory.id AND good = 1 ORDER BY ended DESC LIMIT 1), '') AS server, "
        "max(coalesce((SELECT ended FROM reading WHERE reading.directory_id = directory.id AND good = 1 "
        "ORDER "
        "BY ended DESC LIMIT 1), 0), coalesce((SELECT max(at) FROM position WHERE position.directory_id = "
        "directory.id), 0)) AS read "
        "FROM listing CROSS JOIN object ON object.id = object_id CROSS JOIN directory ON directory.id = "
        "directory_id WHERE address_id = ? ORDER BY dn");
    listings.bind(1, id);
    while (listings.executeStep()) {
        const bool closed = listings.getColumn("closed").getInt() != 0;
        const bool unseen = listings.getColumn("unseen").getInt() != 0;
        const std::string server = text(listings, "server");
        out.push_back(
            {"listing",
             fmt::format("listed in directory {} by {}{}{}{}; last read", text(listings, "name"),
                         text(listings, "dn"), server.empty() ? "" : ", as " + server + " showed it",
                         closed ? ", which refuses outside senders" : "",
                         unseen ? ", which readings do not find any more (deleted, moved, or hidden from us, "
                                  "or its addresses are)"
                                : ""),
             time(listings, "read"),
             {{"directory", text(listings, "name")},
              {"dn", text(listings, "dn")},
              {"server", server},
              {"closed", closed ? "yes" : "no"},
              {"unseen", unseen ? "yes" : "no"}}});
    }
}

void add_adoption(SQLite::Database& db, AddressId id, Lines& out) {
    SQLite::Statement adopted(db,
                              "SELECT (SELECT max(at) FROM event WHERE address_id = address.id AND seq = "
                              "adopted_seq) AS at FROM address WHERE id = ? AND adopted_seq IS NOT NULL");
    adopted.bind(1, id);
    if (adopted.executeStep())
        out.push_back({"adopted",
                       "taken over from the published tables, which a state that was lost had written; "
                       "nobody has proved "
                       "it since",
                       time(adopted, "at"),
                       {}});
}

void add_callouts(SQLite::Database& db, AddressId id, Lines& out) {
    SQLite::Statement callouts(db,
                               "SELECT class, target, reply, controls, at FROM callout WHERE address_id = ? "
                               "ORDER BY began_seq DESC, id DESC");
    callouts.bind(1, id);
    while (callouts.executeStep()) {
        const std::string reply = text(callouts, "reply");
        const std::string controls = text(callouts, "controls");
        out.push_back(
            {"callout",
             fmt::format("callout to {}: {}{}{}", text(callouts, "target"), text(callouts, "class"),
                         reply.empty() ? "" : " (" + reply + ")", controls.empty() ? "" : "; " + controls),
             time(callouts, "at"),
             {{"class", text(callouts, "class")},
              {"target", text(callouts, "target")},
              {"reply", reply},
              {"controls", controls}}});
    }
}

void add_misses(SQLite::Database& db, AddressId id, Lines& out) {
    SQLite::Statement misses(
        db,
        "SELECT count(*) AS misses, min(at) AS first, max(at) AS last, count(DISTINCT client) AS clients "
        "FROM miss WHERE address_id = ?");
    misses.bind(1, id);
    misses.executeStep();
    const std::int64_t count = misses.getColumn("misses").getInt64();
    if (count == 0) return;
    SQLite::Statement clients(db,
                              "SELECT client, max(at) AS last FROM miss WHERE address_id = ? GROUP BY client "
                              "ORDER BY last DESC LIMIT ?");
    clients.bind(1, id);
    clients.bind(2, kMostClients);
    std::string names;
    while (clients.executeStep()) names += (names.empty() ? "" : ", ") + text(clients, "client");
    const std::int64_t total = misses.getColumn("clients").getInt64();
    const std::string more = total > kMostClients ? fmt::format(" and {} more", total - kMostClients) : "";
    const auto first = time(misses, "first");
    out.push_back(
        {"misses",
         fmt::format("missed by Postfix: {} of these are kept, the first of {}; clients: {}{}; the last",
                     count, format_time(*first), names, more),
         time(misses, "last"),
         {{"count", std::to_string(count)},
          {"first", format_time(*first)},
          {"clients", names},
          {"clients_total", std::to_string(total)}}});
}

void add_deliveries(SQLite::Database& db, AddressId id, Lines& out) {
    SQLite::Statement delivery(db, "SELECT at, host FROM delivery WHERE address_id = ?");
    delivery.bind(1, id);
    if (delivery.executeStep())
        out.push_back({"delivery",
                       fmt::format("mail was delivered to {} (noted once an hour)", text(delivery, "host")),
                       time(delivery, "at"),
                       {{"host", text(delivery, "host")}}});
    SQLite::Statement bounce(db,
                             "SELECT first_at, last_at, count, host, reply FROM bounce WHERE address_id = ?");
    bounce.bind(1, id);
    if (!bounce.executeStep()) return;
    const auto first = time(bounce, "first_at");
    out.push_back({"bounce",
                   fmt::format("deliveries were refused {} times since {}; the last by {} ({})",
                               bounce.getColumn("count").getInt64(), format_time(*first),
                               text(bounce, "host"), text(bounce, "reply")),
                   time(bounce, "last_at"),
                   {{"count", text(bounce, "count")},
                    {"first", format_time(*first)},
                    {"host", text(bounce, "host")},
                    {"reply", text(bounce, "reply")}}});
}

void add_absence(SQLite::Database& db, AddressId id, Lines& out) {
    SQLite::Statement absence(db,
                              "SELECT first_at, last_at, server, control FROM absence WHERE address_id = ?");
    absence.bind(1, id);
    if (!absence.executeStep()) return;
    const auto first = time(absence, "first_at");
    out.push_back(
        {"absence",
         fmt::format(
             "not found in the directory since {}, where {} showed {} in the same look; the last time",
             format_time(*first), text(absence, "server"), text(absence, "control")),
         time(absence, "last_at"),
         {{"first", format_time(*first)},
          {"server", text(absence, "server")},
          {"control", text(absence, "control")}}});
}

void add_used(SQLite::Database& db, AddressId id, Lines& out) {
    SQLite::Statement used(db, "SELECT asked_at FROM address WHERE id = ? AND asked_at IS NOT NULL");
    used.bind(1, id);
    if (used.executeStep()) out.push_back({"used", "its rejection was last used", time(used, "asked_at")});
}

void add_hold(SQLite::Database& db, AddressId id, Lines& out) {
    SQLite::Statement hold(db, "SELECT number, cause, at FROM hold WHERE address_id = ? AND approved = 0");
    hold.bind(1, id);
    if (!hold.executeStep()) return;
    const bool gate = text(hold, "cause") == "gate";
    out.push_back({"hold",
                   fmt::format("its removal waits for `postcensus approve {}`: {}", text(hold, "number"),
                               gate ? "the gate held it, too many came at once"
                                    : "its object is not found any more, and nobody can be asked"),
                   time(hold, "at"),
                   {{"number", text(hold, "number")}, {"cause", text(hold, "cause")}}});
}

void add_next(SQLite::Database& db, const Pending& pending, census::Explanation& out) {
    if (pending.until)
        out.next.push_back(
            {"expires", "the answer ends by itself, and the next miss asks again", pending.until});
    SQLite::Statement question(db, "SELECT cause, due, attempts, step FROM question WHERE address_id = ?");
    question.bind(1, pending.id);
    if (question.executeStep()) {
        const std::string cause = text(question, "cause");
        const bool in_line = question.getColumn("step").getInt() > 0;
        out.next.push_back({"question",
                            fmt::format("it is asked about (cause: {}{}){}", cause,
                                        question.getColumn("attempts").getInt() > 0
                                            ? fmt::format(", after {} attempts without an answer",
                                                          question.getColumn("attempts").getInt())
                                            : "",
                                        in_line ? ": it stands in line since" : ""),
                            time(question, "due"),
                            {{"cause", cause}, {"attempts", text(question, "attempts")}}});
    } else if (out.answer == census::Answer::unsure) {
        out.next.push_back({"miss", "the next miss in the log asks about it", {}});
    }
    SQLite::Statement undecided(db, "SELECT 1 FROM undecided WHERE address_id = ?");
    undecided.bind(1, pending.id);
    if (undecided.executeStep())
        out.next.push_back({"decision", "new evidence came: `postcensus watch` decides anew at once", {}});
}

// What came with the first reading of a directory has no event of its own (store/arrivals.h), and nothing
// happened to it before.
void add_arrival(SQLite::Database& db, AddressId id, census::Explanation& out) {
    SQLite::Statement arrival(
        db,
        "SELECT accepted_seq, coalesce((SELECT from_answer FROM event WHERE address_id = address.id ORDER BY "
        "event.id LIMIT 1), answer) AS answer FROM address WHERE id = ? AND accepted_seq IS NOT NULL AND "
        "NOT EXISTS (SELECT 1 FROM event WHERE address_id = address.id AND seq = accepted_seq)");
    arrival.bind(1, id);
    if (!arrival.executeStep()) return;
    SQLite::Statement first(
        db,
        "SELECT name, server, ended FROM reading JOIN directory ON directory.id = directory_id WHERE seq = "
        ":seq AND began_seq <= :seq AND good = 1 ORDER BY began_seq DESC LIMIT 1");
    first.bind(":seq", arrival.getColumn("accepted_seq").getInt64());
    if (!first.executeStep()) return;
    const std::string to = text(arrival, "answer");
    const std::string cause =
        fmt::format("the first reading of directory {} at {}", text(first, "name"), text(first, "server"));
    out.history.push_back({"change",
                           fmt::format("unsure -> {}: {}", to, cause),
                           time(first, "ended"),
                           {{"from", "unsure"}, {"to", to}, {"cause", cause}}});
}

void add_history(SQLite::Database& db, AddressId id, census::Explanation& out) {
    SQLite::Statement events(db,
                             "SELECT at, from_answer, to_answer, reason, cause FROM event WHERE address_id = "
                             "? ORDER BY at DESC, id DESC LIMIT ?");
    events.bind(1, id);
    events.bind(2, static_cast<std::int64_t>(kMostHistory));
    while (events.executeStep()) {
        const std::string from = text(events, "from_answer");
        const std::string to = text(events, "to_answer");
        const std::string cause = text(events, "cause");
        if (from == to)
            out.history.push_back({"command", cause, time(events, "at"), {{"cause", cause}}});
        else
            out.history.push_back(
                {"change",
                 fmt::format("{} -> {} ({}): {}", from, to, text(events, "reason"), cause),
                 time(events, "at"),
                 {{"from", from}, {"to", to}, {"reason", text(events, "reason")}, {"cause", cause}}});
    }
    if (out.history.size() == kMostHistory) {
        SQLite::Statement total(db, "SELECT count(*) FROM event WHERE address_id = ?");
        total.bind(1, id);
        total.executeStep();
        out.history_more = total.getColumn(0).getInt64() - static_cast<std::int64_t>(kMostHistory);
    }
    add_arrival(db, id, out);
}

}  // namespace

census::Explanation load_explanation(SQLite::Database& db, const mail::Address& address, Time now) {
    census::Explanation out;
    out.address = address.external();
    const auto id = find_address(db, address);
    if (!id) return out;
    const auto pending = EvidenceReader(db).load(*id);
    if (!pending) return out;
    out.known = true;
    out.answer = pending->evidence.answered;
    out.reason = pending->reason;
    // A lease that is over is not an answer any more, whether or not somebody has said so yet.
    if (pending->until && *pending->until <= now) {
        out.answer = census::Answer::unsure;
        out.reason = census::Reason::lease_over;
    }
    // Of a closed one the acceptance tables say 250, to trusted clients; what strangers hear says `closed`.
    if (out.answer == census::Answer::reject) out.table = "unknown";
    if (out.answer == census::Answer::closed) out.table = "closed";
    if (out.answer == census::Answer::accept) {
        SQLite::Statement base(db,
                               "SELECT configured = 0 AND EXISTS (SELECT 1 FROM publication WHERE name = "
                               "'directory' AND accepted_seq <= seq) FROM address WHERE id = ?");
        base.bind(1, *id);
        base.executeStep();
        out.table = base.getColumn(0).getInt() != 0 ? "directory" : "learned";
    }
    if (pending->configured)
        out.evidence.push_back({"configured", "named by accept in the configuration", {}});
    add_listings(db, *id, out.evidence);
    add_adoption(db, *id, out.evidence);
    add_callouts(db, *id, out.evidence);
    add_absence(db, *id, out.evidence);
    add_misses(db, *id, out.evidence);
    add_deliveries(db, *id, out.evidence);
    add_used(db, *id, out.evidence);
    add_hold(db, *id, out.evidence);
    add_next(db, *pending, out);
    add_history(db, *id, out);
    return out;
}

Lines load_domain_evidence(SQLite::Database& db, const std::string& domain) {
    Lines out;
    SQLite::Statement counts(
        db,
        "SELECT answer, reason, addresses FROM census WHERE domain = ? AND addresses > 0 "
        "ORDER BY answer, reason");
    counts.bind(1, domain);
    while (counts.executeStep())
        out.push_back({"census",
                       fmt::format("{} addresses: {} ({})", counts.getColumn("addresses").getInt64(),
                                   text(counts, "answer"), text(counts, "reason")),
                       {},
                       {{"answer", text(counts, "answer")},
                        {"reason", text(counts, "reason")},
                        {"addresses", text(counts, "addresses")}}});
    SQLite::Statement accepts(db, "SELECT 1 FROM domain WHERE domain = ? AND accept_all = 1");
    accepts.bind(1, domain);
    if (accepts.executeStep())
        out.push_back({"accept-all", "its server accepts every recipient, so a callout proves nothing", {}});
    for (const census::BreakerLine& breaker : load_breakers(db)) {
        if (!breaker.domain.empty() && breaker.domain != domain) continue;
        out.push_back({"breaker",
                       fmt::format("callouts to {}{} are stopped: {}", breaker.target,
                                   breaker.domain.empty() ? "" : " for it", breaker.reason),
                       breaker.since,
                       {{"target", breaker.target}, {"reason", breaker.reason}}});
    }
    return out;
}

}  // namespace postcensus::store
