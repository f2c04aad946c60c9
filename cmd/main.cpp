// SPDX-License-Identifier: MIT
// postcensus(8): the command table, the options that all commands share, and the single catch.
#include <fmt/format.h>
#include <sys/stat.h>

#include <malloc.h>
#include <array>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/parsers.hpp>

#include <csignal>
#include <iostream>

#include "base/log.h"
#include "base/notify.h"
#include "base/privileges.h"
#include "cmd/command.h"
#include "directory/session.h"

namespace postcensus::cmd {
namespace {

namespace po = boost::program_options;

const std::array<const Command*, 10> kCommands{&kSync,    &kWatch, &kFailsafe, &kProbe,   &kReport,
                                               &kExplain, &kScan,  &kCheck,    &kApprove, &kForget};

std::string general_help() {
    std::string text =
        "Usage: postcensus [--config FILE] [--log-level LEVEL] COMMAND ...\n\n"
        "Keeps a census of the mailboxes behind a Postfix gateway, and publishes it as lookup "
        "tables.\n\nCommands:\n";
    for (const Command* command : kCommands)
        text += fmt::format("  {:<9} {}\n", command->name, command->summary);
    text +=
        "\nOptions:\n"
        "  --config FILE      the configuration (default /etc/postcensus/postcensus.conf)\n"
        "  --log-level LEVEL  debug, info, warning or error, on standard error\n"
        "  --help             this text; behind a command, that command's\n"
        "  --version          the version\n"
        "\nExit codes: 0 done, 1 a negative finding, 64 usage, 69 a server is unavailable or at fault, 70 an "
        "internal error, 73 cannot write, 75 try again, 78 configuration.\n"
        "See postcensus(8) and postcensus.conf(5).\n";
    return text;
}

po::options_description options_of(const Command& command) {
    po::options_description options(
        fmt::format("Usage: postcensus [--config FILE] [--log-level LEVEL] {} {}\n\nTo {}.\n\nOptions",
                    command.name, command.arguments, command.summary));
    if (command.add_options != nullptr) command.add_options(options);
    options.add_options()("help", "this text");
    return options;
}

Result<ExitCode> run_command(const Command& command, const Globals& globals,
                             const std::vector<std::string>& rest) {
    po::options_description visible = options_of(command);
    po::options_description all;
    all.add(visible);
    po::positional_options_description positional;
    if (command.positional != nullptr) {
        all.add_options()(command.positional, po::value<std::vector<std::string>>());
        positional.add(command.positional, -1);
    }
    po::variables_map arguments;
    try {
        po::store(po::command_line_parser(rest).options(all).positional(positional).run(), arguments);
        po::notify(arguments);
    } catch (const po::error& error) {
        return fail(ExitCode::usage, fmt::format("{}: {}; see postcensus {} --help", command.name,
                                                 error.what(), command.name));
    }
    if (arguments.contains("help")) {
        std::cout << visible;
        return ExitCode::done;
    }
    return command.run(globals, arguments);
}

struct CommandLine {
    Globals globals;
    std::string log_level;
    std::string command;
    std::vector<std::string> rest;
    bool help = false, version = false;
};

// The shared options stand before the command; everything behind it is the command's.
Result<CommandLine> split_command_line(const std::vector<std::string>& words) {
    CommandLine line;
    line.globals.user = invoking_user();
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        const std::size_t equals = word.find('=');
        const std::string name = word.substr(0, equals);
        if (name == "--config" || name == "--log-level") {
            if (equals == std::string::npos && i + 1 == words.size())
                return fail(ExitCode::usage, name + " wants a value");
            const std::string value = equals == std::string::npos ? words[++i] : word.substr(equals + 1);
            if (name == "--config")
                line.globals.config = value;
            else
                line.log_level = value;
        } else if (word == "--help" || word == "-h") {
            line.help = true;
        } else if (word == "--version") {
            line.version = true;
        } else if (word.starts_with('-')) {
            return fail(ExitCode::usage, fmt::format("there is no option {}; see postcensus --help", word));
        } else {
            line.command = word;
            line.rest.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
            break;
        }
    }
    return line;
}

Result<ExitCode> run(const std::vector<std::string>& words) {
    auto line = split_command_line(words);
    if (!line) return fail(line.error());
    if (line->version) {
        std::cout << "postcensus " POSTCENSUS_VERSION "\n";
        return ExitCode::done;
    }
    if (line->help) {
        std::cout << general_help();
        return ExitCode::done;
    }
    for (const Command* command : kCommands) {
        if (line->command != command->name) continue;
        if (auto log = set_up_log(line->log_level.empty() ? command->log_level : line->log_level); !log)
            return fail(log.error());
        return run_command(*command, line->globals, line->rest);
    }
    if (line->command.empty()) return fail(ExitCode::usage, "name a command; see postcensus --help");
    return fail(ExitCode::usage,
                fmt::format("there is no command '{}'; see postcensus --help", line->command));
}

}  // namespace

Result<config::Configuration> load_configuration(const Globals& globals, config::Secrets secrets) {
    auto configuration = config::load(globals.config, secrets);
    if (!configuration) return configuration;
    if (auto became = become_owner_of(configuration->state.path.parent_path()); !became)
        return fail(became.error());
    return configuration;
}

Result<std::vector<mail::Address>> parse_addresses(const std::vector<std::string>& words) {
    std::vector<mail::Address> addresses;
    for (const std::string& word : words) {
        auto address = mail::Address::from_external(word);
        if (!address) return fail(ExitCode::usage, fmt::format("'{}' is not an address", word));
        addresses.push_back(*std::move(address));
    }
    return addresses;
}

std::vector<std::string> words(const Arguments& arguments, const char* name) {
    if (!arguments.contains(name)) return {};
    return arguments[name].as<std::vector<std::string>>();
}

}  // namespace postcensus::cmd

int main(int argc, char** argv) {
    using postcensus::ExitCode;
    ::umask(027);                   // the state holds addresses; tables get a mode of their own
    std::signal(SIGPIPE, SIG_IGN);  // a pipe or a server that has gone is an error like any other
    // A large table's memory goes back to the system when it is out; by itself malloc keeps more each time.
    ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);  // NOLINT(concurrency-mt-unsafe): before any thread
    postcensus::directory::set_up_library();
    try {
        const auto ended = postcensus::cmd::run({argv + 1, argv + argc});
        std::cout.flush();
        if (ended) {
            if (!std::cout && *ended == ExitCode::done) return static_cast<int>(ExitCode::cannot_write);
            return static_cast<int>(*ended);
        }
        std::cerr << "postcensus: " << ended.error().message << "\n";
        postcensus::notify_status(ended.error().message);
        return static_cast<int>(ended.error().code);
    } catch (const std::exception& error) {
        std::cerr << "postcensus: internal error: " << error.what() << "\n";
        return static_cast<int>(ExitCode::software);
    }
}
