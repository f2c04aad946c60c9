// SPDX-License-Identifier: MIT
#include "store/database.h"

#include <stdexcept>

#include "store/migrations.h"
#include "store/state.h"

using namespace postcensus;
using namespace postcensus::store;
using namespace std::chrono_literals;

namespace {

using Mode = Database::Mode;

constexpr Mode kModes[]{Mode::create, Mode::existing, Mode::read_only};

TempFolder temp_folder() {
    return TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value();
}

ExitCode open_code(const std::filesystem::path& path, Mode mode) {
    const auto state = Database::open(path, mode, 0ms);
    if (!state) CHECK(state.error().message.find(path.string()) != std::string::npos);
    return state ? ExitCode::done : state.error().code;
}

void touch(Writer& writer) {
    writer.db.exec("INSERT INTO log_mark (source, mark) VALUES ('a', 'b')");
}

}  // namespace

TEST_CASE("a state is made once", "[store][database]") {
    const TempFolder folder = temp_folder();
    const auto path = folder.path() / "state.db";
    CHECK(open_code(path, Mode::existing) == ExitCode::configuration);
    CHECK(open_code(path, Mode::read_only) == ExitCode::configuration);
    CHECK_FALSE(std::filesystem::exists(path));

    std::string id;
    {
        auto state = Database::open(path, Mode::create, 0ms);
        REQUIRE(state);
        CHECK(state->current_seq() == 0);
        id = *state->state_id();
        CHECK(id.size() == 32);
        CHECK(id.find_first_not_of("0123456789abcdef") == std::string::npos);
        REQUIRE(state->write(touch));
    }
    for (const Mode mode : kModes) {
        auto state = Database::open(path, mode, 0ms);
        REQUIRE(state);
        CHECK(state->state_id() == id);
        CHECK(state->current_seq() == 1);
    }
    auto other = Database::open(folder.path() / "other.db", Mode::create, 0ms);
    REQUIRE(other);
    CHECK(other->state_id() != id);
    CHECK(open_code(folder.path() / "no" / "such" / "state.db", Mode::create) == ExitCode::cannot_write);
}

TEST_CASE("a state of a newer version is left alone", "[store][database]") {
    const TempFolder folder = temp_folder();
    const auto path = folder.path() / "state.db";
    REQUIRE(Database::open(path, Mode::create, 0ms));
    const auto newest = static_cast<int>(migrations().size());
    {
        SQLite::Database raw(path.string(), SQLite::OPEN_READWRITE);
        CHECK(raw.execAndGet("PRAGMA user_version").getInt() == newest);
        raw.exec("PRAGMA user_version = " + std::to_string(newest + 1));
    }
    for (const Mode mode : kModes) CHECK(open_code(path, mode) == ExitCode::try_again);
}

TEST_CASE("what is no state of ours is a mistake in the configuration", "[store][database]") {
    const TempFolder folder = temp_folder();
    const auto text = folder.path() / "text";
    REQUIRE(write_file(text, std::string(5000, 'x'), 0644));
    const auto foreign = folder.path() / "foreign.db";
    {
        SQLite::Database raw(foreign.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        raw.exec("CREATE TABLE users (name TEXT)");
    }
    for (const Mode mode : kModes) {
        CHECK(open_code(text, mode) == ExitCode::configuration);
        CHECK(open_code(foreign, mode) == ExitCode::configuration);
    }
    CHECK(read_file(text, 10'000) == std::string(5000, 'x'));
    SQLite::Database raw(foreign.string(), SQLite::OPEN_READONLY);
    CHECK(raw.execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 1);
}

TEST_CASE("a state that another one writes is to be tried again", "[store][database]") {
    TestState state;
    auto other = Database::open(state.path(), Mode::existing, 0ms);
    REQUIRE(other);
    state.write([&](Writer& writer) {
        touch(writer);
        const auto refused = other->write(touch);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == ExitCode::try_again);
        CHECK(refused.error().message.find(state.path().string()) != std::string::npos);
        // Readers go on, and see what was there before.
        CHECK(other->current_seq() == 0);
    });
    CHECK(other->current_seq() == 1);
    CHECK(other->write([](Writer& writer) { return writer.seq; }) == 2);
}

TEST_CASE("a reader cannot write", "[store][database]") {
    TestState state;
    state.write(touch);
    auto reader = Database::open(state.path(), Mode::read_only, 0ms);
    REQUIRE(reader);
    CHECK(reader->current_seq() == 1);
    const auto refused = reader->write(touch);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ExitCode::cannot_write);
    // It sees what is written later.
    state.write([](Writer&) {});
    CHECK(reader->current_seq() == 2);
}

TEST_CASE("each write takes the next seq, and a failed one takes none", "[store][database]") {
    TestState state;
    for (Seq seq = 1; seq <= 3; ++seq) {
        CHECK(state.write([](Writer& writer) { return writer.seq; }) == seq);
        CHECK(state.database().current_seq() == seq);
    }
    const auto failed = state.database().write([](Writer& writer) {
        touch(writer);
        touch(writer);  // the second one breaks the primary key
    });
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == ExitCode::cannot_write);
    CHECK(state.count("SELECT count(*) FROM log_mark") == 0);
    CHECK(state.database().current_seq() == 3);

    // A bug of ours is no Failure, and leaves nothing behind either.
    CHECK_THROWS_AS(state.database().write([](Writer& writer) {
        touch(writer);
        throw std::logic_error("test");
    }),
                    std::logic_error);
    CHECK(state.count("SELECT count(*) FROM log_mark") == 0);
    CHECK(state.write([](Writer& writer) { return writer.seq; }) == 4);
}

TEST_CASE("what is settled is remembered", "[store][database]") {
    TestState state;
    const auto settled = [&] { return state.read([](SQLite::Database& db) { return settled_seq(db); }); };
    CHECK(settled() == 0);
    for (const Seq seq : {5, 12}) {
        state.write([&](Writer& writer) { set_settled(writer, seq); });
        CHECK(settled() == seq);
    }
}
