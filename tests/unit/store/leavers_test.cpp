// SPDX-License-Identifier: MIT
#include "store/leavers.h"

#include "store/state.h"

using namespace postcensus;
using namespace postcensus::store;
using namespace std::chrono_literals;
using census::CalloutClass;

namespace {

std::optional<bool> asked(const std::string& domain) {
    if (domain == "nobody-asks.example") return std::nullopt;
    return domain == "c.example";
}

// An object that lists two addresses, and is not found any more.
class Town {
  public:
    Town() {
        state.apply("corp", {{listing("1", {"a@c.example", "b@c.example", "a@nobody-asks.example"}),
                              listing("2", {"c@c.example"})},
                             {}});
        state.write([](Writer& writer) {
            const Reading reading{.directory = "corp", .kind = ReadingKind::sweep, .began_seq = writer.seq};
            ReadingWriter out(writer, reading);
            out.mark_unseen("1");
            out.finish();
        });
    }
    void refuse(const std::string& text, Time at, CalloutClass klass = CalloutClass::unknown) {
        state.write([&](Writer& writer) {
            const mail::Address one = address(text);
            record_callout(writer, *find_address(writer.db, one), {one, klass, "ex1:2525", "", ""},
                           writer.seq, at);
        });
    }
    // A full reading that does not find it either.
    void read_in_full() {
        state.write([](Writer& writer) {
            const Reading reading{.directory = "corp", .began_seq = writer.seq};
            ReadingWriter(writer, reading).finish();
        });
    }
    std::size_t leavers() {
        return state.read([](SQLite::Database& db) { return find_leavers(db, 15min, asked); }).size();
    }

    TestState state;
};

}  // namespace

TEST_CASE("who is not seen, and refused twice, has left at the next full reading", "[store][leavers]") {
    Town town;
    town.read_in_full();
    CHECK(town.leavers() == 0);  // nobody was asked
    for (const char* one : {"a@c.example", "b@c.example"}) {
        town.refuse(one, kNoon);
        town.refuse(one, kNoon + 15min);
    }
    CHECK(town.leavers() == 0);  // that reading was before
    town.read_in_full();
    const auto found = town.state.read([](SQLite::Database& db) { return find_leavers(db, 15min, asked); });
    REQUIRE(found.size() == 1);
    CHECK(found[0].directory == "corp");
    CHECK(found[0].dn == "cn=1");
    CHECK(found[0].addresses.size() == 3);
    town.state.write([&](Writer& writer) {
        const Reading reading{.directory = "corp", .kind = ReadingKind::dropped, .began_seq = writer.seq};
        ReadingWriter out(writer, reading);
        out.end(found[0].guid);
        out.finish();
        note_left(writer, found[0], kNoon);
    });
    CHECK(town.leavers() == 0);
    CHECK(town.state.pending("a@c.example").evidence.listings == 0);
    CHECK(town.state.pending("c@c.example").evidence.listings == 1);
    CHECK(town.state.count(
              "SELECT count(*) FROM event WHERE cause LIKE 'cn=1 has left the directory corp%'") == 3);
}

TEST_CASE("who was accepted once since has left when it is refused again, twice", "[store][leavers]") {
    Town town;
    for (const char* one : {"a@c.example", "b@c.example"}) {
        town.refuse(one, kNoon, CalloutClass::deliverable);
        town.refuse(one, kNoon + 1h);
        town.refuse(one, kNoon + 2h);
    }
    town.read_in_full();
    CHECK(town.leavers() == 1);
}

TEST_CASE("whoever may still be there has not left", "[store][leavers]") {
    Town town;
    const auto twice = [&](const char* one, Milliseconds apart, CalloutClass last = CalloutClass::unknown) {
        town.refuse(one, kNoon);
        town.refuse(one, kNoon + apart, last);
    };
    SECTION("refused once, or twice at once") {
        twice("a@c.example", 14min);
    }
    SECTION("accepted once since") {
        twice("a@c.example", 20min, CalloutClass::deliverable);
    }
    SECTION("there, and hiding its addresses") {
        twice("a@c.example", 20min);
        town.state.write(
            [](Writer& writer) { writer.db.exec("UPDATE object SET doubts = '' WHERE dn = 'cn=1'"); });
    }
    SECTION("listed where nobody can be asked: the operator is") {
        twice("a@c.example", 20min);
        town.state.write([](Writer& writer) {
            const AddressId id = AddressBook(writer).ensure(address("a@directory-alone.example"));
            writer.db.exec("INSERT INTO listing (address_id, object_id, closed) SELECT " +
                           std::to_string(id) + ", id, 0 FROM object WHERE dn = 'cn=1'");
        });
    }
    SECTION("closed to strangers") {
        twice("a@c.example", 20min, CalloutClass::policy);
    }
    twice("b@c.example", 20min);
    town.read_in_full();
    CHECK(town.leavers() == 0);
}
