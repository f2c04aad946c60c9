// SPDX-License-Identifier: MIT
#include <array>
#include <cstddef>
#include <utility>

#include "base/printable.h"
#include "mail/log_fields.h"

namespace postcensus::mail {
namespace {

constexpr std::size_t kLongestReply = 512;  // RFC 5321, 4.5.3.1.5

// Of a delivery, where the recipient is said once: a ? may stand for a control character.
std::optional<Address> sole_recipient_of(std::string_view quoted) {
    return quoted.find('?') != std::string_view::npos ? std::nullopt : recipient_of(quoted);
}

// "host ex1.corp.example[192.0.2.10] said: 550 5.1.10 … (in reply to RCPT TO command))": what it said.
// Nothing for a refusal at another stage, and for what Postfix itself found wrong.
std::optional<std::string_view> refusal_in(std::string_view text) {
    constexpr std::string_view kSaid = " said: ";
    bool at_stage = false;
    for (const std::string_view stage :
         {" (in reply to RCPT TO command))", " (in reply to end of DATA command))"})
        if (text.ends_with(stage)) {
            text.remove_suffix(stage.size());
            at_stage = true;
            break;
        }
    if (!at_stage || !text.starts_with("host ")) return std::nullopt;
    const std::size_t said = text.find(kSaid);
    if (said == std::string_view::npos) return std::nullopt;
    return text.substr(said + kSaid.size());
}

// A set of bytes, looked up in a table: most of a delivery's line is made of these.
class ByteSet {
  public:
    constexpr explicit ByteSet(std::string_view others) {
        for (char byte = '0'; byte <= '9'; ++byte) has_[static_cast<unsigned char>(byte)] = true;
        for (char byte = 'a'; byte <= 'z'; ++byte) has_[static_cast<unsigned char>(byte)] = true;
        for (char byte = 'A'; byte <= 'Z'; ++byte) has_[static_cast<unsigned char>(byte)] = true;
        for (const char byte : others) has_[static_cast<unsigned char>(byte)] = true;
    }
    std::string_view take(Scanner& in) const {
        std::size_t size = 0;
        while (size < in.text.size() && has_[static_cast<unsigned char>(in.text[size])]) ++size;
        const std::string_view taken = in.text.substr(0, size);
        in.text.remove_prefix(size);
        return taken;
    }

  private:
    std::array<bool, 256> has_{};
};
constexpr ByteSet kHostBytes(".-_[]:/%");

// What stands between relay= and the text of the status: conn_use=, delay=, delays=, tls=, dsn=, and what a
// later Postfix adds. No stranger has a word in it, so the first status is Postfix's. Its word; or why there
// is none.
tl::expected<std::string_view, Dropped> take_status(Scanner& in) {
    const std::string_view text = in.text;
    for (std::size_t from = 0;;) {
        const std::size_t bracket = text.find('(', from);
        const std::string_view fields = text.substr(0, bracket);
        // A stranger's address would have these.
        for (const char byte : {'<', '>', '"'})
            if (fields.find(byte, from) != std::string_view::npos)
                return tl::make_unexpected(Dropped::hostile);
        if (bracket == std::string_view::npos) return tl::make_unexpected(Dropped::cut);
        const std::string_view name = fields.substr(0, fields.rfind('=') + 1);
        from = bracket + 1;
        if (!name.ends_with(kDeliveryMark)) continue;
        in.text.remove_prefix(from);
        const std::string_view status = fields.substr(name.size());
        if (status.size() < 2 || status.find(' ') != status.size() - 1)
            return tl::make_unexpected(Dropped::strange);
        return status.substr(0, status.size() - 1);
    }
}

// The one place where it is made, so that it is not moved: most events are deliveries.
LineResult event_of(EventKind kind, Address&& recipient, std::optional<Address>&& original,
                    std::string_view host, const Message& message, std::string_view reply) {
    LineResult result;
    LogEvent& event = result.event.emplace(kind, std::move(recipient), message.at);
    event.times = message.times;
    event.original = std::move(original);
    event.host = host;
    if (!reply.empty()) event.reply = printable(reply, kLongestReply);
    return result;
}

}  // namespace

// From behind "QID: to=<". A delivery that was sent is known before the server's words begin; the end of one
// that bounced has to be there.
LineResult read_delivery(Scanner in, const Message& message) {
    const auto recipient = take_quoted(in);
    if (!recipient) return drop(recipient.error());
    std::optional<Address> original;
    if (in.take(", orig_to=<")) {
        const auto quoted = take_quoted(in);
        if (!quoted) return drop(quoted.error());
        original = sole_recipient_of(*quoted);
    }
    if (!in.take(", relay=")) return drop(in.text.size() < 8 ? Dropped::cut : Dropped::hostile);
    const std::string_view host = kHostBytes.take(in);
    const auto status = take_status(in);
    if (!status) return drop(status.error());
    // With soft_bounce = yes a bounce stays in the queue; what the server said is the same.
    const bool bounced = *status == "bounced" || *status == "SOFTBOUNCE";
    // Also "undeliverable-but-not-cached", of a probe.
    if (status->starts_with("deferred") || status->starts_with("deliverable") ||
        status->starts_with("undeliverable") || *status == "expired")
        return {};
    if (*status != "sent" && !bounced) return drop(Dropped::strange);
    auto address = sole_recipient_of(*recipient);
    if (!address) return drop(Dropped::invalid);
    if (!bounced)
        return event_of(EventKind::delivered, *std::move(address), std::move(original), host, message, {});
    if (message.size >= kLongestMessage) return drop(Dropped::cut);
    const auto refusal = refusal_in(in.text);
    if (!refusal) return {};
    const auto code = Scanner{*refusal}.take_number(3);
    if (!code || *code < 500) return {};
    LineResult bounce =
        event_of(EventKind::bounced, *std::move(address), std::move(original), host, message, *refusal);
    bounce.event->code = *code;
    return bounce;
}

}  // namespace postcensus::mail
