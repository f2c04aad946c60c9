// SPDX-License-Identifier: MIT
// A state in a folder of its own, and short ways to fill it and to look into it.
#pragma once

#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "base/file.h"
#include "catch.h"
#include "store/addresses.h"
#include "store/callouts.h"
#include "store/database.h"
#include "store/history.h"
#include "store/publications.h"
#include "store/questions.h"
#include "store/readings.h"
#include "store/undecided.h"

namespace postcensus::store {

inline const Time kNoon = from_unix_ms(1'700'000'000'000);

inline mail::Address address(const std::string& text) {
    const auto parsed = mail::Address::from_internal(text);
    REQUIRE(parsed);
    return *parsed;
}

inline census::Listing listing(const std::string& guid, const std::vector<std::string>& addresses,
                               bool closed = false) {
    census::Listing out;
    out.guid = guid;
    out.dn = "cn=" + guid;
    out.closed = closed;
    for (const std::string& text : addresses) out.addresses.push_back(address(text));
    return out;
}

// What a reading found: objects that are new or different, and keys of those that are gone.
struct Difference {
    std::vector<census::Listing> changed;
    std::vector<std::string> gone;
};

class TestState {
  public:
    TestState()
        : folder_(TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value()),
          database_(Database::open(path(), Database::Mode::create, std::chrono::milliseconds{0}).value()) {}

    std::filesystem::path path() const { return folder_.path() / "state.db"; }
    Database& database() { return database_; }

    template <typename Body>
    auto write(Body&& body) {
        auto result = database_.write(std::forward<Body>(body));
        REQUIRE(result);
        if constexpr (!std::is_void_v<typename decltype(result)::value_type>) return *std::move(result);
    }
    template <typename Body>
    auto read(Body&& body) {
        auto result = database_.read(std::forward<Body>(body));
        if (!result) FAIL(result.error().message << " " << result.error().detail);
        return *std::move(result);
    }

    // A reading of this directory that found these changes, begun now.
    Applied apply(const std::string& directory, const Difference& difference, Time ended = kNoon) {
        const Seq began = write([](Writer& writer) { return begin_reading(writer); });
        return apply({.directory = directory,
                      .server = "ldaps://dc1",
                      .began = ended,
                      .ended = ended,
                      .began_seq = began},
                     difference);
    }
    Applied apply(const Reading& reading, const Difference& difference) {
        return write([&](Writer& writer) {
            ReadingWriter out(writer, reading);
            for (const std::string& guid : difference.gone) out.end(guid);
            for (const census::Listing& listing : difference.changed) out.put(listing);
            return out.finish();
        });
    }

    Seq miss(const std::string& text, Time at = kNoon) {
        return write([&](Writer& writer) {
            record_misses(writer, {{address(text), "192.0.2.1", at}}, at);
            return writer.seq;
        });
    }

    // A callout that began after all that is in the state now.
    void callout(const std::string& text, census::CalloutClass klass, Time at = kNoon) {
        const Seq began = *database_.current_seq();
        write([&](Writer& writer) {
            const AddressId id = AddressBook(writer).ensure(address(text));
            record_callout(writer, id,
                           {address(text), klass, "ex1:2525", "250 2.1.5 " + std::to_string(began), {}},
                           began, at);
        });
    }

    void settle(const std::string& text, census::Verdict verdict, Time now = kNoon) {
        write([&](Writer& writer) {
            const AddressId id = AddressBook(writer).ensure(address(text));
            AnswerWriter(writer, now).settle(*EvidenceReader(writer.db).load(id), verdict, "test");
        });
    }
    void accept(const std::string& text) {
        settle(text, {census::Answer::accept, census::Reason::listed, {}});
    }
    void drop(const std::string& text) {
        settle(text, {census::Answer::unsure, census::Reason::no_evidence, {}});
    }

    Pending pending(const std::string& text) {
        auto found = read([&](SQLite::Database& db) {
            const auto id = find_address(db, address(text));
            return id ? EvidenceReader(db).load(*id) : std::optional<Pending>{};
        });
        REQUIRE(found);
        return *std::move(found);
    }

    // Addresses that wait to be decided, in their order; those of a changed domain last.
    std::vector<std::string> undecided() {
        return read([](SQLite::Database& db) {
            std::vector<AddressId> ids = next_undecided(db, 10'000);
            for (const ChangedDomain& domain : changed_domains(db)) {
                std::string after;
                const auto its = next_of_domain(db, domain.domain, after, 10'000);
                ids.insert(ids.end(), its.begin(), its.end());
            }
            std::vector<std::string> texts;
            EvidenceReader reader(db);
            for (const AddressId id : ids) texts.push_back(reader.load(id)->address.text());
            return texts;
        });
    }
    void clear_undecided() {
        write([](Writer& writer) {
            writer.db.exec("DELETE FROM undecided");
            writer.db.exec("DELETE FROM undecided_domain");
        });
    }

    // As if the tables had just been put out.
    void publish() {
        write([](Writer& writer) {
            note_publication(writer, "directory", {.generation = 1, .seq = writer.seq, .at = kNoon});
        });
    }

    std::int64_t count(const std::string& query) {
        return read([&](SQLite::Database& db) { return db.execAndGet(query).getInt64(); });
    }

    // "cause attempts due-in-seconds" of its question, or nothing.
    std::string question(const std::string& text) {
        return read([&](SQLite::Database& db) {
            SQLite::Statement find(db,
                                   "SELECT cause, attempts, due FROM question JOIN address ON id = "
                                   "address_id WHERE address = ?");
            find.bind(1, text);
            if (!find.executeStep()) return std::string{};
            return find.getColumn(0).getString() + " " + find.getColumn(1).getString() + " " +
                   std::to_string((find.getColumn(2).getInt64() - to_unix_ms(kNoon)) / 1000);
        });
    }

  private:
    TempFolder folder_;
    Database database_;
};

}  // namespace postcensus::store
