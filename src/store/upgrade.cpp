// SPDX-License-Identifier: MIT
#include "store/upgrade.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/notify.h"
#include "base/unique_fd.h"

namespace postcensus::store {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// One step of SQLite's may take long (a large index is sorted, a gigabyte is synced): systemd waits so long
// from the last sign of life.
constexpr auto kLongestStep = 5min;
constexpr auto kSignOfLife = 1s;
constexpr int kOperations = 100'000;  // between two looks at the clock, some milliseconds
constexpr std::int64_t kReserve = 16 << 20;
constexpr auto kCopyPatience = 10'000;  // milliseconds, for a checkpoint that just runs

int version_of(SQLite::Database& db) {
    return db.execAndGet("PRAGMA user_version").getInt();
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
    return path.has_parent_path() ? path.parent_path() : ".";
}

// Tells systemd that a connection is at work, as long as it gets on.
class SignsOfLife {
  public:
    explicit SignsOfLife(SQLite::Database& db) : db_(db) {
        notify_slow(kLongestStep);
        ::sqlite3_progress_handler(db_.getHandle(), kOperations, &SignsOfLife::look, this);
    }
    SignsOfLife(const SignsOfLife&) = delete;
    SignsOfLife& operator=(const SignsOfLife&) = delete;
    ~SignsOfLife() { ::sqlite3_progress_handler(db_.getHandle(), 0, nullptr, nullptr); }

  private:
    static int look(void* self) {
        auto& last = static_cast<SignsOfLife*>(self)->last_;
        if (Clock::now() - last >= kSignOfLife) {
            last = Clock::now();
            notify_slow(kLongestStep);
        }
        return 0;  // go on
    }

    SQLite::Database& db_;
    Clock::time_point last_ = Clock::now();
};

// A file that goes with this object, unless it is kept.
class Aside {
  public:
    explicit Aside(std::filesystem::path path) : path_(std::move(path)) {}
    Aside(Aside&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    Aside& operator=(Aside&&) = delete;
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;
    ~Aside() {
        if (!path_.empty()) ::unlink(path_.c_str());
    }
    const std::filesystem::path& path() const { return path_; }
    void keep() { path_.clear(); }

  private:
    std::filesystem::path path_;
};

struct Copy {
    int version = 0;
    std::filesystem::path path;
    bool whole = true;  // not one that was broken off
};

// `state.db.vN` and `state.db.vN.part` beside the state.
std::vector<Copy> find_copies(const std::filesystem::path& path) {
    std::vector<Copy> copies;
    std::error_code ignored;
    const std::string prefix = path.filename().string() + ".v";
    for (const auto& entry : std::filesystem::directory_iterator(folder_of(path), ignored)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(prefix)) continue;
        Copy copy{0, entry.path()};
        const char* const end = name.data() + name.size();
        const auto [rest, bad] = std::from_chars(name.data() + prefix.size(), end, copy.version);
        const std::string_view behind(rest, end);
        copy.whole = behind.empty();
        if (bad == std::errc{} && (copy.whole || behind == ".part")) copies.push_back(std::move(copy));
    }
    return copies;
}

// For the copy, and for a migration that writes every page anew.
bool has_room(SQLite::Database& db, const std::filesystem::path& path) {
    const std::int64_t pages =
        db.execAndGet("PRAGMA page_count").getInt64() - db.execAndGet("PRAGMA freelist_count").getInt64();
    const std::int64_t wanted = 2 * pages * db.execAndGet("PRAGMA page_size").getInt64() + kReserve;
    struct statvfs disk {};
    if (::statvfs(folder_of(path).c_str(), &disk) != 0) return false;
    return static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize) >= wanted;
}

bool is_full(const SQLite::Exception& error, SQLite::Database& db) {
    const int reason = ::sqlite3_system_errno(db.getHandle());
    return error.getErrorCode() == SQLITE_FULL || reason == ENOSPC || reason == EDQUOT;
}

// An empty file of the state's mode and owner, into which SQLite writes. The state itself is not opened: to
// close it would drop the locks that this process has on it (fcntl(2)).
Result<void> make_empty(const std::filesystem::path& part, const std::filesystem::path& path) {
    struct stat facts {};
    ::unlink(part.c_str());
    const UniqueFd fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd || ::stat(path.c_str(), &facts) != 0)
        return fail_errno(ExitCode::cannot_write, "cannot make the copy", part, errno);
    // Another's state that we may write is not ours to give away: its copy is ours then.
    if (::fchown(fd.get(), facts.st_uid, facts.st_gid) == 0 || errno == EPERM)
        ::fchmod(fd.get(), facts.st_mode & 0777);
    return {};
}

Result<void> sync_file(const std::filesystem::path& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0)
        return fail_errno(ExitCode::cannot_write, "cannot sync the copy", path, errno);
    return {};
}

