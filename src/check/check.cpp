// SPDX-License-Identifier: MIT
#include "check/check.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <tuple>

#include "check/parts.h"
#include "flow/read/relay_domains.h"
#include "postfix/main_cf.h"

namespace postcensus::check {
namespace {

using namespace std::chrono_literals;

constexpr auto kPartsEnd = 11s;       // by themselves
constexpr auto kCheckPatience = 13s;  // then they are left behind
constexpr auto kFirstLookPatience = 1s;
constexpr std::size_t kMostTargets = 16;

struct Part {
    std::string area, subject;
    std::function<void(const CheckScene&, const Tell&)> run;
};

// Where the parts put what they find; lives as long as the last of them.
class Board {
  public:
    explicit Board(std::size_t parts) : notes_(parts) {}

    void add(std::size_t part, Finding finding) {
        const std::lock_guard lock(mutex_);
        notes_[part].findings.push_back(std::move(finding));
    }
    void end(std::size_t part) {
        {
            const std::lock_guard lock(mutex_);
            notes_[part].ended = true;
            ++ended_;
        }
        changed_.notify_one();
    }

    // What was found until then, part by part; what did not end is a finding too.
    Checked collect(const std::vector<Part>& parts, std::chrono::steady_clock::time_point until) {
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, until, [this] { return ended_ == notes_.size(); });
        Checked checked;
        for (std::size_t i = 0; i < notes_.size(); ++i) {
            checked.findings.insert(checked.findings.end(), notes_[i].findings.begin(),
                                    notes_[i].findings.end());
            if (notes_[i].ended) continue;
            checked.unfinished = true;
            checked.findings.push_back(Finding::fail(
                parts[i].area, parts[i].subject,
                fmt::format("this test did not end within {} s: something that it asked does not answer",
                            std::chrono::seconds(kCheckPatience).count()),
                "# see whether a server, a database or a file system hangs, and run `postcensus check` "
                "again"));
        }
        return checked;
    }

  private:
    struct Notes {
        Findings findings;
        bool ended = false;
    };
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Notes> notes_;
    std::size_t ended_ = 0;
};

void add_callouts(const config::Configuration& configuration, std::vector<Part>& parts) {
    std::size_t left_out = 0;
    std::size_t asked = 0;
    for (std::size_t i = 0; i < configuration.routes.size(); ++i) {
        const config::Route& route = configuration.routes[i];
        if (!route.asks() || route.domains.empty()) continue;
        const std::size_t count = route.callout.ask_postfix ? 1 : route.callout.targets.size();
        for (std::size_t j = 0; j < count; ++j) {
            if (++asked > kMostTargets) {
                ++left_out;
                continue;
            }
            const bool named = !route.callout.ask_postfix;
            parts.push_back({"callout",
                             named ? route.callout.targets[j].text() : "[route." + route.name + "]",
                             [i, j, named](const CheckScene& scene, const Tell& tell) {
                                 const config::Route& its = scene.configuration.routes[i];
                                 check_callout(scene, its, named ? &its.callout.targets[j] : nullptr, tell);
                             }});
        }
    }
    if (left_out > 0)
        parts.push_back(
            {"callout", "servers", [left_out](const CheckScene&, const Tell& tell) {
                 tell(Finding::ok("callout", "servers", fmt::format("{} more were not asked", left_out)));
             }});
}

std::vector<Part> parts_of(const config::Configuration& configuration) {
    std::vector<Part> parts{{"state", "state", check_state},
                            {"service", "service", check_service},
                            {"log", "log", check_log},
                            {"tables", "tables", check_tables},
                            {"postfix", "main.cf", check_postfix},
                            {"postfix", "relay_domains", check_domains},
                            {"postfix", "MX", check_mail_exchangers}};
    for (std::size_t i = 0; i < configuration.directories.size(); ++i)
        parts.push_back(
            {"directory", configuration.directories[i].name, [i](const CheckScene& scene, const Tell& tell) {
                 check_directory(scene, scene.configuration.directories[i], tell);
             }});
    add_callouts(configuration, parts);
    return parts;
}

void run_part(const Part& part, const CheckScene& scene, const Tell& tell) {
    try {
        part.run(scene, tell);
    } catch (const std::exception& error) {
        tell(Finding::fail(part.area, part.subject, fmt::format("internal error: {}", error.what()),
                           "# report this as a bug of Postcensus"));
    }
}

}  // namespace

Checked check(config::Configuration configuration, Time now) {
    const auto begun = std::chrono::steady_clock::now();
    // The domains that Postfix named, as far as the state is there and knows them.
    if (configuration.asks_postfix_for_domains())
        if (auto state = store::Database::open(configuration.state.path, store::Database::Mode::read_only,
                                               kFirstLookPatience))
            std::ignore = flow::take_relay_domains(configuration, *state);
    std::promise<Result<Snapshot>> snapshot;
    const Scene scene = std::make_shared<const CheckScene>(
        CheckScene{configuration, now, begun + kPartsEnd, snapshot.get_future().share()});
    const auto parts = std::make_shared<const std::vector<Part>>(parts_of(configuration));
    const auto board = std::make_shared<Board>(parts->size());
    std::thread([scene, promise = std::move(snapshot)]() mutable {
        promise.set_value(take_snapshot(scene->configuration.postfix.config_dir));
    }).detach();
    for (std::size_t i = 0; i < parts->size(); ++i)
        std::thread([scene, parts, board, i] {
            run_part((*parts)[i], *scene, [&](Finding finding) { board->add(i, std::move(finding)); });
            board->end(i);
        }).detach();
    return board->collect(*parts, begun + kCheckPatience);
}

Result<OurTables> our_tables(const CheckScene& scene) {
    const postfix::Settings& settings = scene.configuration.postfix;
    auto type = postfix::resolve_table_type(settings);
    if (!type) return fail(type.error());
    std::error_code ignored;
    return OurTables{*type, settings.maps, std::filesystem::exists(settings.maps / "directory", ignored)};
}

std::string own_user() {
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found);
    return found == nullptr ? std::to_string(::geteuid()) : found->pw_name;
}

}  // namespace postcensus::check
