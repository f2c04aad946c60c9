// SPDX-License-Identifier: MIT
#include "store/arrivals.h"

#include <algorithm>

namespace postcensus::store {
namespace {

// How much is sorted at once: some 50 MB with all that belongs to it.
constexpr std::size_t kMostBytes = 32UL * 1024 * 1024;

// Rows in one statement: half of what a row costs is to begin and end its statement.
constexpr std::size_t kTogether = 8;

constexpr const char* kListingsByObject = "listing_by_object";

}  // namespace

Arrivals::Arrivals(Writer& writer, ListedAnswer answer, std::function<void(AddressId)> known)
    : writer_(writer),
      answer_(std::move(answer)),
      known_(std::move(known)),
      no_addresses_(writer.db.execAndGet("SELECT NOT EXISTS (SELECT 1 FROM address)").getInt() != 0),
      book_(writer),
      census_(writer),
      find_(writer.db, "SELECT id FROM address WHERE domain = ? AND local = ?"),
      insert_(writer.db,
              "INSERT INTO address (id, local, domain, listed_seq, answer, reason, accepted_seq) "
              "VALUES (?3, ?4, ?1, ?2, ?5, ?6, ?7)"),
      insert_eight_(
          writer.db,
          "INSERT INTO address (id, local, domain, listed_seq, answer, reason, accepted_seq) VALUES "
          "(?3, ?4, ?1, ?2, ?5, ?6, ?7),"
          "(?8, ?9, ?1, ?2, ?10, ?11, ?12),"
          "(?13, ?14, ?1, ?2, ?15, ?16, ?17),"
          "(?18, ?19, ?1, ?2, ?20, ?21, ?22),"
          "(?23, ?24, ?1, ?2, ?25, ?26, ?27),"
          "(?28, ?29, ?1, ?2, ?30, ?31, ?32),"
          "(?33, ?34, ?1, ?2, ?35, ?36, ?37),"
          "(?38, ?39, ?1, ?2, ?40, ?41, ?42)"),
      list_(writer.db, "INSERT INTO listing (address_id, object_id, closed) VALUES (?, ?, ?)"),
      list_eight_(writer.db,
                  "INSERT INTO listing (address_id, object_id, closed) VALUES "
                  "(?, ?, ?), (?, ?, ?), (?, ?, ?), (?, ?, ?), (?, ?, ?), (?, ?, ?), (?, ?, ?), (?, ?, ?)") {
    last_id_ = writer.db.execAndGet("SELECT coalesce(max(id), 0) FROM address").getInt64();
    if (writer.db.execAndGet("SELECT EXISTS (SELECT 1 FROM listing)").getInt() != 0) return;
    // Built anew from what is there it costs a fraction of so many single entries out of order.
    SQLite::Statement sql(writer.db, "SELECT sql FROM sqlite_master WHERE name = ?");
    sql.bind(1, kListingsByObject);
    if (!sql.executeStep()) return;
    index_sql_ = sql.getColumn(0).getString();
    sql.reset();
    writer.db.exec(std::string("DROP INDEX ") + kListingsByObject);
}

void Arrivals::add(const mail::Address& address, std::int64_t object, bool closed) {
    if (arrivals_.empty()) text_.reserve(kMostBytes + mail::kLongestAddress);
    const std::size_t start = text_.size();
    text_.append(address.domain()).append(1, '\0').append(address.local());
    arrivals_.push_back({object, static_cast<std::uint32_t>(start),
                         static_cast<std::uint16_t>(text_.size() - start),
                         static_cast<std::uint8_t>(address.domain().size()), closed});
    if (text_.size() >= kMostBytes) store();
}

std::int64_t Arrivals::finish() {
    store();
    if (!index_sql_.empty()) writer_.db.exec(index_sql_);
    if (any_closed_) note_closed_change(writer_);
    return added_;
}

void Arrivals::store() {
    std::sort(arrivals_.begin(), arrivals_.end(), [this](const Arrival& a, const Arrival& b) {
        const int order = text(a).compare(text(b));
        return order != 0 ? order < 0 : a.object < b.object;
    });
    for (auto from = arrivals_.cbegin(); from != arrivals_.cend();) {
        const auto to = std::find_if(from, arrivals_.cend(),
                                     [&](const Arrival& other) { return text(other) != text(*from); });
        store_one(from, to);
        from = to;
    }
    leave_domain();
    store_listings();
    no_addresses_ = false;
    std::string().swap(text_);  // gives the memory back, as an assignment does not
    std::vector<Arrival>().swap(arrivals_);
}

void Arrivals::store_one(Run from, Run to) {
    const std::string_view whole = text(*from);
    if (const auto domain = whole.substr(0, from->domain_size); domain != domain_) {
        leave_domain();
        domain_ = domain;
    }
    std::string local(whole.substr(from->domain_size + 1U));
    AddressId id = 0;
    if (!no_addresses_) {
        find_.bindNoCopy(1, domain_);
        find_.bindNoCopy(2, local);
        if (find_.executeStep()) id = find_.getColumn(0).getInt64();
        find_.reset();
    }
    if (id != 0)
        known_(id);
    else
        id = add_new(std::move(local), from, to);
    for (auto at = from; at != to; ++at) {
        listings_.push_back({id, at->object, at->closed});
        if (listings_.size() == kTogether) store_listings();
    }
}

AddressId Arrivals::add_new(std::string local, Run from, Run to) {
    Answer& listed = answer(std::all_of(from, to, [](const Arrival& listing) { return listing.closed; }));
    const AddressId id = ++last_id_;
    ++added_;
    ++listed.addresses;
    any_closed_ = any_closed_ || listed.answer == "closed";
    if (!listed.decided) book_.mark_undecided(id, AddressBook::Rank::other);
    new_.push_back({id, std::move(local), &listed});
    if (new_.size() == kTogether) store_new();
    return id;
}

void Arrivals::store_new() {
    const auto bind = [this](SQLite::Statement& statement, int at, const New& one) {
        statement.bind(at, one.id);
        statement.bindNoCopy(at + 1, one.local);
        statement.bindNoCopy(at + 2, one.listed->answer);
        statement.bindNoCopy(at + 3, one.listed->reason);
        if (one.listed->accepted)
            statement.bind(at + 4, writer_.seq);
        else
            statement.bind(at + 4);
    };
    const auto run = [this](SQLite::Statement& statement) {
        statement.bindNoCopy(1, domain_);
        statement.bind(2, writer_.seq);
        statement.exec();
        statement.reset();
    };
    if (new_.size() == kTogether) {
        int at = 3;
        for (const New& one : new_) {
            bind(insert_eight_, at, one);
            at += 5;
        }
        run(insert_eight_);
    } else {
        for (const New& one : new_) {
            bind(insert_, 3, one);
            run(insert_);
        }
    }
    new_.clear();
}

void Arrivals::store_listings() {
    const auto bind = [](SQLite::Statement& statement, int at, const Listed& one) {
        statement.bind(at, one.address);
        statement.bind(at + 1, one.object);
        statement.bind(at + 2, one.closed ? 1 : 0);
    };
    if (listings_.size() == kTogether) {
        int at = 1;
        for (const Listed& one : listings_) {
            bind(list_eight_, at, one);
            at += 3;
        }
        list_eight_.exec();
        list_eight_.reset();
    } else {
        for (const Listed& one : listings_) {
            bind(list_, 1, one);
            list_.exec();
            list_.reset();
        }
    }
    listings_.clear();
}

Arrivals::Answer& Arrivals::answer(bool closed) {
    Answer& kept = answers_[closed ? 1 : 0];
    if (kept.known) return kept;
    const auto verdict = answer_ ? answer_(writer_.db, domain_, closed) : std::nullopt;
    const census::Verdict stored = verdict.value_or(census::Verdict{});
    kept = {true,
            verdict.has_value(),
            census::exists(stored.answer),
            stored,
            std::string(census::name_of(stored.answer)),
            std::string(census::name_of(stored.reason))};
    return kept;
}

void Arrivals::leave_domain() {
    store_new();
    for (const Answer& one : answers_)
        if (one.addresses > 0) census_.add(domain_, one.verdict.answer, one.verdict.reason, one.addresses);
    answers_ = {};
    domain_.clear();
}

}  // namespace postcensus::store
