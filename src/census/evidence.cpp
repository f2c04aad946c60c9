// SPDX-License-Identifier: MIT
#include "census/evidence.h"

#include <array>
#include <utility>

namespace postcensus::census {
namespace {

template <typename T, std::size_t N>
using Names = std::array<std::pair<T, std::string_view>, N>;

constexpr Names<Answer, 4> kAnswers{{{Answer::accept, "accept"},
                                     {Answer::closed, "closed"},
                                     {Answer::reject, "reject"},
                                     {Answer::unsure, "unsure"}}};

constexpr Names<CalloutClass, 6> kClasses{{{CalloutClass::deliverable, "deliverable"},
                                           {CalloutClass::unknown, "unknown"},
                                           {CalloutClass::policy, "policy"},
                                           {CalloutClass::accept_all, "accept-all"},
                                           {CalloutClass::fault, "fault"},
                                           {CalloutClass::retry, "retry"}}};

template <typename T, std::size_t N>
std::string_view find_name(const Names<T, N>& names, T value) {
    for (const auto& [candidate, name] : names)
        if (candidate == value) return name;
    return "?";
}

template <typename T, std::size_t N>
std::optional<T> find_value(const Names<T, N>& names, std::string_view name) {
    for (const auto& [value, candidate] : names)
        if (candidate == name) return value;
    return std::nullopt;
}

}  // namespace

std::string_view name_of(Answer answer) {
    return find_name(kAnswers, answer);
}
std::optional<Answer> parse_answer(std::string_view name) {
    return find_value(kAnswers, name);
}
std::string_view name_of(CalloutClass klass) {
    return find_name(kClasses, klass);
}
std::optional<CalloutClass> parse_callout_class(std::string_view name) {
    return find_value(kClasses, name);
}

}  // namespace postcensus::census
