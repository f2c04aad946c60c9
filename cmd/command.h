// SPDX-License-Identifier: MIT
// What main() and the commands agree on: a table of commands, each in a file of its own.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "base/failure.h"
#include "config/configuration.h"

namespace postcensus::cmd {

struct Globals {
    std::filesystem::path config = "/etc/postcensus/postcensus.conf";
    std::string user;  // who asks
};

using Arguments = boost::program_options::variables_map;

struct Command {
    const char* name;
    const char* arguments;  // as --help shows them
    const char* summary;
    const char* log_level;  // unless --log-level says otherwise
    Result<ExitCode> (*run)(const Globals& globals, const Arguments& arguments);
    void (*add_options)(boost::program_options::options_description& options);
    const char* positional;  // the option that words without a name go to, or nothing
};

extern const Command kSync, kWatch, kFailsafe, kReport, kExplain, kProbe, kScan, kCheck, kApprove, kForget;

// Loads the configuration as root if we are root (it names secrets), then becomes the owner of the state's
// folder.
Result<config::Configuration> load_configuration(const Globals& globals, config::Secrets secrets);

// Has what a command wrote decided and published, here or by the running `watch`. 75 if that one does not get
// there in time.
Result<void> settle(const config::Configuration& configuration, store::Database& state);

// Words of a command line that are addresses, in the quoted form.
Result<std::vector<mail::Address>> parse_addresses(const std::vector<std::string>& words);

// The values of an option that may be given several times; none if it was not given.
std::vector<std::string> words(const Arguments& arguments, const char* name);

}  // namespace postcensus::cmd
