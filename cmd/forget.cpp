// SPDX-License-Identifier: MIT
// postcensus forget: drops what callouts said, so that it is asked anew.
#include <fmt/format.h>

#include <iostream>

#include "cmd/command.h"
#include "flow/read/relay_domains.h"
#include "store/addresses.h"
#include "store/history.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;
using namespace std::chrono_literals;

constexpr std::size_t kPiece = 500;

void add_options(po::options_description& options) {
    options.add_options()("domain", po::value<std::string>(), "all addresses of this domain");
}

// Those of a domain go piece by piece, so that `watch` is not kept from writing.
Result<int> forget_domain(store::Database& state, const std::string& domain, const std::string& user) {
    int count = 0;
    for (std::string after;;) {
        auto piece = state.write([&](store::Writer& writer) {
            std::string next = after;
            const auto ids = store::asked_addresses(writer.db, domain, next, kPiece);
            for (const store::AddressId id : ids) store::forget(writer, id, user, now());
            return std::pair(ids.size(), next);
        });
        if (!piece) return fail(piece.error());
        if (piece->first == 0) break;
        after = piece->second;
        count += static_cast<int>(piece->first);
    }
    auto noted = state.write([&](store::Writer& writer) {
        store::note_command(writer, {"forget", user, fmt::format("--domain {}: {} addresses", domain, count)},
                            now());
    });
    if (!noted) return fail(noted.error());
    return count;
}

Result<int> forget_addresses(store::Database& state, const std::vector<mail::Address>& addresses,
                             const std::string& user) {
    return state.write([&](store::Writer& writer) {
        int count = 0;
        for (const mail::Address& address : addresses) {
            const auto id = store::find_address(writer.db, address);
            if (id) store::forget(writer, *id, user, now());
            if (id) ++count;
            store::note_command(writer, {"forget", user, address.external()}, now());
        }
        return count;
    });
}

Result<ExitCode> run(const Globals& globals, const Arguments& arguments) {
    auto addresses = parse_addresses(words(arguments, "address"));
    if (!addresses) return fail(addresses.error());
    const std::string domain = arguments.contains("domain")
                                   ? mail::valid_domain(arguments["domain"].as<std::string>()).value_or("?")
                                   : "";
    if (addresses->empty() == domain.empty())
        return fail(ExitCode::usage, "forget wants addresses, or --domain D");
    auto configuration = load_configuration(globals, config::Secrets::left);
    if (!configuration) return fail(configuration.error());
    auto state = store::Database::open(configuration->state.path, store::Database::Mode::existing, 10s);
    if (!state) return fail(state.error());
    if (auto learned = flow::learn_relay_domains(*configuration, *state, now()); !learned)
        return fail(learned.error());
    if (!domain.empty() && configuration->route_of(domain) == nullptr)
        return fail(ExitCode::usage, fmt::format("no route names the domain {}", domain));
    auto forgotten = domain.empty() ? forget_addresses(*state, *addresses, globals.user)
                                    : forget_domain(*state, domain, globals.user);
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
