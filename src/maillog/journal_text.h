// SPDX-License-Identifier: MIT
// Makes lines of what journalctl(1) -o export and -o verbose write, where an entry of the journal is many
// lines: one line for each, with its time, host, program and message. Pure. Memory is bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace postcensus::maillog {

class JournalText {
  public:
    enum class Form { none, exported, verbose };
    static Form form_of(std::string_view begin);  // at least kMarkBytes of the text, if it has so many
    static constexpr std::size_t kMarkBytes = 64;

    explicit JournalText(Form form) : form_(form) {}

    // Appends to `lines` what `text` completes.
    void take(std::string_view text, std::string& lines);
    // The last entry.
    void end(std::string& lines);

  private:
    bool take_line(std::string& lines);
    bool take_binary(std::string_view rest, std::size_t newline);
    void take_field(std::string_view name, std::string_view value);
    void write(std::string& lines);

    Form form_;
    std::string text_;        // not taken yet:
    std::size_t at_ = 0;      // from here on
    std::uint64_t skip_ = 0;  // bytes of a value that nobody needs
    bool overlong_ = false;   // inside of a line that is too long
    std::string time_, host_, tag_, process_, message_;
};

}  // namespace postcensus::maillog
