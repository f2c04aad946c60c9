// SPDX-License-Identifier: MIT
// Puts the first of a line into the order in which they are asked now.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "census/admission.h"
#include "store/questions.h"

namespace postcensus::flow {

constexpr double kTriedBefore = 8;  // turns
constexpr int kMostTries = 4;

inline void put_in_order(std::vector<store::Question>& line, const census::Admission& admission) {
    struct Placed {
        census::Place place;
        store::Question question;
    };
    std::vector<Placed> placed;
    placed.reserve(line.size());
    for (store::Question& question : line) {
        census::Place place = admission.place_now(question.place, question.client);
        // One that was not answered before may be what breaks the sessions: others have their turn before it.
        place.returning = place.returning && question.attempts == 0;
        place.turn += kTriedBefore * std::min(question.attempts, kMostTries);
        placed.push_back({place, std::move(question)});
    }
    std::stable_sort(placed.begin(), placed.end(),
                     [](const Placed& one, const Placed& other) { return one.place.before(other.place); });
    std::transform(placed.begin(), placed.end(), line.begin(),
                   [](Placed& one) { return std::move(one.question); });
}

}  // namespace postcensus::flow
