// SPDX-License-Identifier: MIT
#include "flow/ask/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "callout/session.h"
#include "flow/ask/controls.h"
#include "flow/ask/destinations.h"
#include "postfix/main_cf.h"
#include "store/addresses.h"
#include "store/callouts.h"
#include "store/domains.h"

namespace postcensus::flow {
namespace {

namespace asio = boost::asio;
using census::CalloutClass;

callout::SessionResult run_to_end(callout::Questions asked) {
    asio::io_context io;
    callout::SessionResult result;
    auto session = [](callout::Questions questions, callout::SessionResult& out) -> asio::awaitable<void> {
        auto ended = co_await callout::run_session(std::move(questions));
        out = std::move(ended);
    };
    std::exception_ptr broken;
    asio::co_spawn(io, session(std::move(asked), result),
                   [&broken](std::exception_ptr error) { broken = std::move(error); });
    io.run();
    if (broken) std::rethrow_exception(broken);
    return result;
}

CalloutClass class_of(callout::Health health) {
    switch (health) {
        case callout::Health::accept_all:
            return CalloutClass::accept_all;
        case callout::Health::fault:
            return CalloutClass::fault;
        case callout::Health::passed:
        case callout::Health::retry:
            break;
    }
    return CalloutClass::retry;
}

Result<Probed> ask_one(const config::Configuration& configuration, const config::Route& route,
                       store::Database* state, const std::string& helo, const mail::Address& address) {
    Probed probed{address};
    const auto targets = find_targets(configuration, route, address);
    if (!targets) return fail(targets.error());
    if (targets->empty())
        return fail(
            ExitCode::unavailable,
            fmt::format("Postfix's transport tables name no host for {}; name it in [route.{}] callout",
                        address.external(), route.name));
    for (const callout::Target& target : *targets) {
        if (state != nullptr) probed.began = state->current_seq().value_or(0);
        callout::SessionResult result =
            run_to_end({.target = target,
                        .helo = route.callout.helo.empty() ? helo : route.callout.helo,
                        .mail_from = route.callout.mail_from,
                        .tls = route.callout.tls,
                        .random_control = callout::make_random_control(address.domain()),
                        .known_good = controls_for(route, state, address),
                        .recipients = {address}});
        probed.target = target.text();
        probed.klass = class_of(result.health);
        probed.reason = result.reason;
        probed.transcript.insert(probed.transcript.end(), result.transcript.begin(), result.transcript.end());
        if (result.outcomes.empty()) {
            // Another host of the route may answer; a refusal of all of us is an answer.
            if (probed.klass == CalloutClass::retry) continue;
            return probed;
        }
        const census::CalloutOutcome& outcome = result.outcomes.front();
        probed.klass = outcome.klass;
        probed.reply = outcome.reply;
        probed.controls = outcome.controls;
        probed.heard = outcome.heard;
        if (census::conclusive(outcome.klass)) probed.reason.clear();
        return probed;
    }
    return probed;
}

}  // namespace

std::vector<mail::Address> controls_for(const config::Route& route, store::Database* state,
                                        const mail::Address& asked) {
    const std::string domain(asked.domain());
    std::vector<mail::Address> drawn;
    if (state != nullptr) {
        auto known = state->read([&](SQLite::Database& db) { return draw_controls(db, route, domain); });
        if (known) drawn = *std::move(known);
    }
    if (drawn.empty() && route.callout.control && route.callout.control->domain() == domain)
        drawn.push_back(*route.callout.control);
    // Nobody vouches for himself.
    std::erase(drawn, asked);
    return drawn;
}

std::string meaning_of(const Probed& probed) {
    switch (probed.klass) {
        case CalloutClass::deliverable:
            return "it exists: it is accepted, until the contrary is proved";
        case CalloutClass::unknown:
            return "it does not exist: if Postfix misses it, it is refused for unknown-expire";
        case CalloutClass::policy:
            return "it exists, and refuses senders from outside: closed";
        case CalloutClass::accept_all:
            return "this server accepts every recipient of the domain, so its word proves nothing: unknown "
                   "ones stay "
                   "at 450. Enable recipient validation, or say accept = @" +
                   std::string(probed.address.domain());
        case CalloutClass::fault:
            return "the server refuses us, or its controls failed: nothing is learned from it until that is "
                   "mended";
        case CalloutClass::retry:
            break;
    }
    return "no answer that proves anything now: nothing changes, and it is asked again while senders come "
           "back";
}

Result<std::vector<Probed>> probe(const config::Configuration& configuration, store::Database* state,
                                  const std::vector<mail::Address>& addresses) {
    for (const mail::Address& address : addresses) {
        const config::Route* route = configuration.route_of(address.domain());
        if (route == nullptr)
            return fail(ExitCode::usage, fmt::format("no route names the domain {}", address.domain()));
        if (!route->asks())
            return fail(ExitCode::usage,
                        fmt::format("[route.{}] has callout = none: nobody can be asked about {}",
                                    route->name, address.external()));
    }
    auto parameters = postfix::read_parameters(configuration.postfix.config_dir, {"myhostname"});
    if (!parameters) return fail(parameters.error());
    std::vector<Probed> all;
    all.reserve(addresses.size());
    for (const mail::Address& address : addresses) {
        auto probed = ask_one(configuration, *configuration.route_of(address.domain()), state,
                              (*parameters)["myhostname"], address);
        if (!probed) return fail(probed.error());
        all.push_back(*std::move(probed));
    }
    return all;
}

Result<void> store_probed(store::Database& state, const std::vector<Probed>& probed, const Moment& now) {
    return state.write([&](store::Writer& writer) {
        store::AddressBook book(writer);
        for (const Probed& one : probed) {
            const std::string domain(one.address.domain());
            if (one.klass == CalloutClass::accept_all) store::set_accept_all(writer, domain, true);
            if (!census::conclusive(one.klass)) continue;
            store::set_accept_all(writer, domain, false);
            store::record_callout(writer, book.ensure(one.address),
                                  {one.address, one.klass, one.target, one.reply, one.controls}, one.began,
                                  one.heard.seen_at(now));
        }
    });
}

}  // namespace postcensus::flow
