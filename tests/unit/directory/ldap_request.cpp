// SPDX-License-Identifier: MIT
#include "directory/ldap_request.h"

#include <cstddef>
#include <cstdint>

#include "directory/ldap_peer.h"

namespace postcensus::directory {
namespace {

constexpr std::size_t kLongestRequest = 1 << 20;  // far above the longest filter of a test
constexpr int kDeepestFilter = 50;                // bounds the recursion

constexpr unsigned char kBoolean = 0x01;
constexpr unsigned char kSimple = 0x80;
constexpr unsigned char kSasl = 0xa3;
constexpr unsigned char kClassBits = 0xc0;
constexpr unsigned char kApplication = 0x40;

// The sizes of an element's header and of the content behind it.
struct Head {
    std::size_t header;
    std::size_t content;
};

// Nothing as long as the header is not whole.
std::optional<Head> parse_head(std::string_view bytes) {
    if (bytes.size() < 2) return {};
    const auto first = static_cast<unsigned char>(bytes[1]);
    if (first < 0x80) return Head{2, first};
    const std::size_t count = first & 0x7fU;
    if (count == 0 || count > 4) throw Malformed();
    if (bytes.size() < 2 + count) return {};
    std::size_t content = 0;
    for (const char byte : bytes.substr(2, count)) content = content << 8 | static_cast<unsigned char>(byte);
    return Head{2 + count, content};
}

struct Element {
    unsigned char tag;
    std::string_view content;
};

// Reads elements one after the other. Throws Malformed where there is none, or not the expected one.
class Elements {
  public:
    explicit Elements(std::string_view bytes) : rest_(bytes) {}

    bool at(unsigned char tag) const { return !rest_.empty() && static_cast<unsigned char>(rest_[0]) == tag; }
    bool at_end() const { return rest_.empty(); }

    Element next() {
        const std::optional<Head> head = parse_head(rest_);
        if (!head || rest_.size() - head->header < head->content) throw Malformed();
        const Element element{static_cast<unsigned char>(rest_[0]),
                              rest_.substr(head->header, head->content)};
        rest_.remove_prefix(head->header + head->content);
        return element;
    }
    std::string_view next(unsigned char tag) {
        if (!at(tag)) throw Malformed();
        return next().content;
    }
    std::string text(unsigned char tag = kOctets) { return std::string(next(tag)); }
    int number(unsigned char tag = kInteger) {
        const std::string_view bytes = next(tag);
        if (bytes.empty() || bytes.size() > 4) throw Malformed();
        std::uint32_t value = static_cast<unsigned char>(bytes[0]) < 0x80 ? 0 : 0xffffffffU;
        for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
        return static_cast<int>(value);
    }

  private:
    std::string_view rest_;
};

std::string escape(std::string_view value) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const char byte : value) {
        const auto code = static_cast<unsigned char>(byte);
        if (code >= 0x20 && code < 0x7f && std::string_view("()*\\").find(byte) == std::string_view::npos) {
            out += byte;
            continue;
        }
        out += '\\';
        out += kDigits[code >> 4];
        out += kDigits[code & 0xfU];
    }
    return out;
}

std::string compare_text(std::string_view content, const char* operation) {
    Elements parts(content);
    const std::string attribute = parts.text();
    return attribute + operation + escape(parts.next(kOctets));
}

std::string substrings_text(std::string_view content) {
    constexpr unsigned char kInitial = 0x80;
    constexpr unsigned char kFinal = 0x82;
    Elements parts(content);
    std::string out = parts.text() + "=";
    bool ended = false;
    for (Elements pieces(parts.next(kSequence)); !pieces.at_end();) {
        const Element piece = pieces.next();
        if (piece.tag != kInitial) out += '*';
        out += escape(piece.content);
        ended = piece.tag == kFinal;
    }
    return ended ? out : out + "*";
}

