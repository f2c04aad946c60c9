// SPDX-License-Identifier: MIT
// Reads an old log once, from its beginning to its end, in blocks of whole lines: a file or standard input,
// packed or not (unpacker.h), or a journal that was exported (journal_text.h), of which an entry becomes a
// line. Blocks. Memory is bounded whatever the log holds. What is no text is a Failure, not an empty log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/failure.h"
#include "base/unique_fd.h"
#include "maillog/journal_text.h"
#include "maillog/unpacker.h"

namespace postcensus::maillog {

class OldLog {
  public:
    // "-" is standard input.
    static Result<OldLog> open(const std::filesystem::path& path);
    OldLog(OldLog&&) noexcept;
    OldLog& operator=(OldLog&&) noexcept;
    ~OldLog();

    // The next block of whole lines, good until the next call; a last line without newline is given one.
    // Empty at the end of the log. A Failure: what was given until then is all that could be read.
    Result<std::string_view> next();

    // Starts again at the beginning; false where that cannot be (a pipe).
    bool rewind();

    const std::string& name() const { return name_; }
    // Before this its lines were written; nothing if only the clock can tell (standard input).
    std::optional<Time> written() const { return written_; }
    std::uint64_t size() const { return size_; }          // in bytes, as it lies there; 0: not known
    std::uint64_t taken() const { return taken_; }        // of these
    std::uint64_t overlong() const { return overlong_; }  // lines that no Postfix wrote, left out

  private:
    struct Inflater;
    OldLog(std::string name, UniqueFd fd);
    Result<std::size_t> read_raw(char* into, std::size_t most);
    Result<std::size_t> read_begin(char* into, std::size_t most);
    Result<std::size_t> inflate(char* into, std::size_t most);
    Result<std::size_t> unpack(char* into, std::size_t most);
    Result<std::size_t> open_text(char* into, std::size_t most);
    Result<std::size_t> translate(char* into, std::size_t most);
    Result<std::size_t> fill(char* into, std::size_t most);

    std::string name_;
    UniqueFd fd_;
    std::optional<Time> written_;
    std::uint64_t size_ = 0, taken_ = 0, overlong_ = 0;
    std::unique_ptr<char[]> buffer_;  // NOLINT(cppcoreguidelines-avoid-c-arrays): not to be cleared each time
    std::size_t begin_ = 0, end_ = 0;  // what of the buffer no block has had
    bool first_ = true, ended_ = false, skipping_ = false;
    std::unique_ptr<Inflater> inflater_;  // of a log that gzip(1) made
    std::unique_ptr<Unpacker> unpacker_;  // of one that another program made
    std::unique_ptr<JournalText> journal_;
    std::string lines_;  // of the journal, not given yet
};

}  // namespace postcensus::maillog
