// SPDX-License-Identifier: MIT
#include "check/master_cf.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/printable.h"
#include "base/process.h"
#include "postfix/lookup.h"
#include "postfix/main_cf.h"

namespace postcensus::check {
namespace {

using namespace std::chrono_literals;

constexpr auto kMasterPatience = 10s;
constexpr std::size_t kColumns = 8;  // name, type, private, unprivileged, chroot, wake-up, limit, command

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (end > 0) lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

Result<std::string> run_postconf(const std::filesystem::path& config_dir, const char* what) {
    auto ran = run_process({"postconf", "-c", config_dir.string(), what}, {}, kMasterPatience);
    if (!ran) return fail(ran.error());
    if (ran->status != 0)
        return fail(ExitCode::configuration,
                    fmt::format("postconf {} failed: {}", what, printable(ran->errors)));
    return std::move(ran->output);
}

}  // namespace

std::string_view Service::port() const {
    if (type != "inet") return {};
    const std::size_t colon = name.rfind(':');
    return std::string_view(name).substr(colon == std::string::npos ? 0 : colon + 1);
}

std::vector<Service> parse_services(std::string_view services, std::string_view overrides) {
    std::vector<Service> all;
    for (const std::string_view line : lines_of(services)) {
        const std::vector<std::string> words = postfix::split_list(line);
        // A line of arguments belongs to the service before it.
        if (line.front() == ' ' || line.front() == '\t' || words.size() < kColumns) continue;
        all.push_back({words[0], words[1], words[kColumns - 1], words[4] == "y", {}});
    }
    // "smtp/inet/smtpd_client_restrictions = reject": neither a type nor a parameter has a slash.
    for (const std::string_view line : lines_of(overrides)) {
        const std::size_t equals = line.find(" =");
        if (equals == std::string_view::npos) continue;
        const std::string_view key = line.substr(0, equals);
        const std::size_t slash = key.rfind('/');
        if (slash == std::string_view::npos) continue;
        std::string_view value = line.substr(equals + 2);
        if (value.starts_with(' ')) value.remove_prefix(1);
        for (Service& service : all)
            if (service.text() == key.substr(0, slash))
                service.overrides[std::string(key.substr(slash + 1))] = value;
    }
    return all;
}

std::string Snapshot::value(const std::string& name) const {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string{} : found->second;
}

std::string Snapshot::value(const Service& service, const std::string& name) const {
    const auto found = service.overrides.find(name);
    return found == service.overrides.end() ? value(name) : found->second;
}

Result<Snapshot> take_snapshot(const std::filesystem::path& config_dir) {
    auto parameters = postfix::read_parameters(config_dir, {});
    if (!parameters) return fail(parameters.error());
    auto services = run_postconf(config_dir, "-Mx");
    if (!services) return fail(services.error());
    auto overrides = run_postconf(config_dir, "-Px");
    if (!overrides) return fail(overrides.error());
    auto types = run_postconf(config_dir, "-m");
    if (!types) return fail(types.error());
    return Snapshot{*std::move(parameters), parse_services(*services, *overrides),
                    postfix::split_list(*types)};
}

}  // namespace postcensus::check
