// SPDX-License-Identifier: MIT
// The state: one SQLite file in WAL mode. A Database is one connection and belongs to one thread at a time.
//
// read() and write() run a function inside a transaction. What SQLite reports (busy, full, read-only,
// corrupt) becomes a Failure, and the transaction is undone; the functions of this folder that take a
// connection may throw SQLite::Exception only inside them. Each write transaction takes the next seq: it
// begins IMMEDIATE, because a reader that turns into a writer fails at once.
//
// Opening brings an older state up to date (upgrade.h). A newer one is refused with ExitCode::try_again; so
// is each transaction once another program has brought the state to a schema that this one does not know.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/failure.h"
#include "census/evidence.h"
#include "store/migrations.h"

namespace postcensus::store {

using census::Seq;

struct Settings {
    std::filesystem::path path;
};

// A connection inside a write transaction.
struct Writer {
    SQLite::Database& db;
    Seq seq;  // of this transaction
};

// Thrown inside write() or read(): undoes the transaction, and becomes its Failure.
struct Abort {
    Failure failure;
};

class Database {
  public:
    enum class Mode { create, existing, read_only };

    // `patience`: how long to wait for another process's write transaction (0: the caller tries again by
    // itself). `known`: the schema of this program; tests have others.
    static Result<Database> open(const std::filesystem::path& path, Mode mode,
                                 std::chrono::milliseconds patience, const Migrations& known = migrations());

    void set_patience(std::chrono::milliseconds patience);

    // Called, on the thread that uses this connection, when a transaction finds that the state has outgrown
    // this program: to try again would be in vain.
    void when_outgrown(std::function<void(const Failure&)> tell) { tell_outgrown_ = std::move(tell); }

    template <typename Body>
    auto read(Body&& body) -> Result<std::invoke_result_t<Body, SQLite::Database&>> {
        using Value = std::invoke_result_t<Body, SQLite::Database&>;
        std::optional<Result<Value>> result;
        const auto failure = guarded([&] {
            SQLite::Transaction transaction(*db_);
            check_schema();
            if constexpr (std::is_void_v<Value>) {
                body(*db_);
                result.emplace();
            } else {
                result.emplace(body(*db_));
            }
        });
        if (failure) return fail(*failure);
        return std::move(*result);
    }

    template <typename Body>
    auto write(Body&& body) -> Result<std::invoke_result_t<Body, Writer&>> {
        using Value = std::invoke_result_t<Body, Writer&>;
        std::optional<Result<Value>> result;
        const auto failure = guarded([&] {
            SQLite::Transaction transaction(*db_, SQLite::TransactionBehavior::IMMEDIATE);
            check_schema();
            Writer writer{*db_, next_seq()};
            if constexpr (std::is_void_v<Value>) {
                body(writer);
                result.emplace();
            } else {
                result.emplace(body(writer));
            }
            transaction.commit();
        });
        if (failure) return fail(*failure);
        return std::move(*result);
    }

    // The seq of the last committed write.
    Result<Seq> current_seq();

    // Sixteen random bytes in hex, made with the state: a table says by them which state it came from.
    Result<std::string> state_id();

    const std::filesystem::path& path() const { return path_; }

  private:
    Database(std::filesystem::path path, std::unique_ptr<SQLite::Database> db, const Migrations& known)
        : path_(std::move(path)), known_(&known), db_(std::move(db)) {}
    std::optional<Failure> guarded(const std::function<void()>& body);
    Seq next_seq();
    void check_schema();
    Result<void> migrate(Mode mode);

    std::filesystem::path path_;
    const Migrations* known_;
    std::unique_ptr<SQLite::Database> db_;
    std::function<void(const Failure&)> tell_outgrown_;
};

}  // namespace postcensus::store
