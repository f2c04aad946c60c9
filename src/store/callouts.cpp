// SPDX-License-Identifier: MIT
#include "store/callouts.h"

#include <algorithm>
#include <random>
#include <set>
#include <utility>

namespace postcensus::store {
namespace {

// A server that fails every other minute must not fill the state.
constexpr int kMostStops = 10'000;

// Of eight controls, the others listed.
constexpr std::size_t kProven = 3;

// Of a census of a million, whoever has a share worth mentioning is met. All of a smaller share can be
// counted.
constexpr int kTries = 500;

// Known-good addresses of one kind. Each is drawn for itself, and all are alike: neighbours in the alphabet
// may stand in the same half of a table that was cut, and what strangers ask for must not make a favourite.
class Urn {
  public:
    Urn(SQLite::Database& db, const std::string& domain, const char* reason)
        : ids_(1, std::max<std::int64_t>(
                      1, db.execAndGet("SELECT coalesce(max(id), 0) FROM address").getInt64())),
          any_(db,
               "SELECT id, address FROM address WHERE id = ?3 AND domain = ?1 AND reason = ?2 AND answer = "
               "'accept'"),
          size_(db, "SELECT count(*) FROM address WHERE domain = ?1 AND reason = ?2 AND answer = 'accept'"),
          from_(db,
                "SELECT id, address FROM address WHERE domain = ?1 AND reason = ?2 AND answer = 'accept' "
                "ORDER BY id LIMIT -1 OFFSET ?3"),
          last_(db,
                "SELECT class FROM callout WHERE address_id = ?1 AND class IN ('deliverable', 'unknown', "
                "'policy') AND began_seq >= (SELECT listed_seq FROM address WHERE id = ?1) "
                "ORDER BY began_seq DESC, id DESC LIMIT 1") {
        for (SQLite::Statement* statement : {&any_, &size_, &from_}) {
            statement->bind(1, domain);
            statement->bind(2, reason);
        }
    }

    // None: all are drawn.
    std::optional<mail::Address> draw() {
        for (; tries_ > 0; --tries_)
            if (auto one = next_of(any_, ids_(chance_))) return one;
        size_.reset();
        size_.executeStep();
        const std::int64_t size = size_.getColumn(0).getInt64();
        if (std::ssize(drawn_) >= size) return std::nullopt;
        auto one = next_of(from_, std::uniform_int_distribution<std::int64_t>(0, size - 1)(chance_));
        return one ? one : next_of(from_, 0);
    }

  private:
    // The first that was not drawn yet.
    std::optional<mail::Address> next_of(SQLite::Statement& statement, std::int64_t place) {
        statement.reset();
        statement.bind(3, place);
        while (statement.executeStep()) {
            mail::Address one = stored_address(statement.getColumn("address"));
            if (drawn_.insert(one).second && !is_refused(statement.getColumn("id").getInt64())) return one;
        }
        return std::nullopt;
    }
    // A server has refused it since it is listed: it is in question itself.
    bool is_refused(AddressId id) {
        last_.reset();
        last_.bind(1, id);
        return last_.executeStep() && last_.getColumn(0).getString() == "unknown";
    }

