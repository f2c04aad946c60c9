// SPDX-License-Identifier: MIT
#include "audit/csv.h"

#include <fmt/format.h>

#include "base/printable.h"

namespace postcensus::audit {
namespace {

constexpr std::size_t kLongest = 1000;

void add(std::string& out, std::string_view text, char behind) {
    std::string value = printable(text, kLongest);
    if (!value.empty() && std::string_view("=+-@").find(value.front()) != std::string_view::npos)
        value.insert(0, 1, '\'');
    if (value.find_first_of(",\"") == std::string::npos) {
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
