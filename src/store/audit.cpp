// SPDX-License-Identifier: MIT
#include "store/audit.h"

#include <fmt/format.h>

#include <chrono>

#include "store/addresses.h"
#include "store/holds.h"
#include "store/publications.h"

namespace postcensus::store {
namespace {

using namespace std::chrono_literals;

constexpr int kMostLines = 50;  // of each list of a report
constexpr auto kWaitsTooLong = 1h;

std::int64_t number(SQLite::Statement& statement) {
    statement.executeStep();
    return statement.getColumn(0).getInt64();
}

census::DomainCounts count_domain(SQLite::Database& db, const std::string& domain, Time since, Time until) {
    census::DomainCounts counts{domain};
    SQLite::Statement answers(
        db,
        "SELECT count(*) FILTER (WHERE answer IN ('accept', 'closed')) AS accepted, "
        "count(*) FILTER (WHERE answer = 'closed') AS closed, count(*) FILTER (WHERE answer = 'reject') AS "
        "unknown, "
        "count(*) FILTER (WHERE answer IN ('accept', 'closed') AND reason IN ('proven', 'closed-callout')) "
        "AS learned, "
        "count(*) FILTER (WHERE EXISTS (SELECT 1 FROM listing WHERE address_id = address.id)) AS listed, "
        "count(*) FILTER (WHERE EXISTS (SELECT 1 FROM hold WHERE address_id = address.id AND approved = 0)) "
        "AS held "
        "FROM address WHERE domain = ?");
    answers.bind(1, domain);
    answers.executeStep();
    counts.accepted = answers.getColumn("accepted").getInt64();
    counts.closed = answers.getColumn("closed").getInt64();
    counts.unknown = answers.getColumn("unknown").getInt64();
    counts.learned = answers.getColumn("learned").getInt64();
    counts.listed = answers.getColumn("listed").getInt64();
    counts.held = answers.getColumn("held").getInt64();
    SQLite::Statement misses(db,
                             "SELECT count(*) AS misses, count(DISTINCT address_id) AS missed FROM miss JOIN "
                             "address ON address.id = address_id "
                             "WHERE miss.at >= ? AND miss.at < ? AND domain = ?");
    misses.bind(1, to_unix_ms(since));
    misses.bind(2, to_unix_ms(until));
    misses.bind(3, domain);
    misses.executeStep();
    counts.misses = misses.getColumn("misses").getInt64();
    counts.missed = misses.getColumn("missed").getInt64();
    return counts;
}

void load_waiting(SQLite::Database& db, census::Report& report, const std::string& domain) {
    SQLite::Statement waiting(
        db,
        "SELECT address, reason, min(miss.at) AS first, max(miss.at) AS last, count(*) AS misses, "
        "(SELECT class || ': ' || reply FROM callout WHERE callout.address_id = address.id ORDER BY "
        "began_seq DESC, id DESC LIMIT 1) "
        "AS last_callout "
        "FROM miss JOIN address ON address.id = miss.address_id "
        "WHERE miss.at >= :since AND miss.at < :until AND answer = 'unsure' AND (:domain = '' OR domain = "
        ":domain) "
        "GROUP BY address.id HAVING last - first >= :long ORDER BY misses DESC, address LIMIT :most");
    waiting.bind(":since", to_unix_ms(report.since));
    waiting.bind(":until", to_unix_ms(report.until));
    waiting.bind(":domain", domain);
    waiting.bind(":long", static_cast<std::int64_t>(Milliseconds(kWaitsTooLong).count()));
    waiting.bind(":most", kMostLines);
    while (waiting.executeStep())
        report.waiting.push_back(
            {waiting.getColumn("address").getString(), from_unix_ms(waiting.getColumn("first").getInt64()),
             from_unix_ms(waiting.getColumn("last").getInt64()), waiting.getColumn("misses").getInt64(),
             waiting.getColumn("reason").getString(), waiting.getColumn("last_callout").getString()});
}

void load_held(SQLite::Database& db, census::Report& report, const std::string& domain) {
    SQLite::Statement held(
        db,
        "SELECT number, address, directory, object, cause, at FROM hold JOIN address ON address.id = "
        "address_id WHERE approved = 0 AND (?1 = '' OR domain = ?1) ORDER BY number, address LIMIT ?2");
    held.bind(1, domain);
    held.bind(2, kMostLines);
    while (held.executeStep())
        report.held.push_back({held.getColumn("number").getInt64(), held.getColumn("address").getString(),
                               held.getColumn("directory").getString(), held.getColumn("object").getString(),
                               held.getColumn("cause").getString(),
                               from_unix_ms(held.getColumn("at").getInt64())});
    report.held_total = count_holds(db);
}

void load_unseen(SQLite::Database& db, census::Report& report, const std::string& domain) {
    SQLite::Statement unseen(
        db,
        "SELECT name, dn, min(address) AS address FROM object JOIN directory ON directory.id = directory_id "
        "JOIN listing ON object_id = object.id JOIN address ON address.id = address_id "
        "WHERE unseen_seq IS NOT NULL AND (?1 = '' OR domain = ?1) GROUP BY object.id ORDER BY name, dn");
    unseen.bind(1, domain);
    while (unseen.executeStep()) {
        ++report.unseen_total;
        if (report.unseen.size() < static_cast<std::size_t>(kMostLines))
            report.unseen.push_back({unseen.getColumn("name").getString(), unseen.getColumn("dn").getString(),
                                     unseen.getColumn("address").getString()});
    }
}

void load_readings(SQLite::Database& db, census::Report& report) {
    SQLite::Statement readings(
        db,
        "SELECT name, kind, server, outcome, began, ended, added, removed, good FROM reading "
        "JOIN directory ON directory.id = directory_id WHERE ended >= ? AND ended < ? ORDER BY ended DESC "
        "LIMIT ?");
    readings.bind(1, to_unix_ms(report.since));
    readings.bind(2, to_unix_ms(report.until));
    readings.bind(3, kMostLines);
    while (readings.executeStep())
        report.readings.push_back(
            {readings.getColumn("name").getString(), readings.getColumn("kind").getString(),
             readings.getColumn("server").getString(), readings.getColumn("outcome").getString(),
             from_unix_ms(readings.getColumn("began").getInt64()),
             from_unix_ms(readings.getColumn("ended").getInt64()), readings.getColumn("added").getInt64(),
             readings.getColumn("removed").getInt64(), readings.getColumn("good").getInt() != 0});
}

void load_changes(SQLite::Database& db, census::Report& report, const std::string& domain) {
    SQLite::Statement total(db,
                            "SELECT count(*) FROM event JOIN address ON address.id = address_id "
                            "WHERE from_answer <> to_answer AND event.at >= :since AND event.at < :until AND "
                            "(:domain = '' OR domain = :domain)");
    SQLite::Statement changes(
        db,
        "SELECT address, event.at AS at, from_answer, to_answer, event.reason AS reason, cause FROM event "
        "JOIN address ON address.id = address_id "
        "WHERE from_answer <> to_answer AND event.at >= :since AND event.at < :until AND (:domain = '' OR "
        "domain = :domain) ORDER BY event.at DESC, event.id DESC LIMIT 50");
    for (SQLite::Statement* statement : {&total, &changes}) {
        statement->bind(":since", to_unix_ms(report.since));
        statement->bind(":until", to_unix_ms(report.until));
        statement->bind(":domain", domain);
    }
    report.changes_total = number(total);
    while (changes.executeStep())
        report.changes.push_back(
            {changes.getColumn("address").getString(), from_unix_ms(changes.getColumn("at").getInt64()),
             changes.getColumn("from_answer").getString(), changes.getColumn("to_answer").getString(),
             changes.getColumn("reason").getString(), changes.getColumn("cause").getString()});
}

void load_commands(SQLite::Database& db, census::Report& report) {
    SQLite::Statement commands(db,
                               "SELECT name, user, words, at FROM command WHERE at >= ? AND at < ? ORDER BY "
                               "at DESC, id DESC LIMIT ?");
    commands.bind(1, to_unix_ms(report.since));
    commands.bind(2, to_unix_ms(report.until));
    commands.bind(3, kMostLines);
    while (commands.executeStep())
        report.commands.push_back(
            {commands.getColumn("name").getString(), commands.getColumn("user").getString(),
             commands.getColumn("words").getString(), from_unix_ms(commands.getColumn("at").getInt64())});
}

void explain_evidence(SQLite::Database& db, const Pending& pending, census::Explanation& out) {
    if (pending.configured) out.evidence.push_back({"named by accept in the configuration", {}});
    SQLite::Statement listings(
        db,
        "SELECT name, dn, closed, unseen_seq IS NOT NULL AS unseen, (SELECT max(ended) FROM reading WHERE "
        "directory_id = directory.id AND good = 1) AS read "
        "FROM listing JOIN object ON object.id = object_id JOIN directory ON directory.id = directory_id "
        "WHERE address_id = ? ORDER BY dn");
    listings.bind(1, pending.id);
    while (listings.executeStep())
        out.evidence.push_back(
            {fmt::format("listed in directory {} by {}{}{}; last read",
                         listings.getColumn("name").getString(), listings.getColumn("dn").getString(),
                         listings.getColumn("closed").getInt() != 0 ? ", which refuses outside senders" : "",
                         listings.getColumn("unseen").getInt() != 0
                             ? ", which readings do not find any more (deleted, moved, or hidden from us)"
                             : ""),
             from_unix_ms(listings.getColumn("read").getInt64())});
    SQLite::Statement callouts(db,
                               "SELECT class, target, reply, controls, at FROM callout WHERE address_id = ? "
                               "ORDER BY began_seq DESC, id DESC");
    callouts.bind(1, pending.id);
    while (callouts.executeStep()) {
        std::string text = fmt::format("callout to {}: {}", callouts.getColumn("target").getString(),
                                       callouts.getColumn("class").getString());
        if (const std::string reply = callouts.getColumn("reply").getString(); !reply.empty())
            text += fmt::format(" ({})", reply);
        if (const std::string controls = callouts.getColumn("controls").getString(); !controls.empty())
            text += "; " + controls;
        out.evidence.push_back({std::move(text), from_unix_ms(callouts.getColumn("at").getInt64())});
    }
    SQLite::Statement misses(db,
                             "SELECT count(*) AS misses, count(DISTINCT client) AS clients, max(at) AS last, "
                             "max(client) AS client FROM miss "
                             "WHERE address_id = ?");
    misses.bind(1, pending.id);
    misses.executeStep();
    if (const int count = misses.getColumn("misses").getInt(); count > 0)
        out.evidence.push_back(
            {fmt::format("missed by Postfix {} times ({} clients, one of them {}), the last time", count,
                         misses.getColumn("clients").getInt(), misses.getColumn("client").getString()),
             from_unix_ms(misses.getColumn("last").getInt64())});
    SQLite::Statement bounce(db, "SELECT count, host, reply, last_at FROM bounce WHERE address_id = ?");
    bounce.bind(1, pending.id);
    if (bounce.executeStep())
        out.evidence.push_back(
            {fmt::format("{} deliveries were refused, the last one by {} ({}); then",
                         bounce.getColumn("count").getInt(), bounce.getColumn("host").getString(),
                         bounce.getColumn("reply").getString()),
             from_unix_ms(bounce.getColumn("last_at").getInt64())});
    SQLite::Statement absence(db,
                              "SELECT first_at, last_at, server, control FROM absence WHERE address_id = ?");
    absence.bind(1, pending.id);
    if (absence.executeStep())
        out.evidence.push_back(
            {fmt::format(
                 "not found in the directory since {}, where {} showed {} in the same look; the last time",
                 format_time(from_unix_ms(absence.getColumn("first_at").getInt64())),
                 absence.getColumn("server").getString(), absence.getColumn("control").getString()),
             from_unix_ms(absence.getColumn("last_at").getInt64())});
    if (pending.hold && !pending.approved)
        out.evidence.push_back({pending.hold == HoldCause::gate
                                    ? "its removal is held by the gate; see `postcensus approve`"
                                    : "its object is not found any more, and nobody can be asked: see "
                                      "`postcensus approve`",
                                {}});
}

void explain_next(SQLite::Database& db, const Pending& pending, census::Explanation& out) {
    if (pending.until)
        out.next.push_back({"the answer ends by itself, and the next miss asks again", *pending.until});
    SQLite::Statement question(db, "SELECT cause, due FROM question WHERE address_id = ?");
    question.bind(1, pending.id);
    if (question.executeStep())
        out.next.push_back({fmt::format("a callout asks ({})", question.getColumn("cause").getString()),
                            from_unix_ms(question.getColumn("due").getInt64())});
}

}  // namespace

census::Report load_report(SQLite::Database& db, Time since, Time until, const std::string& domain,
                           Time now) {
    census::Report report{.since = since, .until = until};
    SQLite::Statement domains(
        db, "SELECT domain, accept_all FROM domain WHERE ?1 = '' OR domain = ?1 ORDER BY domain");
    domains.bind(1, domain);
    while (domains.executeStep()) {
        report.domains.push_back(count_domain(db, domains.getColumn("domain").getString(), since, until));
        report.domains.back().accept_all = domains.getColumn("accept_all").getInt() != 0;
    }
    SQLite::Statement elsewhere(
        db,
        "SELECT count(DISTINCT address_id) FROM listing JOIN address ON address.id = address_id "
        "WHERE domain NOT IN (SELECT domain FROM domain)");
    report.elsewhere = number(elsewhere);
    load_waiting(db, report, domain);
    load_held(db, report, domain);
    load_unseen(db, report, domain);
    load_readings(db, report);
    SQLite::Statement counters(
        db, "SELECT name, sum(value) AS value FROM counter WHERE hour BETWEEN ? AND ? GROUP BY name");
    counters.bind(1, to_unix_ms(since) / 3'600'000);
    counters.bind(2, to_unix_ms(std::min(until, now)) / 3'600'000);
    while (counters.executeStep())
        report.counters[counters.getColumn("name").getString()] = counters.getColumn("value").getInt64();
    load_changes(db, report, domain);
    load_commands(db, report);
    for (const auto& [table, publication] : load_publications(db))
        report.tables.push_back(
            {table, publication.generation, publication.entries, 0, publication.at, publication.until});
    return report;
}

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
    if (out.answer == census::Answer::reject) out.table = "unknown";
    if (census::exists(out.answer)) {
        SQLite::Statement base(db,
                               "SELECT EXISTS (SELECT 1 FROM address, publication WHERE address.id = ? AND "
                               "name = 'directory' AND accepted_seq <= seq)");
        base.bind(1, *id);
        out.table = number(base) != 0 ? "directory" : "learned";
    }
    explain_evidence(db, *pending, out);
    explain_next(db, *pending, out);
    SQLite::Statement events(db,
                             "SELECT at, from_answer, to_answer, reason, cause FROM event WHERE address_id = "
                             "? ORDER BY at DESC, id DESC LIMIT 20");
    events.bind(1, *id);
    while (events.executeStep())
        out.history.push_back(
            {events.getColumn("from_answer").getString() == events.getColumn("to_answer").getString()
                 ? events.getColumn("cause").getString()
                 : fmt::format("{} -> {} ({}): {}", events.getColumn("from_answer").getString(),
                               events.getColumn("to_answer").getString(),
                               events.getColumn("reason").getString(), events.getColumn("cause").getString()),
             from_unix_ms(events.getColumn("at").getInt64())});
    // What came with the first reading of a directory has no event of its own (store/arrivals.h).
    SQLite::Statement first(
        db,
        "SELECT name, ended FROM address JOIN reading ON reading.seq <= accepted_seq JOIN directory ON "
        "directory.id = directory_id WHERE address.id = ? AND good = 1 AND NOT EXISTS (SELECT 1 FROM event "
        "WHERE address_id = address.id) ORDER BY reading.seq DESC LIMIT 1");
    first.bind(1, *id);
    if (first.executeStep())
        out.history.push_back({fmt::format("unsure -> {}: with the first reading of directory {}",
                                           census::name_of(out.answer), first.getColumn("name").getString()),
                               from_unix_ms(first.getColumn("ended").getInt64())});
    return out;
}

}  // namespace postcensus::store
