// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <iterator>

#include "audit/text.h"
#include "base/duration.h"
#include "base/printable.h"

namespace postcensus::audit {
namespace {

constexpr std::size_t kLongestLine = 1000;

void add_list(const std::string& title, const std::vector<census::ExplanationLine>& lines, Time now,
              std::string& out) {
    if (lines.empty()) return;
    fmt::format_to(std::back_inserter(out), "\n{}\n", title);
    for (const census::ExplanationLine& line : lines) {
        out += "  - " + printable(line.what, kLongestLine);
        if (line.at) out += ": " + format_time(*line.at) + " (" + ago(*line.at, now) + ")";
        out += "\n";
    }
}

std::string_view meaning(const census::Explanation& explanation) {
    if (census::lacks_catch_all(explanation)) return "Postfix answers each recipient of the domain by itself";
    switch (explanation.answer) {
        case census::Answer::accept:
            return "Postfix answers 250";
        case census::Answer::closed:
            return "Postfix answers 250 to trusted clients, 550 5.7.1 to strangers";
        case census::Answer::reject:
            return "Postfix answers 550 5.1.1";
        case census::Answer::unsure:
            break;
    }
    if (explanation.reason == census::Reason::not_relayed) return "Postcensus decides nothing about it";
    return "Postfix answers 450 4.1.1, and the sender tries again";
}

std::string answer_of(census::Answer answer, const Colours& colours) {
    const std::string_view name = census::name_of(answer);
    switch (answer) {
        case census::Answer::accept:
            return colours.green(name);
        case census::Answer::reject:
            return colours.red(name);
        case census::Answer::closed:
        case census::Answer::unsure:
            break;
    }
    return colours.yellow(name);
}

void add_postfix(const census::Explanation& explanation, const std::string& title, std::string& out) {
    if (explanation.postfix.empty()) return;
    fmt::format_to(std::back_inserter(out), "\n{}\n", title);
    for (const auto& [table, found] : explanation.postfix) {
        const std::string value = found ? printable(found->value) : "not found";
        const bool by_other_key = found && found->key != explanation.address;
        fmt::format_to(std::back_inserter(out), "  {:<10} {}{}\n", table, value,
                       by_other_key ? " (as " + printable(found->key) + ")" : "");
    }
}

}  // namespace

std::string ago(Time at, Time now) {
    return at > now ? "in " + spell_duration(at - now) : spell_duration(now - at) + " ago";
}

std::string Colours::in(std::string_view code, std::string_view text) const {
    return wanted_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

std::string explanation_text(const census::Explanation& explanation, Time now, bool colour) {
    const Colours colours(colour);
    std::string out = fmt::format("{}: {}\n{}", colours.bold(printable(explanation.address)),
                                  answer_of(explanation.answer, colours), meaning(explanation));
    if (!explanation.table.empty()) fmt::format_to(std::back_inserter(out), " (table {})", explanation.table);
    fmt::format_to(std::back_inserter(out), "\nWhy: {} (rule {}, {})\n", census::words_of(explanation),
                   census::rule_of(explanation.reason), census::name_of(explanation.reason));
    if (!explanation.through.empty())
        fmt::format_to(std::back_inserter(out),
                       "Postfix looks it up as {} too, and that one answers for it\n",
                       printable(explanation.through));
    add_list(colours.bold("Evidence:"), explanation.evidence, now, out);
    add_list(colours.bold("What comes next:"), explanation.next, now, out);
    add_list(colours.bold("History:"), explanation.history, now, out);
    if (explanation.history_more > 0)
        fmt::format_to(std::back_inserter(out), "  … and {} older ones that are not shown\n",
                       explanation.history_more);
    add_postfix(explanation, colours.bold("What Postfix finds (postmap -q):"), out);
    for (const std::string& trouble : explanation.trouble)
        out += "\n" + colours.yellow("Warning:") + " " + printable(trouble, kLongestLine) + "\n";
    return out;
}

}  // namespace postcensus::audit
