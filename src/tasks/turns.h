// SPDX-License-Identifier: MIT
// Puts the first of a line into the order in which they are asked now.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "census/admission.h"
#include "store/questions.h"

namespace postcensus::tasks {

inline void put_in_order(std::vector<store::Question>& line, const census::Admission& admission) {
    struct Placed {
        census::Place place;
        store::Question question;
    };
    std::vector<Placed> placed;
    placed.reserve(line.size());
    for (store::Question& question : line)
        placed.push_back({admission.place_now(question.place, question.client), std::move(question)});
    std::stable_sort(placed.begin(), placed.end(),
                     [](const Placed& one, const Placed& other) { return one.place.before(other.place); });
    std::transform(placed.begin(), placed.end(), line.begin(),
                   [](Placed& one) { return std::move(one.question); });
}

}  // namespace postcensus::tasks
