// SPDX-License-Identifier: MIT
// libFuzzer target: the small parsers of what stands in files and tables. No bytes make one fail, and what
// one has read is read back the same from what is written of it. The first byte chooses the parser.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/printable.h"
#include "check/master_cf.h"
#include "check/restrictions.h"
#include "config/ini.h"
#include "mail/address.h"
#include "postfix/lookup.h"
#include "postfix/next_hop.h"
#include "postfix/postmap.h"
#include "postfix/table_head.h"

using namespace postcensus;

namespace {

void expect(bool right, const char* what, std::string_view input) {
    if (right) return;
    std::fprintf(stderr, "%s: %s\n", what, printable(input, 4000).c_str());
    std::abort();
}

// --- the head of a table ---

bool same(const postfix::TableHead& a, const postfix::TableHead& b) {
    return a.state_id == b.state_id && a.generation == b.generation && a.written == b.written &&
           a.until == b.until && a.counts == b.counts;
}

void read_head(std::string_view input) {
    const auto head = postfix::parse_head(input);
    if (!head) return;
    const std::string text = postfix::format_head("unknown", *head);
    const auto again = postfix::parse_head(text + "a@c.example\tOK\n");
    expect(again && same(*head, *again), "a head is read back otherwise", input);
    expect(!postfix::may_be_part_of_head(text), "a whole head is none", input);
    for (std::size_t length = 0; length < text.size(); ++length) {
        expect(!postfix::parse_head(text.substr(0, length)), "a part of a head is one", input);
        expect(postfix::may_be_part_of_head(text.substr(0, length)), "a part of a head is none", input);
    }
}

// The same behind the line with which every head begins.
void read_rest_of_head(std::string_view input) {
    static const std::string beginning = [] {
        const std::string text = postfix::format_head("unknown", {.state_id = "0123abcd"});
        return text.substr(0, text.find('\n') + 1);
    }();
    read_head(beginning + std::string(input));
    read_head(beginning + "# state: a\n" + std::string(input) + "\n# end of head\n");
}

// --- the configuration ---

void read_ini(std::string_view input) {
    const auto sections = config::split_ini(input, "file");
    if (!sections) {
        expect(is_printable(sections.error().message), "an error is not printable", input);
        return;
    }
    std::string text;
    int line = 0;
    for (const config::IniSection& section : *sections) {
        expect(section.line > line && !section.name.empty(), "a section has no line, or no name", input);
        line = section.line;
        text += "[" + section.name + "]\n";
        for (const config::IniKey& key : section.keys) {
            expect(key.line > line && section.line_of(key.name) == key.line, "a key has no line", input);
            line = key.line;
            text += key.name + "=" + key.value + "\n";
        }
    }
    const auto again = config::split_ini(text, "file");
    expect(again && again->size() == sections->size(), "sections are read back otherwise", input);
    for (std::size_t i = 0; i < sections->size(); ++i) {
        const auto &a = (*sections)[i].keys, &b = (*again)[i].keys;
        expect((*sections)[i].name == (*again)[i].name && a.size() == b.size(),
               "a section is read back otherwise", input);
        for (std::size_t k = 0; k < a.size(); ++k)
            expect(a[k].name == b[k].name && a[k].value == b[k].value, "a key is read back otherwise", input);
    }
}

// --- main.cf and master.cf ---

void read_list(std::string_view input) {
    const std::vector<std::string> words = postfix::split_list(input);
    std::string joined;
    std::size_t size = 0;
    for (const std::string& word : words) {
        expect(!word.empty(), "a word is empty", input);
        size += word.size();
        joined += (joined.empty() ? "" : ", ") + word;
    }
    expect(size <= input.size() && postfix::split_list(joined) == words, "a list is read back otherwise",
           input);
    for (const std::string& table : postfix::tables_in(input))
        expect(table.find(':') != std::string::npos, "a table has no type", input);
    const check::OurTables ours{"lmdb", "/var/lib/postcensus/maps"};
    for (const std::string& word : words) {
        const auto named = check::named_table(word, ours);
        if (!named) continue;
        const auto again = check::named_table(
            (named->proxied ? "proxy:" : "") + named->type + ":/var/lib/postcensus/maps/" + named->table,
            ours);
        expect(again == named, "a table of ours is read back otherwise", input);
    }
    std::string text;
    const auto restrictions = check::parse_restrictions(input);
    for (const check::Restriction& one : restrictions) {
        (void)check::effect_of(one);
        text += (text.empty() ? "" : ", ") + one.text();
    }
    const auto again = check::parse_restrictions(text);
    expect(again.size() == restrictions.size(), "restrictions are read back otherwise", input);
    for (std::size_t i = 0; i < again.size(); ++i)
        expect(again[i].text() == restrictions[i].text() && again[i].only_warns == restrictions[i].only_warns,
               "a restriction is read back otherwise", input);
}

void read_services(std::string_view input) {
    const std::size_t half = input.size() / 2;
    for (const check::Service& service : check::parse_services(input.substr(0, half), input.substr(half)))
        expect(service.port().size() <= service.name.size(), "a port is longer than its service", input);
}

void read_postmap(std::string_view input) {
    const std::string left = postfix::objections(input);
    expect(postfix::objections(left) == left, "an objection is none", input);
    expect(postfix::type_notice(left).empty(), "a notice is an objection", input);
    // Whatever stands beside it, a line that is skipped is said.
    constexpr std::string_view kSkipped =
        "postmap: warning: t, line 3: expected format: key whitespace value\n";
    const std::string both = std::string(kSkipped) + std::string(input);
    expect(postfix::objections(both).find(kSkipped) == 0, "an objection is lost", input);
}

void read_transport(std::string_view input) {
    std::string text = "relay:";
    const auto hosts = postfix::hosts_of(input);
    for (const postfix::Host& host : hosts) {
        expect(!host.name.empty() && host.port != 0, "a host has no name or no port", input);
        const bool ipv6 = host.name.find(':') != std::string::npos;
        text += "[" + std::string(ipv6 ? "ipv6:" : "") + host.name + "]:" + std::to_string(host.port) + ", ";
    }
    expect(postfix::hosts_of(text) == hosts, "hosts are read back otherwise", input);
}

// --- addresses ---

void check_address(const mail::Address& address, std::string_view input) {
    const std::string text = address.text();
    expect(!address.local().empty() && !address.domain().empty(), "an address has a part that is empty",
           input);
    expect(mail::fold(text) == text && is_printable(text), "an address is not folded, or not printable",
           input);
    expect(text.size() <= 2000, "an address is out of bounds", input);
    const auto from_quoted = mail::Address::from_external(address.external());
    expect(from_quoted && from_quoted->text() == text, "the quoted form is read back otherwise", input);
    const auto from_plain = mail::Address::from_internal(text);
    expect(from_plain && from_plain->text() == text, "the plain form is read back otherwise", input);
    const auto stored = mail::Address::from_stored(text);
    expect(stored && *stored == address, "the stored form is read back otherwise", input);
    const std::string domain(address.domain());
    expect(mail::valid_domain(domain) == domain, "a domain is not its own form", input);
    for (const std::string& form : mail::domain_forms(domain))
        expect(mail::valid_domain(form) == domain, "another form of a domain is another domain", input);
    for (const std::string& form : address.external_forms()) {
        const auto again = mail::Address::from_external(form);
        expect(again && again->text() == text, "another form of an address is another address", input);
        // Else postmap would take the key for two words, or two lines.
        bool quoted = false;
        for (std::size_t i = 0; i < form.size(); ++i) {
            if (form[i] == '\\') {
                ++i;
                continue;
            }
            if (form[i] == '"') quoted = !quoted;
            expect(form[i] != '\n' && (quoted || (form[i] != ' ' && form[i] != '\t')), "a key is divided",
                   input);
        }
        expect(!quoted, "a quote is not closed", input);
    }
    for (const std::string& key : postfix::transport_keys(address, postfix::Extensions("+-")))
        expect(!key.empty(), "a key of a transport table is empty", input);
}

void read_address(std::string_view input) {
    for (const auto& address : {mail::Address::from_internal(input), mail::Address::from_external(input)})
        if (address) check_address(*address, input);
    if (const auto domain = mail::valid_domain(input))
        expect(mail::valid_domain(*domain) == *domain, "a domain is not its own form", input);
}

constexpr std::array kParsers{read_head,     read_rest_of_head, read_ini,       read_list,
                              read_services, read_postmap,      read_transport, read_address};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    kParsers[data[0] % kParsers.size()]({reinterpret_cast<const char*>(data) + 1, size - 1});
    return 0;
}
