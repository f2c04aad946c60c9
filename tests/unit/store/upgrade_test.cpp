// SPDX-License-Identifier: MIT
#include "store/upgrade.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "store/state.h"

using namespace postcensus;
using namespace postcensus::store;
using namespace std::chrono_literals;

namespace {

using Mode = Database::Mode;

constexpr std::string_view kNextMigration =
    "ALTER TABLE log_mark ADD COLUMN noticed TEXT NOT NULL DEFAULT 'no';"
    "UPDATE log_mark SET noticed = source;"
    "CREATE TABLE notice (text TEXT NOT NULL) STRICT;"
    "INSERT INTO notice (text) SELECT mark FROM log_mark;"
    "INSERT INTO meta (key, value) SELECT 'upgraded_at', CAST(seq AS TEXT) FROM sequence;";

const Migrations& next() {
    static const Migrations all = [] {
        Migrations list = migrations();
        list.push_back(kNextMigration);
        return list;
    }();
    return all;
}

const int kOld = static_cast<int>(migrations().size());

// A state of this schema, closed.
class OldState {
  public:
    explicit OldState(int marks = 3)
        : folder_(TempFolder::create(std::filesystem::temp_directory_path(), "postcensus-test-").value()) {
        auto state = open();
        REQUIRE(state->write([&](Writer& writer) {
            SQLite::Statement insert(writer.db, "INSERT INTO log_mark (source, mark) VALUES (?, ?)");
            for (int i = 0; i < marks; ++i) {
                insert.bind(1, "source" + std::to_string(i));
                insert.bind(2, std::string(200, 'x') + std::to_string(i));
                insert.exec();
                insert.reset();
            }
        }));
    }
    std::filesystem::path path() const { return folder_.path() / "state.db"; }
    std::filesystem::path copy() const { return copy_path(path(), kOld); }
    Result<Database> open(const Migrations& known = migrations(),
                          std::chrono::milliseconds patience = 0ms) const {
        return Database::open(path(), Mode::create, patience, known);
    }
    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
            if (const auto name = entry.path().filename().string(); name.starts_with("state.db.v"))
                names.push_back(name);
        std::sort(names.begin(), names.end());
        return names;
    }

  private:
    TempFolder folder_;
};

std::int64_t ask(const std::filesystem::path& path, const std::string& query) {
    SQLite::Database db(path.string(), SQLite::OPEN_READONLY, 1000);
    return db.execAndGet(query).getInt64();
}

std::int64_t version(const std::filesystem::path& path) {
    return ask(path, "PRAGMA user_version");
}

void check_whole(const std::filesystem::path& path, std::int64_t marks) {
    SQLite::Database db(path.string(), SQLite::OPEN_READONLY, 1000);
    CHECK(db.execAndGet("PRAGMA integrity_check").getString() == "ok");
    CHECK(db.execAndGet("SELECT count(*) FROM log_mark").getInt64() == marks);
    const bool upgraded = db.execAndGet("PRAGMA user_version").getInt() > kOld;
    const bool has_table = db.execAndGet("SELECT count(*) FROM sqlite_master WHERE name = 'notice'").getInt();
    CHECK(has_table == upgraded);
    if (has_table) CHECK(db.execAndGet("SELECT count(*) FROM notice").getInt64() == marks);
}

