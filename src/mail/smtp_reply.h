// SPDX-License-Identifier: MIT
// One reply of an SMTP server (RFC 5321, 4.2), with its enhanced status code (RFC 3463) if it has one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postcensus::mail {

struct EnhancedCode {
    int klass = 0;
    int subject = 0;
    int detail = 0;
    bool operator==(const EnhancedCode&) const = default;
    std::string text() const;
};

struct SmtpReply {
    int code = 0;
    std::optional<EnhancedCode> enhanced;
    std::vector<std::string>
        lines;  // the text behind the code, line by line, untrusted; the enhanced code stays in it

    bool positive() const { return code >= 200 && code < 300; }
    bool transient() const { return code >= 400 && code < 500; }
    bool permanent() const { return code >= 500 && code < 600; }

    // All lines in one, as Postfix logs them: "550 5.1.1 User unknown". Untrusted.
    std::string text() const;
};

// The enhanced code at the start of a reply's text: "5.1.1 User unknown". Its class must be that of the
// reply.
std::optional<EnhancedCode> parse_enhanced(int code, std::string_view text);

// Puts a reply together from its lines. Bounded: a reply of more lines than a server sends in good faith, or
// one that is no SMTP at all, is malformed.
class ReplyReader {
  public:
    enum class State { more, complete, malformed };

    // `line` without its line end.
    State feed(std::string_view line);

    // The reply that is complete; the reader is empty afterwards.
    SmtpReply take();

  private:
    SmtpReply reply_;
};

}  // namespace postcensus::mail
