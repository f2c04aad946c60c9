// SPDX-License-Identifier: MIT
#include "mail/smtp_reply.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace postcensus::mail {
namespace {

// EHLO answers have some twenty lines; a hundred is nobody's good faith.
constexpr std::size_t kMostLines = 100;

std::optional<int> take_number(std::string_view& text) {
    int number = 0;
    const auto [rest, error] =
        std::from_chars(text.data(), text.data() + std::min<std::size_t>(text.size(), 3), number);
    if (error != std::errc{} || number < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    return number;
}

}  // namespace

std::string EnhancedCode::text() const {
    return fmt::format("{}.{}.{}", klass, subject, detail);
}

std::string SmtpReply::text() const {
    std::string out = fmt::format("{}", code);
    for (const std::string& line : lines) {
        std::string_view words = line;
        // Each line of a long reply repeats the enhanced code; once is enough to read.
        if (enhanced && &line != &lines.front() && words.starts_with(enhanced->text() + " "))
            words.remove_prefix(enhanced->text().size() + 1);
        out += ' ';
        out += words;
    }
    return out;
}

std::optional<EnhancedCode> parse_enhanced(int code, std::string_view text) {
    const auto klass = take_number(text);
    if (!klass || *klass != code / 100 || !text.starts_with('.')) return std::nullopt;
    text.remove_prefix(1);
    const auto subject = take_number(text);
    if (!subject || !text.starts_with('.')) return std::nullopt;
    text.remove_prefix(1);
    const auto detail = take_number(text);
    if (!detail || (!text.empty() && text.front() != ' ')) return std::nullopt;
    return EnhancedCode{*klass, *subject, *detail};
}

ReplyReader::State ReplyReader::feed(std::string_view line) {
    std::string_view rest = line;
    const auto code = take_number(rest);
    if (!code || *code < 200 || *code > 599 || line.size() - rest.size() != 3) return State::malformed;
    if (!rest.empty() && rest.front() != ' ' && rest.front() != '-') return State::malformed;
    if (!reply_.lines.empty() && reply_.code != *code) return State::malformed;
    if (reply_.lines.size() == kMostLines) return State::malformed;
    const bool last = rest.empty() || rest.front() == ' ';
    if (!rest.empty()) rest.remove_prefix(1);
    reply_.code = *code;
    if (reply_.lines.empty()) reply_.enhanced = parse_enhanced(*code, rest);
    reply_.lines.emplace_back(rest);
    return last ? State::complete : State::more;
}

SmtpReply ReplyReader::take() {
    return std::exchange(reply_, SmtpReply{});
}

}  // namespace postcensus::mail
