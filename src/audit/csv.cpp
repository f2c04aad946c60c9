// SPDX-License-Identifier: MIT
#include "audit/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/printable.h"

namespace postcensus::audit {
namespace {

constexpr std::size_t kLongestCell = 1000;

// Some spreadsheets take the full-width signs (U+FF1D, U+FF0B, U+FF0D, U+FF20) for the others.
bool starts_formula(std::string_view text) {
    constexpr std::array<std::string_view, 8> kSigns{
        "=", "+", "-", "@", "\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0"};
    return std::any_of(kSigns.begin(), kSigns.end(),
                       [text](std::string_view sign) { return text.starts_with(sign); });
}

// Where the comma is the decimal sign, a cell ends at each semicolon, and quotes do not hold it together. A
// tab does not get here: it is not printable.
std::string disarmed(std::string_view text) {
    std::string out;
    bool begins = true;  // a cell
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (begins && starts_formula(text.substr(i))) out += '\'';
        out += text[i];
        begins = text[i] == ';' || (begins && (text[i] == ' ' || (text[i] == '"' && i > 0)));
    }
    return out;
}

void add(std::string& out, std::string_view text, char behind) {
    const std::string value = disarmed(printable(text, kLongestCell));
    if (value.find_first_of(",;\"") == std::string::npos) {
        out += value;
    } else {
        out += '"';
        for (const char c : value) out.append(c == '"' ? 2 : 1, c);
        out += '"';
    }
    out += behind;
}

}  // namespace

std::string changes_csv_head() {
    return "at,address,from,to,reason,cause,waited_seconds\r\n";
}

std::string changes_csv(const std::vector<census::ChangeLine>& changes) {
    std::string out;
    for (const census::ChangeLine& line : changes) {
        out += format_time(line.at) + ",";
        for (const std::string* text : {&line.address, &line.from, &line.to, &line.reason, &line.cause})
            add(out, *text, ',');
        if (line.waited) out += fmt::format("{:.3f}", static_cast<double>(line.waited->count()) / 1000);
        out += "\r\n";
    }
    return out;
}

}  // namespace postcensus::audit
