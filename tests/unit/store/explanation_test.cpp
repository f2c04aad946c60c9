// SPDX-License-Identifier: MIT
// What explain leaves out it counts, and how an address came is never left out.
#include "store/explanation.h"

#include "store/state.h"

using namespace postcensus;
using namespace postcensus::store;
using census::Answer;
using census::Reason;
using namespace std::chrono_literals;

namespace {

const census::Verdict kListed{Answer::accept, Reason::listed, {}};

class Explained : public TestState {
  public:
    census::Explanation explain(const std::string& text) {
        return read([&](SQLite::Database& db) { return load_explanation(db, address(text), kNoon); });
    }
    // As the first reading of a directory brings it: answered as it is stored, without an event.
    void arrive(const std::string& text) {
        const Seq began = write([](Writer& writer) { return begin_reading(writer); });
        const Reading reading{
            .directory = "corp", .server = "ldaps://dc1", .began = kNoon, .ended = kNoon, .began_seq = began};
        write([&](Writer& writer) {
            ReadingWriter out(writer, reading, [](SQLite::Database&, const std::string&, bool) {
                return std::optional(kListed);
            });
            out.put(listing("o1", {text}));
            out.finish();
        });
    }
};

}  // namespace

TEST_CASE("how an address came stands in its history, whatever happened since", "[store][audit]") {
    Explained state;
    state.arrive("a@corp.example");
    REQUIRE(state.explain("a@corp.example").history.size() == 1);
    CHECK(state.explain("a@corp.example").history[0].what ==
          "unsure -> accept: the first reading of directory corp at ldaps://dc1");
    state.settle("a@corp.example", {Answer::closed, Reason::closed_listing, {}}, kNoon + 1h);
    state.drop("a@corp.example");
    const auto left = state.explain("a@corp.example");
    REQUIRE(left.history.size() == 3);
    CHECK(left.history[2].facts.at("to") == "accept");
    CHECK(left.history_more == 0);
    // It came anew: that has an event, and what was before is history only.
    state.accept("a@corp.example");
    CHECK(state.explain("a@corp.example").history.size() == 3);
    // One that a callout proved came with no reading.
    state.callout("b@corp.example", census::CalloutClass::deliverable);
    state.settle("b@corp.example", {Answer::accept, Reason::proven, {}});
    CHECK(state.explain("b@corp.example").history.size() == 1);
}

TEST_CASE("a history that is cut says by how much", "[store][audit]") {
    Explained state;
    state.arrive("a@corp.example");
    for (int i = 0; i < 30; ++i) {
        state.settle("a@corp.example", {Answer::closed, Reason::closed_listing, {}}, kNoon + i * 1min);
        state.settle("a@corp.example", kListed, kNoon + i * 1min + 1s);
    }
    const auto cut = state.explain("a@corp.example");
    CHECK(cut.history.size() == 51);
    CHECK(cut.history_more == 10);
    CHECK(cut.history.back().what.find("the first reading") != std::string::npos);
}

TEST_CASE("clients that are not named are counted", "[store][audit]") {
    Explained state;
    const auto misses_of = [&](const std::string& text, int clients) {
        state.write([&](Writer& writer) {
            std::vector<StoredMiss> misses;
            for (int i = 0; i < clients; ++i)
                misses.push_back({address(text), "192.0.2." + std::to_string(i), kNoon + i * 1min});
            record_misses(writer, misses, kNoon + 1h);
        });
        for (const auto& line : state.explain(text).evidence)
            if (line.kind == "misses") return line;
        return census::ExplanationLine{};
    };
    CHECK(misses_of("a@corp.example", 5).what.find("192.0.2.0; the last") != std::string::npos);
    const auto more = misses_of("b@corp.example", 8);
    CHECK(more.what.find("192.0.2.3 and 3 more; the last") != std::string::npos);
    CHECK(more.facts.at("clients_total") == "8");
}

TEST_CASE("strangers are refused by the table closed", "[store][audit]") {
    Explained state;
    state.accept("a@corp.example");
    state.settle("b@corp.example", {Answer::closed, Reason::closed_callout, {}});
    state.publish();
    CHECK(state.explain("a@corp.example").table == "directory");
    CHECK(state.explain("b@corp.example").table == "closed");
}
