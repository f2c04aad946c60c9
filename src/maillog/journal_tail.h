// SPDX-License-Identifier: MIT
// Reads Postfix's messages from the systemd journal, as lines with an RFC 3339 prefix, so that one parser
// reads all. Only those of smtpd, smtp and lmtp in a Postfix unit: what journald itself says of the sender
// (_SYSTEMD_UNIT, systemd.journal-fields(7)) counts, not the name that the sender gives itself.
//
// The mark is the journal's cursor. Where the journal does not have that place any more (vacuumed, a volatile
// journal after a restart, a clock that was set back) the batch says that lines may have been lost.
#pragma once

#include <memory>
#include <optional>

#include "base/clock.h"
#include "maillog/log_source.h"

struct sd_journal;

namespace postcensus::maillog {

class JournalTail : public LogSource {
  public:
    // `folder`: of journal files; empty: this system's journal. `mark`: where an earlier process stopped;
    // without one, reading starts at the end.
    static Result<std::unique_ptr<JournalTail>> open(const std::filesystem::path& folder,
                                                     const std::vector<std::string>& syslog_names,
                                                     std::optional<std::string> mark);

    // When the last message of Postfix came into this system's journal; nothing if there is none, or if it
    // cannot be read.
    static std::optional<Time> newest(const std::vector<std::string>& syslog_names);

    // Whether this system's journal has anything at all that this user can read.
    static bool is_written();

    Result<Batch> poll(std::size_t most_lines = 500) override;
    int watch_fd() const override;
    void clear() override;
    bool present() const override { return true; }

  private:
    struct Close {
        void operator()(sd_journal* journal) const;
    };
    JournalTail(std::unique_ptr<sd_journal, Close> journal, std::vector<std::string> syslog_names,
                std::optional<std::string> mark);
    static Result<std::unique_ptr<sd_journal, Close>> open_journal(const std::filesystem::path& folder);
    Result<void> start();
    Result<void> seek_end();
    Result<void> resume(const std::string& cursor);
    Result<std::optional<std::string>> line() const;
    std::optional<Time> time() const;

    std::unique_ptr<sd_journal, Close> journal_;
    std::vector<std::string> syslog_names_;
    std::string mark_;     // the last entry that a batch had; empty: none yet, and all is to be read
    bool resume_ = false;  // the mark is of an earlier process
    bool started_ = false;
    bool at_unread_ = false;  // the entry at hand has not been read
    std::string lost_;
};

}  // namespace postcensus::maillog
