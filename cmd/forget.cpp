// SPDX-License-Identifier: MIT
// postcensus forget: drops what callouts said, so that it is asked anew.
#include <fmt/format.h>

#include <iostream>

#include "cmd/command.h"
#include "store/addresses.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;
using namespace std::chrono_literals;

void add_options(po::options_description& options) {
    options.add_options()("domain", po::value<std::string>(), "all addresses of this domain");
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    auto addresses = parse_addresses(words(arguments, "address"));
    if (!addresses) return fail(addresses.error());
    const std::string domain = arguments.contains("domain")
                                   ? mail::valid_domain(arguments["domain"].as<std::string>()).value_or("?")
                                   : "";
    if (addresses->empty() == domain.empty())
        return fail(ExitCode::usage, "forget wants addresses, or --domain D");
    auto configuration = load_configuration(globals);
    if (!configuration) return fail(configuration.error());
    if (!domain.empty() && configuration->route_of(domain) == nullptr)
        return fail(ExitCode::usage, fmt::format("no route names the domain {}", domain));
    auto state = store::Database::open(configuration->state.path, store::Database::Mode::existing, 10s);
    if (!state) return fail(state.error());
    auto forgotten = state->write([&](store::Writer& writer) {
        int count = 0;
        for (const store::AddressId id :
             domain.empty() ? std::vector<store::AddressId>{} : store::asked_addresses(writer.db, domain)) {
            store::forget(writer, id);
            ++count;
        }
        for (const mail::Address& address : *addresses) {
            const auto id = store::find_address(writer.db, address);
            if (!id) continue;
            store::forget(writer, *id);
            ++count;
        }
        return count;
    });
    if (!forgotten) return fail(forgotten.error());
    std::cout << fmt::format("forgot what callouts said of {} addresses\n", *forgotten);
    if (auto settled = settle(*configuration, *state); !settled) return fail(settled.error());
    return ExitCode::done;
}

}  // namespace

const Command kForget{"forget",
                      "ADDRESS... | --domain D",
                      "drop what callouts said, so that it is asked anew",
                      "warning",
                      run,
                      add_options,
                      "address"};

}  // namespace postcensus::cmd
