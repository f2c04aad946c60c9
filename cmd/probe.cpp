// SPDX-License-Identifier: MIT
// postcensus probe: one live callout, and what each reply means.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "cmd/command.h"
#include "flow/ask/probe.h"
#include "flow/read/relay_domains.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;
using namespace std::chrono_literals;
using census::CalloutClass;

void add_options(po::options_description& options) {
    options.add_options()("transcript", "show what was said")(
        "record", "keep what was concluded, as the callouts of watch are kept");
}

// Of several addresses the one that most needs somebody's look decides.
ExitCode code_of(CalloutClass klass) {
    switch (klass) {
        case CalloutClass::deliverable:
        case CalloutClass::policy:
            return ExitCode::done;
        case CalloutClass::unknown:
            return ExitCode::finding;
        case CalloutClass::accept_all:
        case CalloutClass::fault:
            return ExitCode::unavailable;
        case CalloutClass::retry:
            break;
    }
    return ExitCode::try_again;
}

int weight_of(ExitCode code) {
    return code == ExitCode::done ? 0 : code == ExitCode::finding ? 1 : code == ExitCode::try_again ? 2 : 3;
}

void print(const flow::Probed& probed, bool transcript) {
    const auto line = [](const char* title, const std::string& text) {
        if (!text.empty()) std::cout << fmt::format("  {:<9} {}\n", title, text);
    };
    std::cout << fmt::format("{}: {}\n", probed.address.external(),
                             probed.klass == CalloutClass::policy ? "closed" : census::name_of(probed.klass));
    line("server", probed.target);
    line("reply", probed.reply);
    line("controls", probed.controls);
    line("why", probed.reason);
    line("meaning", flow::meaning_of(probed));
    if (!transcript) return;
    for (const std::string& said : probed.transcript) std::cout << "    " << said << "\n";
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    auto addresses = parse_addresses(words(arguments, "address"));
    if (!addresses) return fail(addresses.error());
    if (addresses->empty()) return fail(ExitCode::usage, "probe wants an address, or several");
    auto configuration = load_configuration(globals, config::Secrets::left);
    if (!configuration) return fail(configuration.error());
    const bool record = arguments.contains("record");
    auto state = store::Database::open(
        configuration->state.path,
        record ? store::Database::Mode::existing : store::Database::Mode::read_only, 10s);
    // Without a state there are only the controls that the configuration names.
    if (!state && (record || state.error().code != ExitCode::configuration)) return fail(state.error());
    if (state) {
        auto domains = record ? flow::learn_relay_domains(*configuration, *state, now())
                              : flow::take_relay_domains(*configuration, *state);
        if (!domains) return fail(domains.error());
    }
    auto probed = flow::probe(*configuration, state ? &*state : nullptr, *addresses);
    if (!probed) return fail(probed.error());
    ExitCode code = ExitCode::done;
    for (const flow::Probed& one : *probed) {
        print(one, arguments.contains("transcript"));
        code = std::max(code, code_of(one.klass),
                        [](ExitCode a, ExitCode b) { return weight_of(a) < weight_of(b); });
    }
    if (!record) return code;
    if (auto stored = flow::store_probed(*state, *probed, Moment::now()); !stored)
        return fail(stored.error());
    if (auto settled = settle(*configuration, *state); !settled) return fail(settled.error());
    return code;
}

}  // namespace

const Command kProbe{"probe",
                     "ADDRESS... [--transcript] [--record]",
                     "make one live callout, and say what each reply means",
                     "warning",
                     run,
                     add_options,
                     "address"};

}  // namespace postcensus::cmd
