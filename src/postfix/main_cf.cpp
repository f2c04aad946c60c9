// SPDX-License-Identifier: MIT
#include "postfix/main_cf.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <optional>

#include "base/printable.h"
#include "base/process.h"

namespace postcensus::postfix {
namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, 4> kTypes{"hash", "btree", "lmdb", "cdb"};

bool known_type(std::string_view type) {
    for (const std::string_view known : kTypes)
        if (type == known) return true;
    return false;
}

// The type in "lmdb:/var/lib/postcensus/maps/directory", wherever it stands in a value.
std::optional<std::string> type_in(const std::string& value, const std::filesystem::path& maps) {
    const std::size_t at = value.find(":" + maps.string() + "/");
    if (at == std::string::npos) return std::nullopt;
    const std::size_t before = value.find_last_of(" ,\t:{", at - 1);
    return value.substr(before == std::string::npos ? 0 : before + 1,
                        at - (before == std::string::npos ? 0 : before + 1));
}

}  // namespace

Result<std::map<std::string, std::string>> read_parameters(const std::filesystem::path& config_dir,
                                                           const std::vector<std::string>& names) {
    std::vector<std::string> command{"postconf", "-c", config_dir.string(), "-x"};
    command.insert(command.end(), names.begin(), names.end());
    auto ran = run_process(command, {}, 20s);
    if (!ran)
        return fail(ExitCode::unavailable, "cannot ask Postfix for its configuration: " +
                                               ran.error().message + "; is Postfix installed?");
    if (ran->status != 0) {
        std::error_code ignored;
        const bool there = std::filesystem::exists(config_dir / "main.cf", ignored);
        return fail(there ? ExitCode::unavailable : ExitCode::configuration,
                    fmt::format("postconf cannot read the configuration in {}: {}; {}", config_dir.string(),
                                printable(ran->errors),
                                there ? "mend main.cf (postfix check)" : "check [general] postfix-config"));
    }
    std::map<std::string, std::string> values;
    for (std::size_t start = 0; start < ran->output.size();) {
        const std::size_t end = std::min(ran->output.find('\n', start), ran->output.size());
        const std::string line = ran->output.substr(start, end - start);
        if (const std::size_t equals = line.find(" ="); equals != std::string::npos)
            values[line.substr(0, equals)] = line.size() > equals + 3 ? line.substr(equals + 3) : "";
        start = end + 1;
    }
    return values;
}

Extensions read_extensions(const std::map<std::string, std::string>& values) {
    const auto value = [&values](const char* name) {
        const auto found = values.find(name);
        return found == values.end() ? std::string() : found->second;
    };
    Extensions extensions(value("recipient_delimiter"));
    extensions.owner_request_special = value("owner_request_special") != "no";
    if (const std::string sender = value("double_bounce_sender"); !sender.empty())
        extensions.double_bounce_sender = sender;
    return extensions;
}

Result<std::string> resolve_table_type(const Settings& settings) {
    if (settings.table_type != "auto") return settings.table_type;
    auto values =
        read_parameters(settings.config_dir,
                        {"relay_recipient_maps", "smtpd_recipient_restrictions", "default_database_type"});
    if (!values) return fail(values.error());
    for (const char* name : {"relay_recipient_maps", "smtpd_recipient_restrictions"})
        if (const auto type = type_in((*values)[name], settings.maps); type && known_type(*type))
            return *type;
    const std::string type = (*values)["default_database_type"];
    if (known_type(type)) return type;
    return fail(
        ExitCode::configuration,
        fmt::format(
            "Postfix's default_database_type '{}' is none that can be built here; set [general] table-type",
            printable(type)));
}

std::string main_cf_lines(const Settings& settings, const std::string& table_type) {
    const std::string table = table_type + ":" + settings.maps.string() + "/";
    return fmt::format(
        "relay_recipient_maps = {0}directory, {0}learned\n"
        "unknown_relay_recipient_reject_code = 450\n"
        "smtpd_recipient_restrictions =\n"
        "    check_recipient_access {0}unknown,\n"
        "    reject_unlisted_recipient,\n"
        "    permit_mynetworks, permit_sasl_authenticated,\n"
        "    check_recipient_access {0}closed,\n"
        "    reject_unauth_destination\n"
        "relay_destination_recipient_limit = 1\n",
        table);
}

}  // namespace postcensus::postfix