// Opens the state with the next schema in a process of its own, in which no file grows beyond so many bytes.
// Returns how that ended: an exit code, or a signal's number below zero.
int upgrade_limited(const OldState& state, rlim_t longest, bool killed) {
    const pid_t child = ::fork();
    if (child == 0) {
        std::signal(SIGXFSZ, killed ? SIG_DFL : SIG_IGN);
        const rlimit size{longest, longest};
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::setrlimit(RLIMIT_FSIZE, &size);
        auto opened = state.open(next());
        ::_exit(static_cast<int>(opened ? ExitCode::done : opened.error().code));
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("an older state is copied and brought up to date", "[store][upgrade]") {
    const OldState old;
    const std::string id = *old.open()->state_id();
    REQUIRE(::chmod(old.path().c_str(), 0600) == 0);
    {
        auto state = old.open(next());
        REQUIRE(state);
        CHECK(state->state_id() == id);
        CHECK(state->current_seq() == 1);
        CHECK(state->write([](Writer& writer) { return writer.seq; }) == 2);
    }
    CHECK(version(old.path()) == kOld + 1);
    check_whole(old.path(), 3);
    CHECK(version(old.copy()) == kOld);
    check_whole(old.copy(), 3);
    CHECK(old.files() == std::vector{old.copy().filename().string()});
    struct stat facts {};
    REQUIRE(::stat(old.copy().c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);

    // Once.
    const auto made = std::filesystem::last_write_time(old.copy());
    REQUIRE(old.open(next()));
    CHECK(std::filesystem::last_write_time(old.copy()) == made);

    // The way back.
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(old.path().string() + suffix);
    std::filesystem::copy_file(old.copy(), old.path());
    auto state = old.open();
    REQUIRE(state);
    CHECK(state->state_id() == id);
    CHECK(state->write([](Writer& writer) { return writer.seq; }) == 2);
}

TEST_CASE("a copy that was put back is brought up to date again", "[store][upgrade]") {
    const OldState old;
    REQUIRE(old.open(next()));
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(old.path().string() + suffix);
    std::filesystem::copy_file(old.copy(), old.path());
    // A copy has no WAL until somebody opens it to make one.
    auto state = Database::open(old.path(), Mode::existing, 0ms, next());
    REQUIRE(state);
    CHECK(state->write([](Writer& writer) { return writer.seq; }) == 2);
    check_whole(old.path(), 3);
    check_whole(old.copy(), 3);
}

TEST_CASE("only the newest whole copy is kept", "[store][upgrade]") {
    const OldState old;
    for (const char* name : {".v0", ".v1", ".v1.part", ".v17", ".vx", ".v0.part"})
        REQUIRE(write_file(old.path().string() + name, "cut off", 0640));
    REQUIRE(old.open(next()));
    // What is not ours stays.
    CHECK(old.files() == std::vector<std::string>{old.copy().filename().string(), "state.db.vx"});
    check_whole(old.copy(), 3);
}

TEST_CASE("a migration that fails leaves all as it was", "[store][upgrade]") {
    const OldState old;
    Migrations broken = next();
    broken.push_back("CREATE TABLE notice (text TEXT)");
    const auto failed = old.open(broken);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == ExitCode::cannot_write);
    CHECK(version(old.path()) == kOld);
    check_whole(old.path(), 3);
    CHECK(old.files().empty());
    REQUIRE(old.open());
}

TEST_CASE("an older program ends where the state has outgrown it", "[store][upgrade]") {
    const OldState old;
    auto before = old.open();
    REQUIRE(before);
    int told = 0;
    before->when_outgrown([&](const Failure& failure) {
        CHECK(failure.code == ExitCode::try_again);
        ++told;
    });
    REQUIRE(before->current_seq());
    REQUIRE(before->read([&](SQLite::Database& db) {
        CHECK(db.execAndGet("SELECT seq FROM sequence").getInt() == 1);
        REQUIRE(old.open(next()));
        // Whoever reads goes on with what there was.
        CHECK(db.execAndGet("SELECT count(*) FROM sqlite_master WHERE name = 'notice'").getInt() == 0);
    }));
    CHECK(told == 0);

    const auto read = before->current_seq();
    const auto written = before->write(
        [](Writer& writer) { writer.db.exec("INSERT INTO log_mark (source, mark) VALUES ('old', 'row')"); });
    REQUIRE_FALSE(read);
    REQUIRE_FALSE(written);
    for (const Failure& failure : {read.error(), written.error()}) {
        CHECK(failure.code == ExitCode::try_again);
        CHECK(failure.message.find("newer") != std::string::npos);
        CHECK(failure.message.find("restore " + old.copy().string()) != std::string::npos);
    }
    CHECK(told == 2);
    CHECK(ask(old.path(), "SELECT count(*) FROM log_mark") == 3);
    CHECK(ask(old.path(), "SELECT seq FROM sequence") == 1);

    for (const Mode mode : {Mode::create, Mode::existing, Mode::read_only}) {
        const auto refused = Database::open(old.path(), mode, 0ms);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == ExitCode::try_again);
        CHECK(refused.error().message.find("restore " + old.copy().string()) != std::string::npos);
    }
    std::filesystem::remove(old.copy());
    CHECK(old.open().error().message.find("restore a copy") != std::string::npos);
}

TEST_CASE("one at a time brings a state up to date", "[store][upgrade]") {
    const OldState old(200);
    auto before = old.open();
    REQUIRE(before);
    REQUIRE(before->write([&](Writer&) {
        const auto busy = old.open(next());
        REQUIRE_FALSE(busy);
        CHECK(busy.error().code == ExitCode::try_again);
        CHECK(busy.error().message.find("locked") != std::string::npos);
        CHECK(old.files().empty());
    }));

    // An old one writes while two new ones start at once.
    std::thread writer([&] {
        before->set_patience(10s);
        for (int i = 0; i < 50 && before->write([](Writer&) {}); ++i) continue;
    });
    std::vector<std::thread> starters;
    std::array<std::optional<Failure>, 2> failures;
    for (auto& failure : failures)
        starters.emplace_back([&] {
            const auto opened = old.open(next(), 10s);
            if (!opened) failure = opened.error();
        });
    for (std::thread& starter : starters) starter.join();
    writer.join();
    for (const auto& failure : failures) CHECK_FALSE(failure);
    CHECK_FALSE(before->write([](Writer&) {}));
    check_whole(old.path(), 200);
    check_whole(old.copy(), 200);
    // What was copied is what was changed, and the old one wrote nothing behind it.
    const auto at = ask(old.path(), "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'upgraded_at'");
    CHECK(ask(old.copy(), "SELECT seq FROM sequence") == at);
    CHECK(ask(old.path(), "SELECT seq FROM sequence") == at);
}

TEST_CASE("an upgrade that is broken off anywhere", "[store][upgrade]") {
    constexpr int kMarks = 1000;
    constexpr rlim_t kPage = 4096;
    std::map<bool, std::map<int, int>> ends;
    for (const bool killed : {false, true})
        for (rlim_t longest = 0; longest < 500 * kPage; longest += 13 * kPage + 700) {
            const OldState old(kMarks);
            const int end = upgrade_limited(old, longest, killed);
            INFO((killed ? "killed" : "refused") << " beyond " << longest << " bytes: " << end);
            ++ends[killed][end];
            if (!killed) CHECK((end == 0 || end == static_cast<int>(ExitCode::cannot_write)));
            check_whole(old.path(), kMarks);
            if (std::filesystem::exists(old.copy())) {
                CHECK(version(old.copy()) == kOld);
                check_whole(old.copy(), kMarks);
            }
            if (!killed && end != 0) CHECK(old.files().empty());
            REQUIRE(old.open(next()));
            CHECK(version(old.path()) == kOld + 1);
            check_whole(old.path(), kMarks);
            if (end != 0) CHECK(old.files() == std::vector{old.copy().filename().string()});
        }
    CHECK(ends[false][static_cast<int>(ExitCode::cannot_write)] > 5);
    CHECK(ends[false][0] > 1);
    CHECK(ends[true][-SIGXFSZ] > 5);
    CHECK(ends[true][0] > 1);
}