// Nothing where the disk has no room for it. Written aside: what is called state.db.vN is whole. Over a
// connection of its own, for VACUUM wants no transaction; the caller's transaction sees to it that what is
// copied is what it changes.
Result<std::optional<Aside>> copy_state(const std::filesystem::path& path, int version) {
    // Not read-only: SQLite 3.40 fails then at a table that has a generated column.
    SQLite::Database source(path.string(), SQLite::OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, kCopyPatience);
    if (!has_room(source, path)) return std::optional<Aside>{};
    const SignsOfLife signs(source);
    const std::filesystem::path copy = copy_path(path, version);
    Aside part(copy.string() + ".part");
    if (auto made = make_empty(part.path(), path); !made) return fail(made.error());
    try {
        SQLite::Statement vacuum(source, "VACUUM INTO ?");
        vacuum.bind(1, part.path().string());
        vacuum.exec();
    } catch (const SQLite::Exception& error) {
        if (is_full(error, source)) return std::optional<Aside>{};
        throw;
    }
    notify_slow(kLongestStep);
    if (auto synced = sync_file(part.path()); !synced) return fail(synced.error());
    if (auto renamed = rename_file(part.path(), copy); !renamed) return fail(renamed.error());
    part.keep();
    Aside whole(copy);
    if (auto synced = sync_folder(folder_of(path)); !synced) return fail(synced.error());
    return std::optional<Aside>(std::move(whole));
}

void apply(SQLite::Database& db, int from, const Migrations& known) {
    const SignsOfLife signs(db);
    for (auto next = static_cast<std::size_t>(from); next < known.size(); ++next) {
        db.exec(std::string(known[next]));
        db.exec(fmt::format("PRAGMA user_version = {}", next + 1));
        if (next == 0)
            db.exec("INSERT INTO meta (key, value) VALUES ('state_id', lower(hex(randomblob(16))))");
    }
}

}  // namespace

std::filesystem::path copy_path(const std::filesystem::path& path, int version) {
    return path.string() + fmt::format(".v{}", version);
}

Failure newer_state(const std::filesystem::path& path, int found, const Migrations& known) {
    const auto newest = static_cast<int>(known.size());
    std::optional<Copy> best;
    for (Copy& copy : find_copies(path))
        if (copy.whole && copy.version <= newest && (!best || copy.version > best->version))
            best = std::move(copy);
    // Where there was no room, it may be one from before an upgrade of long ago.
    struct stat facts {};
    std::string copy = "a copy from before the upgrade";
    if (best && ::stat(best->path.c_str(), &facts) == 0)
        copy = fmt::format("{}, which is of {}", best->path.string(),
                           format_time(from_unix_ms(facts.st_mtim.tv_sec * 1000)));
    return {ExitCode::try_again,
            fmt::format("the state {} was made by a newer Postcensus (schema {}, this one knows {}); install "
                        "that version again, or restore {}, as docs/operations.md says",
                        path.string(), found, newest, copy)};
}

Result<void> upgrade(SQLite::Database& db, const std::filesystem::path& path, const Migrations& known) {
    const auto newest = static_cast<int>(known.size());
    const auto begun = Clock::now();
    // This is the lock of the schema: nobody else writes, or brings it up to date, from before the copy until
    // all is done. In WAL mode that is all that EXCLUSIVE would do, too (readers keep what they see); in a
    // state that was restored without WAL, EXCLUSIVE would shut out the copy.
    SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
    const int version = version_of(db);  // another process may have done it while this one waited
    if (version > newest) return fail(newer_state(path, version, known));
    if (version == newest) return {};
    if (version == 0) {
        apply(db, 0, known);
        transaction.commit();
        return {};
    }

    spdlog::info("bringing the state {} from schema {} to {}", path.string(), version, newest);
    notify_status(fmt::format("bringing the state to schema {}: copying it to {}", newest,
                              copy_path(path, version).string()));
    for (const Copy& copy : find_copies(path))
        if (!copy.whole) ::unlink(copy.path.c_str());  // of a migration that was killed
    auto copy = copy_state(path, version);
    if (!copy) return fail(copy.error());
    // The state can be lost without anybody being refused or forgotten; a gateway that does not start because
    // of a copy would learn nothing at all.
    if (!*copy)
        spdlog::warn(
            "there is no room for a copy of the state {}: it is brought to schema {} without one, "
            "and there is no way back but a backup of your own",
            path.string(), newest);

    notify_status(fmt::format("bringing the state to schema {}", newest));
    apply(db, version, known);
    notify_slow(kLongestStep);
    transaction.commit();
    std::string way_back;
    if (*copy) {
        for (const Copy& old : find_copies(path))
            if (old.version != version) ::unlink(old.path.c_str());
        way_back = fmt::format("; as it was before, it is in {} (the way back: docs/operations.md)",
                               (*copy)->path().string());
        (*copy)->keep();
    }
    const auto took = std::chrono::duration<double>(Clock::now() - begun).count();
    spdlog::info("the state {} is at schema {} now, in {:.1f} s{}", path.string(), newest, took, way_back);
    return {};
}

}  // namespace postcensus::store