std::string extensible_text(std::string_view content) {
    Elements parts(content);
    const std::string rule = parts.at(0x81) ? ":" + parts.text(0x81) : "";
    const std::string attribute = parts.at(0x82) ? parts.text(0x82) : "";
    const std::string value = escape(parts.next(0x83));
    const bool with_dn = parts.at(0x84) && parts.next(0x84) != std::string_view("\0", 1);
    return attribute + (with_dn ? ":dn" : "") + rule + ":=" + value;
}

std::string filter_text(const Element& filter, int depth = 0) {
    if (depth > kDeepestFilter) throw Malformed();
    std::string out = "(";
    switch (filter.tag) {
        case 0xa0:
        case 0xa1:
        case 0xa2:
            out += "&|!"[filter.tag - 0xa0];
            for (Elements parts(filter.content); !parts.at_end();)
                out += filter_text(parts.next(), depth + 1);
            break;
        case 0xa3:
            out += compare_text(filter.content, "=");
            break;
        case 0xa4:
            out += substrings_text(filter.content);
            break;
        case 0xa5:
            out += compare_text(filter.content, ">=");
            break;
        case 0xa6:
            out += compare_text(filter.content, "<=");
            break;
        case 0x87:
            out += std::string(filter.content) + "=*";
            break;
        case 0xa8:
            out += compare_text(filter.content, "~=");
            break;
        case 0xa9:
            out += extensible_text(filter.content);
            break;
        default:
            throw Malformed();
    }
    return out + ")";
}

void read_controls(std::string_view content, LdapSearch& search) {
    for (Elements controls(content); !controls.at_end();) {
        Elements control(controls.next(kSequence));
        search.controls.push_back(control.text());
        if (control.at(kBoolean)) control.next();  // its criticality
        if (search.controls.back() != kPagedResults) continue;
        Elements value(control.next(kOctets));
        Elements page(value.next(kSequence));
        search.page_size = page.number();
        search.cookie = page.text();
    }
}

}  // namespace

std::optional<std::string> take_message(std::string& received) {
    if (!received.empty() && static_cast<unsigned char>(received[0]) != kSequence) throw Malformed();
    const std::optional<Head> head = parse_head(received);
    if (!head) return {};
    if (head->content > kLongestRequest) throw Malformed();
    if (received.size() < head->header + head->content) return {};
    std::string message = received.substr(head->header, head->content);
    received.erase(0, head->header + head->content);
    return message;
}

LdapRequest read_request(std::string_view message) {
    Elements elements(message);
    LdapRequest request;
    request.id = elements.number();
    const Element operation = elements.next();
    if ((operation.tag & kClassBits) != kApplication) throw Malformed();
    request.tag = operation.tag;
    request.operation = operation.content;
    if (elements.at(kControls)) request.controls = elements.next(kControls);
    return request;
}

LdapBind read_bind(const LdapRequest& request, int connection) {
    LdapBind bind;
    bind.connection = connection;
    Elements elements(request.operation);
    elements.number();  // the version
    bind.dn = elements.text();
    if (elements.at(kSasl)) {
        bind.mechanism = Elements(elements.next(kSasl)).text();
    } else {
        bind.password = elements.text(kSimple);
    }
    return bind;
}

LdapSearch read_search(const LdapRequest& request, int connection) {
    LdapSearch search;
    search.connection = connection;
    search.id = request.id;
    Elements elements(request.operation);
    search.base = elements.text();
    search.scope = elements.number(kEnumerated);
    elements.number(kEnumerated);  // aliases: AD has none
    search.size_limit = elements.number();
    search.time_limit = elements.number();
    elements.next(kBoolean);  // names without values: nobody here asks for it
    search.filter = filter_text(elements.next());
    for (Elements attributes(elements.next(kSequence)); !attributes.at_end();)
        search.attributes.push_back(attributes.text());
    read_controls(request.controls, search);
    return search;
}

}  // namespace postcensus::directory
