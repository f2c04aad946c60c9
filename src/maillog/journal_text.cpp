// SPDX-License-Identifier: MIT
#include "maillog/journal_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace postcensus::maillog {
namespace {

// Four times what Postfix writes at most.
constexpr std::size_t kLongestValue = 8192;
constexpr std::size_t kLengthBytes = 8;
constexpr std::string_view kFieldIndent = "    ";

// "Mon 2026-11-30 10:16:14.123456 UTC [s=…": nothing else in such a text begins so.
bool begins_entry(std::string_view line) {
    return line.size() > 20 && line[3] == ' ' && line[8] == '-' && line[11] == '-' && line[14] == ' ' &&
           line.find(" [s=") != std::string_view::npos;
}

}  // namespace

JournalText::Form JournalText::form_of(std::string_view begin) {
    if (begin.starts_with("__CURSOR=")) return Form::exported;
    return begins_entry(begin.substr(0, begin.find('\n'))) ? Form::verbose : Form::none;
}

void JournalText::take_field(std::string_view name, std::string_view value) {
    if (value.size() > kLongestValue || value.find('\n') != std::string_view::npos) return;
    if (name == "__REALTIME_TIMESTAMP" && form_ == Form::exported) {
        std::uint64_t microseconds = 0;
        std::from_chars(value.data(), value.data() + value.size(), microseconds);
        time_ = fmt::format("{:010}.{:06}", microseconds / 1'000'000, microseconds % 1'000'000);
    }
    if (name == "_HOSTNAME") host_ = value;
    if (name == "SYSLOG_IDENTIFIER") tag_ = value;
    if (name == "_PID") process_ = value;
    if (name == "MESSAGE") message_ = value;
}

void JournalText::write(std::string& lines) {
    // A local program chooses its name; one that could be taken for more is none.
    if (!time_.empty() && !tag_.empty() && !message_.empty() &&
        tag_.find_first_of(" :[]") == std::string::npos)
        lines += fmt::format("{} {} {}[{}]: {}\n", time_, host_.empty() ? "localhost" : host_, tag_,
                             process_.empty() ? "0" : process_, message_);
    for (std::string* part : {&time_, &host_, &tag_, &process_, &message_}) part->clear();
}

// "NAME\n", the length of the value in eight bytes, the least first, the value, "\n".
bool JournalText::take_binary(std::string_view rest, std::size_t newline) {
    if (rest.size() < newline + 1 + kLengthBytes) return false;
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < kLengthBytes; ++i)
        size |= static_cast<std::uint64_t>(static_cast<unsigned char>(rest[newline + 1 + i])) << (8 * i);
    const std::size_t head = newline + 1 + kLengthBytes;
    if (size <= kLongestValue) {
        if (rest.size() < head + size + 1) return false;
        take_field(rest.substr(0, newline), rest.substr(head, size));
        at_ += head + size + 1;
    } else {
        skip_ = size;
        at_ += head;
    }
    return true;
}

bool JournalText::take_line(std::string& lines) {
    if (skip_ > 0) {
        const std::uint64_t skipped = std::min<std::uint64_t>(skip_, text_.size() - at_);
        at_ += static_cast<std::size_t>(skipped);
        skip_ -= skipped;
        overlong_ = true;  // up to the newline behind the value
        if (skip_ > 0) return false;
    }
    const std::string_view rest = std::string_view(text_).substr(at_);
    const std::size_t newline = rest.find('\n');
    if (newline == std::string_view::npos) {
        if (rest.size() > 2 * kLongestValue) {
            overlong_ = true;
            at_ = text_.size();
        }
        return false;
    }
    const std::string_view line = rest.substr(0, newline);
    const std::size_t equals = line.find('=');
    if (std::exchange(overlong_, false)) {
        // the end of what is passed over
    } else if (form_ == Form::exported) {
        if (!line.empty() && equals == std::string_view::npos) return take_binary(rest, newline);
        line.empty() ? write(lines) : take_field(line.substr(0, equals), line.substr(equals + 1));
    } else if (begins_entry(line)) {
        write(lines);
        time_ = line.substr(0, line.find(" [s="));
    } else if (line.starts_with(kFieldIndent) && equals != std::string_view::npos) {
        take_field(line.substr(kFieldIndent.size(), equals - kFieldIndent.size()), line.substr(equals + 1));
    }
    at_ += newline + 1;
    return true;
}

void JournalText::take(std::string_view text, std::string& lines) {
    text_ += text;
    while (take_line(lines)) {
    }
    text_.erase(0, at_);
    at_ = 0;
}

void JournalText::end(std::string& lines) {
    take("\n", lines);
    write(lines);
}

}  // namespace postcensus::maillog