    std::random_device chance_;
    std::uniform_int_distribution<std::int64_t> ids_;
    SQLite::Statement any_;
    SQLite::Statement size_;
    SQLite::Statement from_;
    SQLite::Statement last_;
    std::set<mail::Address> drawn_;
    int tries_ = kTries;
};

}  // namespace

std::vector<mail::Address> known_good(SQLite::Database& db, const std::string& domain, std::size_t most) {
    Urn listed(db, domain, "listed");
    Urn proven(db, domain, "proven");
    std::vector<mail::Address> found;
    for (std::size_t turn = 0; found.size() < most; ++turn) {
        const bool proven_first = turn % 2 == 1 && turn < 2 * kProven;
        auto one = (proven_first ? proven : listed).draw();
        if (!one) one = (proven_first ? listed : proven).draw();
        if (!one) break;
        found.push_back(*std::move(one));
    }
    return found;
}

std::vector<mail::Address> draw_listed(SQLite::Database& db, const std::string& domain, std::size_t most) {
    Urn listed(db, domain, "listed");
    std::vector<mail::Address> found;
    while (found.size() < most) {
        auto one = listed.draw();
        if (!one) break;
        found.push_back(*std::move(one));
    }
    return found;
}

void record_callout(Writer& writer, AddressId id, const census::CalloutOutcome& outcome, Seq began, Time at) {
    const auto drop = [&](const char* sql) {
        SQLite::Statement statement(writer.db, sql);
        statement.bind(":id", id);
        if (statement.getBindParameterCount() > 1)
            statement.bind(":class", std::string(census::name_of(outcome.klass)));
        statement.exec();
    };
    // Of the callouts that said nothing, only the last is kept. Of the others what decide() needs: those that
    // began after the listings last changed, and of the newest run of one class its first and its last.
    if (!census::conclusive(outcome.klass)) {
        drop(
            "DELETE FROM callout WHERE address_id = :id AND class NOT IN ('deliverable', 'unknown', "
            "'policy')");
    } else {
        drop(
            "DELETE FROM callout WHERE address_id = :id AND began_seq < (SELECT listed_seq FROM address "
            "WHERE id = :id)");
        drop(
            "DELETE FROM callout WHERE id = "
            "(SELECT id FROM callout WHERE address_id = :id AND class IN ('deliverable', 'unknown', "
            "'policy') "
            "ORDER BY began_seq DESC, id DESC LIMIT 1) AND class = :class AND :class = "
            "(SELECT class FROM callout WHERE address_id = :id AND class IN ('deliverable', 'unknown', "
            "'policy') "
            "ORDER BY began_seq DESC, id DESC LIMIT 1 OFFSET 1)");
    }
    SQLite::Statement insert(writer.db,
                             "INSERT INTO callout (address_id, class, at, began_seq, target, reply, "
                             "controls) VALUES (?, ?, ?, ?, ?, ?, ?)");
    insert.bind(1, id);
    insert.bind(2, std::string(census::name_of(outcome.klass)));
    insert.bind(3, to_unix_ms(at));
    insert.bind(4, began);
    insert.bind(5, outcome.target);
    insert.bind(6, outcome.reply);
    insert.bind(7, outcome.controls);
    insert.exec();
    // Older than the newest run, only what it contradicts is kept.
    if (census::conclusive(outcome.klass))
        drop(
            "DELETE FROM callout WHERE address_id = :id AND class IN ('deliverable', 'unknown', 'policy') "
            "AND id < "
            "(SELECT max(id) FROM callout WHERE address_id = :id AND class IN ('deliverable', 'unknown', "
            "'policy') "
            "AND class <> :class)");
    if (census::conclusive(outcome.klass)) AddressBook(writer).mark_undecided(id, AddressBook::Rank::miss);
}

void set_breakers(Writer& writer, const std::vector<census::BreakerLine>& breakers, Time now) {
    using Key = std::pair<std::string, std::string>;
    std::set<Key> over;
    SQLite::Statement all(writer.db, "SELECT target, domain FROM breaker");
    while (all.executeStep()) over.emplace(all.getColumn(0).getString(), all.getColumn(1).getString());
    all.reset();
    for (const census::BreakerLine& one : breakers) over.erase(Key(one.target, one.domain));
    for (const char* sql :
         {"INSERT INTO stop (target, domain, since, ended, reason) SELECT target, domain, "
          "since, max(since, :now), reason FROM breaker WHERE target = :target AND domain = "
          ":domain",
          "DELETE FROM breaker WHERE target = :target AND domain = :domain"}) {
        SQLite::Statement end(writer.db, sql);
        if (end.getIndex(":now") > 0) end.bind(":now", to_unix_ms(now));
        for (const auto& [target, domain] : over) {
            end.reset();
            end.bind(":target", target);
            end.bind(":domain", domain);
            end.exec();
        }
    }
    if (!over.empty()) {
        SQLite::Statement old(writer.db, "DELETE FROM stop WHERE id <= (SELECT max(id) FROM stop) - ?");
        old.bind(1, kMostStops);
        old.exec();
    }
    SQLite::Statement set(
        writer.db,
        "INSERT INTO breaker (target, domain, since, reason) VALUES (?, ?, ?, ?) ON CONFLICT "
        "(target, domain) DO UPDATE SET reason = excluded.reason WHERE reason <> "
        "excluded.reason");
    for (const census::BreakerLine& one : breakers) {
        set.reset();
        set.bind(1, one.target);
        set.bind(2, one.domain);
        set.bind(3, to_unix_ms(now));
        set.bind(4, one.reason);
        set.exec();
    }
}

std::vector<census::BreakerLine> load_breakers(SQLite::Database& db) {
    std::vector<census::BreakerLine> all;
    SQLite::Statement rows(db, "SELECT target, domain, since, reason FROM breaker ORDER BY target, domain");
    while (rows.executeStep())
        all.push_back({rows.getColumn("target").getString(), rows.getColumn("domain").getString(),
                       from_unix_ms(rows.getColumn("since").getInt64()),
                       rows.getColumn("reason").getString()});
    return all;
}

census::Pace load_pace(SQLite::Database& db, const std::string& target) {
    census::Pace pace;
    SQLite::Statement find(db,
                           "SELECT most_refused, limit_at, limit_met, tarpit FROM target WHERE target = ?");
    find.bind(1, target);
    if (!find.executeStep()) return pace;
    pace.most_refused = find.getColumn("most_refused").getInt();
    if (const auto at = find.getColumn("limit_at"); !at.isNull()) pace.limit_at = at.getInt();
    if (const auto met = find.getColumn("limit_met"); !met.isNull())
        pace.limit_met = from_unix_ms(met.getInt64());
    pace.tarpit = Milliseconds(find.getColumn("tarpit").getInt64());
    return pace;
}

void save_pace(Writer& writer, const std::string& target, const census::Pace& pace) {
    SQLite::Statement save(
        writer.db,
        "INSERT OR REPLACE INTO target (target, most_refused, limit_at, limit_met, tarpit) VALUES (:target, "
        ":most, :at, :met, :tarpit)");
    save.bind(":target", target);
    save.bind(":most", pace.most_refused);
    if (pace.limit_at) save.bind(":at", *pace.limit_at);
    if (pace.limit_met) save.bind(":met", to_unix_ms(*pace.limit_met));
    save.bind(":tarpit", static_cast<std::int64_t>(pace.tarpit.count()));
    save.exec();
}

}  // namespace postcensus::store
