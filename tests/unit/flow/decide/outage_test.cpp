// SPDX-License-Identifier: MIT
// The law, on states with histories: whatever an outage says, and wherever the clock goes, no recipient is
// taken away, nothing is refused that was not, and no rejection lasts longer.
#include <map>
#include <random>

#include "flow/town.h"

using namespace postcensus;
using namespace postcensus::flow;
using namespace std::chrono_literals;
using census::Answer;
using census::CalloutClass;

namespace {

class Fate {
  public:
    explicit Fate(unsigned seed) : random_(seed) {}
    bool once_in(int number) { return below(number) == 0; }
    int below(int number) { return std::uniform_int_distribution<int>(0, number - 1)(random_); }
    template <typename T>
    const T& one_of(const std::vector<T>& all) {
        return all[static_cast<std::size_t>(below(static_cast<int>(all.size())))];
    }

  private:
    std::mt19937 random_;
};

const Texts kAddresses{"a@c.example",          "b@c.example", "d@c.example",
                       "postmaster@c.example", "x@d.example", "y@d.example"};

struct Known {
    Answer answer = Answer::unsure;
    std::optional<Time> until;
};

std::map<std::string, Known> answers(Town& town) {
    std::map<std::string, Known> all;
    for (const std::string& text : kAddresses) {
        const Pending pending = town.state.pending(text);
        all[text] = {pending.evidence.answered, pending.until};
    }
    return all;
}

void settle(Town& town) {
    const Time latest = town.now + 1h + 1min;
    town.state.write([&](Writer& writer) {
        mark_expired(writer, town.now, latest);
        // Whatever makes it do so, the decider may look at any of them.
        AddressBook book(writer);
        for (const std::string& text : kAddresses)
            book.mark_undecided(book.ensure(address(text)), AddressBook::Rank::other);
    });
    town.decide();
}

// What happens to a town on an ordinary day.
void live(Town& town, Fate& fate) {
    const std::string& text = fate.one_of(kAddresses);
    town.now += Milliseconds(fate.below(1'200'000));
    switch (fate.below(7)) {
        case 0:
        case 1:
            return town.list({text}, fate.once_in(3));
        case 2:
            return town.unlist({text});
        case 3:
            town.state.miss(text, town.now);
            return;
        default: {
            const std::vector<CalloutClass> classes{CalloutClass::deliverable, CalloutClass::unknown,
                                                    CalloutClass::unknown, CalloutClass::policy};
            if (fate.once_in(2)) town.state.miss(text, town.now);
            town.state.callout(text, fate.one_of(classes), town.now);
        }
    }
}

std::string suffer(Town& town, Fate& fate) {
    const std::string& text = fate.one_of(kAddresses);
    const std::string domain = text.substr(text.find('@') + 1);
    switch (fate.below(5)) {
        case 0: {
            const std::vector<CalloutClass> classes{CalloutClass::retry, CalloutClass::fault,
                                                    CalloutClass::accept_all};
            const CalloutClass klass = fate.one_of(classes);
            town.state.callout(text, klass, town.now);
            return std::string(census::name_of(klass)) + " for " + text;
        }
        case 1:
            town.state.write([&](Writer& writer) { set_accept_all(writer, domain, true); });
            return domain + " accepts all";
        case 2:
            town.state.write([&](Writer& writer) {
                note_failed(writer, {.directory = "corp",
                                     .began = town.now,
                                     .ended = town.now,
                                     .began_seq = writer.seq,
                                     .outcome = "the server is down",
                                     .good = false});
            });
            return "a reading fails";
        case 3: {
            const Seq began = town.state.write([](Writer& writer) { return begin_reading(writer); });
            town.state.write([&](Writer& writer) {
                const Reading reading{.directory = "corp",
                                      .kind = ReadingKind::sweep,
                                      .began = town.now,
                                      .ended = town.now,
                                      .began_seq = began};
                ReadingWriter out(writer, reading);
                out.mark_unseen(text);
                out.finish();
            });
            return text + " is out of sight";
        }
        default: {
            const std::vector<Milliseconds> steps{-48h, -2h, -10min, -30s, 30s, 10min, 2h, 48h};
            const Milliseconds step = fate.one_of(steps);
            town.now += step;
            return "the clock goes " + std::to_string(step.count()) + " ms";
        }
    }
}

std::string broken_law(const std::string& text, const Known& before, const Known& after) {
    if (census::exists(before.answer) && after.answer != before.answer) return text + " is taken away";
    if (before.answer != Answer::reject && after.answer == Answer::reject) return text + " is refused";
    if (after.until && (!before.until || *after.until > *before.until))
        return text + " is refused for longer";
    return {};
}

}  // namespace

TEST_CASE("no outage and no clock breaks the law", "[flow][outage]") {
    std::map<Answer, int> seen;
    for (unsigned seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        Town town;
        Fate fate(seed);
        town.state.write([&](Writer& writer) {
            std::vector<DomainPolicy> policies;
            for (const config::Route& route : town.configuration.routes)
                policies.push_back({route.name, route.policy_text(route.name), {}});
            replace_domains(writer, policies);
        });
        town.list(kAddresses);
        std::string story;
        for (int day = 0; day < 4; ++day) {
            for (int i = 0; i < 8; ++i) live(town, fate);
            town.decide();
            settle(town);
            auto before = answers(town);
            for (int i = 0; i < 5; ++i) {
                story += "; " + suffer(town, fate);
                settle(town);
                const auto after = answers(town);
                for (const auto& [text, known] : after) {
                    const std::string problem = broken_law(text, before[text], known);
                    if (!problem.empty()) FAIL_CHECK(problem << story);
                    ++seen[known.answer];
                }
                before = after;
            }
            town.state.write([&](Writer& writer) {
                for (const char* domain : {"c.example", "d.example"}) set_accept_all(writer, domain, false);
            });
        }
    }
    for (const Answer answer : {Answer::accept, Answer::closed, Answer::reject, Answer::unsure}) {
        CAPTURE(census::name_of(answer));
        CHECK(seen[answer] > 20);
    }
}
