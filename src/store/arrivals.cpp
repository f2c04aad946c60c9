// SPDX-License-Identifier: MIT
#include "store/arrivals.h"

#include <algorithm>

namespace postcensus::store {
namespace {

// How much is sorted at once: some 60 MB with all that belongs to it.
constexpr std::size_t kMostBytes = 32UL * 1024 * 1024;

constexpr const char* kListingsByObject = "listing_by_object";

}  // namespace

Arrivals::Arrivals(Writer& writer, ListedAnswer answer, std::function<void(AddressId)> known)
    : writer_(writer),
      answer_(std::move(answer)),
      known_(std::move(known)),
      no_addresses_(writer.db.execAndGet("SELECT NOT EXISTS (SELECT 1 FROM address)").getInt() != 0),
      book_(writer),
      accepted_(writer),
      find_(writer.db, "SELECT id FROM address WHERE domain = ? AND local = ?"),
      insert_(writer.db,
              "INSERT INTO address (local, domain, listed_seq, answer, reason, accepted_seq) "
              "VALUES (?, ?, ?, ?, ?, ?)"),
      list_(writer.db, "INSERT INTO listing (address_id, object_id, closed) VALUES (?, ?, ?)") {
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
    const std::size_t start = text_.size();
    text_.append(address.domain()).append(1, '\0').append(address.local());
    arrivals_.push_back({start, static_cast<std::uint16_t>(address.domain().size()),
                         static_cast<std::uint16_t>(text_.size() - start), closed, object});
    if (text_.size() >= kMostBytes) store();
}

std::int64_t Arrivals::finish() {
    store();
    if (!index_sql_.empty()) writer_.db.exec(index_sql_);
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
    no_addresses_ = false;
    text_ = {};
    arrivals_ = {};
}

void Arrivals::store_one(Run from, Run to) {
    const std::string_view whole = text(*from);
    if (const auto domain = whole.substr(0, from->domain_size); domain != domain_) {
        leave_domain();
        domain_ = domain;
    }
    const std::string local(whole.substr(from->domain_size + 1U));
    AddressId id = 0;
    if (!no_addresses_) {
        find_.bindNoCopy(1, domain_);
        find_.bindNoCopy(2, local);
        if (find_.executeStep()) id = find_.getColumn(0).getInt64();
        find_.reset();
    }
    if (id != 0) {
        known_(id);
    } else {
        store_new(local, from, to);
        id = writer_.db.getLastInsertRowid();
    }
    for (auto at = from; at != to; ++at) {
        list_.bind(1, id);
        list_.bind(2, at->object);
        list_.bind(3, at->closed ? 1 : 0);
        list_.exec();
        list_.reset();
    }
}

void Arrivals::store_new(const std::string& local, Run from, Run to) {
    const Answer& listed =
        answer(std::all_of(from, to, [](const Arrival& listing) { return listing.closed; }));
    insert_.bindNoCopy(1, local);
    insert_.bindNoCopy(2, domain_);
    insert_.bind(3, writer_.seq);
    insert_.bindNoCopy(4, listed.answer);
    insert_.bindNoCopy(5, listed.reason);
    if (listed.accepted)
        insert_.bind(6, writer_.seq);
    else
        insert_.bind(6);
    insert_.exec();
    insert_.reset();
    ++added_;
    if (listed.accepted) ++accepted_here_;
    if (!listed.decided) book_.mark_undecided(writer_.db.getLastInsertRowid(), AddressBook::Rank::other);
}

const Arrivals::Answer& Arrivals::answer(bool closed) {
    Answer& kept = answers_[closed ? 1 : 0];
    if (kept.known) return kept;
    const auto verdict = answer_ ? answer_(domain_, closed) : std::nullopt;
    const census::Verdict stored = verdict.value_or(census::Verdict{});
    kept = {true, verdict.has_value(), census::exists(stored.answer),
            std::string(census::name_of(stored.answer)), std::string(census::name_of(stored.reason))};
    return kept;
}

void Arrivals::leave_domain() {
    if (accepted_here_ > 0) accepted_.add(domain_, accepted_here_);
    accepted_here_ = 0;
    answers_ = {};
    domain_.clear();
}

}  // namespace postcensus::store
