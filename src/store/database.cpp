// SPDX-License-Identifier: MIT
#include "store/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

#include "base/file.h"
#include "base/unique_fd.h"
#include "store/upgrade.h"

namespace postcensus::store {
namespace {

// `reason`: what the system said, where SQLite keeps it (errno).
Failure describe(const std::filesystem::path& path, const SQLite::Exception& error, int reason) {
    const std::string state = "the state " + path.string();
    const int code = trouble_of(reason) == Trouble::no_room ? SQLITE_FULL : error.getErrorCode();
    switch (code) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {ExitCode::try_again, state + " is locked by another process; try again", error.what()};
        case SQLITE_FULL:
            return {ExitCode::cannot_write,
                    state + " cannot grow: the disk is full; the published tables stay as they are",
                    error.what(), Trouble::no_room};
        case SQLITE_READONLY:
        case SQLITE_PERM:
            return {ExitCode::cannot_write, state + " is not writable for this user", error.what()};
        case SQLITE_CANTOPEN:
            return {ExitCode::cannot_write,
                    "cannot open " + state + "; does its folder exist, and may this user write there?",
                    error.what()};
        case SQLITE_NOTADB:
            return {ExitCode::configuration,
                    path.string() +
                        " is not a Postcensus state (not a database); name another file in [general] state",
                    error.what()};
        case SQLITE_CORRUPT:
            return {
                ExitCode::configuration,
                state +
                    " is damaged; restore a copy, or move it away and sync again (published tables are kept)",
                error.what()};
        default:
            return {
                ExitCode::cannot_write,
                fmt::format("cannot use {}: {}{}", state, error.what(),
                            reason == 0 ? "" : fmt::format(" ({})", std::generic_category().message(reason))),
                {},
                trouble_of(reason)};
    }
}

// Before SQLite touches anything: it would leave files beside a state that is another's, and would not say
// why it cannot make one. An existing file is not opened here: closing it would drop the locks that this
// process has on it (fcntl(2)).
Result<void> check_writable(const std::filesystem::path& path, bool create) {
    if (path == ":memory:") return {};
    if (::access(path.c_str(), F_OK) != 0 && create) {
        const UniqueFd made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
        if (made || errno == EEXIST) return {};
    } else if (::access(path.c_str(), R_OK | W_OK) == 0) {
        return {};
    }
    const int reason = errno;
    std::string_view remedy = "it has to belong to the user that runs Postcensus, and so has its folder";
    if (reason == ENOSPC || reason == EDQUOT) remedy = "make room; the published tables stay as they are";
    if (reason == EROFS) remedy = "mount it writable; the published tables stay as they are";
    if (reason == ENOENT) remedy = "make its folder";
    return fail(ExitCode::cannot_write, fmt::format("cannot write the state {}: {}; {}", path.string(),
                                                    std::generic_category().message(reason), remedy));
}

struct Outgrown {
    Failure failure;
};

// SQLite counts its memory under a lock, for nobody here: a tenth of a large load. Before its first use.
void configure_once() {
    static const int configured = ::sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    static_cast<void>(configured);  // too late, where somebody else was first: slower, no more
}

}  // namespace

Result<Database> Database::open(const std::filesystem::path& path, Mode mode,
                                std::chrono::milliseconds patience, const Migrations& known) {
    configure_once();
    std::error_code ignored;
    if (mode != Mode::create && !std::filesystem::exists(path, ignored))
        return fail(
            ExitCode::configuration,
            fmt::format("there is no state {} yet; `postcensus sync` or `watch` makes it", path.string()));
    if (mode != Mode::read_only)
        if (auto writable = check_writable(path, mode == Mode::create); !writable)
            return fail(writable.error());
    try {
        int flags = SQLite::OPEN_READWRITE;
        if (mode == Mode::read_only) flags = SQLite::OPEN_READONLY;
        if (mode == Mode::create) flags |= SQLite::OPEN_CREATE;
        flags |= SQLITE_OPEN_NOMUTEX;  // one thread at a time uses a connection
        auto db =
            std::make_unique<SQLite::Database>(path.string(), flags, static_cast<int>(patience.count()));
        Database database(path, std::move(db), known);
        Result<void> migrated;
        const auto failure = database.guarded([&] {
            if (mode == Mode::create) database.db_->exec("PRAGMA journal_mode = WAL");
            // FULL: after a power loss the state must not lag behind the tables that were published from it.
            database.db_->exec(
                "PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY; "
                "PRAGMA cache_size = -16384");
            migrated = database.migrate(mode);
        });
        if (failure) return fail(*failure);
        if (!migrated) return fail(migrated.error());
        return database;
    } catch (const SQLite::Exception& error) {
        return fail(describe(path, error, 0));
    }
}

std::optional<Failure> Database::guarded(const std::function<void()>& body) {
    try {
        body();
        return std::nullopt;
    } catch (const SQLite::Exception& error) {
        return describe(path_, error, sqlite3_system_errno(db_->getHandle()));
    } catch (const Abort& abort) {
        return abort.failure;
    } catch (const Outgrown& outgrown) {
        if (tell_outgrown_) tell_outgrown_(outgrown.failure);
        return outgrown.failure;
    }
}

void Database::set_patience(std::chrono::milliseconds patience) {
    db_->setBusyTimeout(static_cast<int>(patience.count()));
}

Seq Database::next_seq() {
    SQLite::Statement bump(*db_, "UPDATE sequence SET seq = seq + 1 WHERE one = 1 RETURNING seq");
    bump.executeStep();
    const Seq seq = bump.getColumn(0).getInt64();
    bump.reset();
    return seq;
}

// With each transaction: another program may have brought the state to another schema since the last one.
// Reads the header, 1 µs.
void Database::check_schema() {
    const int version = db_->execAndGet("PRAGMA user_version").getInt();
    if (version > static_cast<int>(known_->size())) throw Outgrown{newer_state(path_, version, *known_)};
}

Result<void> Database::migrate(Mode mode) {
    const auto newest = static_cast<int>(known_->size());
    const int version = db_->execAndGet("PRAGMA user_version").getInt();
    if (version == newest) return {};
    if (version > newest) return fail(newer_state(path_, version, *known_));
    if (version == 0 && db_->execAndGet("SELECT count(*) FROM sqlite_master").getInt() != 0)
        return fail(
            ExitCode::configuration,
            fmt::format("{} is a database, but not of Postcensus; name another file in [general] state",
                        path_.string()));
    if (mode == Mode::read_only)
        return fail(ExitCode::try_again,
                    fmt::format("the state {} was made by an older Postcensus (schema {}); start `postcensus "
                                "watch`, or run `postcensus sync`, which bring it up to date",
                                path_.string(), version));
    return upgrade(*db_, path_, *known_);
}

Result<Seq> Database::current_seq() {
    return read(
        [](SQLite::Database& db) -> Seq { return db.execAndGet("SELECT seq FROM sequence").getInt64(); });
}

Result<std::string> Database::state_id() {
    return read([](SQLite::Database& db) {
        return db.execAndGet("SELECT value FROM meta WHERE key = 'state_id'").getString();
    });
}

}  // namespace postcensus::store
