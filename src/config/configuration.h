// SPDX-License-Identifier: MIT
// The configuration file, read whole and checked whole: each folder's own Settings, and the routes that tie
// them together. postcensus.conf(5) describes every key.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "callout/session.h"
#include "census/admission.h"
#include "census/decide.h"
#include "census/gate.h"
#include "directory/session.h"
#include "maillog/log_source.h"
#include "postfix/main_cf.h"
#include "store/database.h"

namespace postcensus::config {

// How one set of domains is answered: [route.NAME].
struct Route {
    std::string name;
    std::vector<std::string> domains;
    bool ask_postfix_for_domains = false;  // domains = postfix: those that the state knows come to the others
    callout::Settings callout;
    std::vector<mail::Address> accept;        // always accepted
    std::vector<std::string> accept_domains;  // wanted catch-alls
    census::Policy policy;
    std::chrono::milliseconds deliverable_refresh{};

    bool asks() const { return !callout.targets.empty() || callout.ask_postfix; }
    bool accepts(const mail::Address& address) const;
    bool accepts_all_of(const std::string& domain) const;  // a wanted catch-all
    // What of it decides, in one text: another text means that answers may change.
    std::string policy_text(const std::string& domain) const;
};

struct Configuration {
    std::filesystem::path file;
    std::string digest;  // of the text of the file and of the files that it names, secrets left out
    store::Settings state;
    postfix::Settings postfix;
    std::chrono::milliseconds publish_interval{};
    std::filesystem::path metrics_dir;  // empty: no metrics
    census::GateLimits gate;
    maillog::Settings log;
    std::vector<directory::Settings> directories;
    std::vector<Route> routes;
    std::vector<std::string> postfix_domains;  // as set_postfix_domains() had them
    census::Budget budget;
    std::map<std::string, std::size_t, std::less<>> route_by_domain;

    const Route* route_of(std::string_view domain) const;
    // Whether callouts are to prove recipients of this domain: then a server that accepts all of them is at
    // fault. Not where nobody is asked, and not where everybody is wanted.
    bool needs_proof(const std::string& domain) const;
    bool asks_postfix_for_domains() const;
    // What Postfix relays, and no route names, belongs to the route that asks it. Once, before it is used.
    void set_postfix_domains(const std::vector<std::string>& domains);
    // Of all routes: no rejection runs longer.
    std::chrono::milliseconds longest_lease() const;
};

// Who talks to no directory reads no secret: such a command works for whoever can read the configuration.
enum class Secrets { read, left };

// With Secrets::left it says nothing of them, and talks to no directory.
Result<Configuration> load(const std::filesystem::path& file, Secrets secrets = Secrets::read);

// Every key that a file may have, as "section key": for the test that all are documented.
std::vector<std::string> known_keys();

}  // namespace postcensus::config
