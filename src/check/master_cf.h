// SPDX-License-Identifier: MIT
// main.cf and master.cf together, as Postfix itself understands them at one moment: through postconf(1), with
// defaults, includes and $names resolved. Taking it blocks; all else is pure.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"

namespace postcensus::check {

struct Service {
    std::string name;     // "smtp" or "127.0.0.1:10026"
    std::string type;     // inet, unix, pass
    std::string program;  // "smtpd"
    bool chrooted = false;
    std::map<std::string, std::string> overrides;  // -o NAME=VALUE

    std::string text() const { return name + "/" + type; }
    // "25", "smtp", "10026"; empty if it does not listen on the network.
    std::string_view port() const;
};

// From what `postconf -M` and `postconf -P` print.
std::vector<Service> parse_services(std::string_view services, std::string_view overrides);

struct Snapshot {
    std::map<std::string, std::string> parameters;
    std::vector<Service> services;
    std::vector<std::string> table_types;  // postconf -m

    // Empty if there is no such parameter.
    std::string value(const std::string& name) const;
    std::string value(const Service& service, const std::string& name) const;
};

Result<Snapshot> take_snapshot(const std::filesystem::path& config_dir);

}  // namespace postcensus::check
