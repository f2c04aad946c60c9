// SPDX-License-Identifier: MIT
// Why an answer is what it is, in words for the history. Inside Database::read() or write(); may throw
// SQLite::Exception.
#pragma once

#include <string>

#include "store/addresses.h"
#include "store/database.h"

namespace postcensus::store {

// What stands behind an answer, in words for its event: which reading of which directory's object, which
// callout with which reply, which command of an operator.
class CauseReader {
  public:
    explicit CauseReader(SQLite::Database& db);
    std::string describe(const Pending& pending, census::Reason reason);

  private:
    std::string describe_evidence(AddressId id, census::Reason reason);

    SQLite::Statement listing_;
    SQLite::Statement ended_;
    SQLite::Statement callout_;
    SQLite::Statement absence_;
    SQLite::Statement command_;
};

}  // namespace postcensus::store
