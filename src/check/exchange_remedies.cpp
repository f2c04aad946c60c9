// SPDX-License-Identifier: MIT
#include "check/exchange_remedies.h"

#include <fmt/format.h>

#include "base/printable.h"
#include "check/talk_to_server.h"

namespace postcensus::check {
namespace {

// "EX1", for PowerShell.
std::string server_name(const callout::Target& target) {
    const std::string label = target.host.substr(0, target.host.find('.'));
    if (label.empty() || label.find_first_not_of("0123456789:") == std::string::npos) return "SERVER";
    std::string name;
    for (const char byte : label)
        name += byte >= 'a' && byte <= 'z' ? static_cast<char>(byte - 'a' + 'A') : byte;
    return printable(name);
}

}  // namespace

std::string connector_remedy(const callout::Target& target) {
    const std::string own = own_address_towards(target);
    return fmt::format(
        "New-ReceiveConnector -Name \"Postcensus\" -Server {0} -TransportRole HubTransport -Usage Custom "
        "-Bindings 0.0.0.0:{1} -RemoteIPRanges {2} -PermissionGroups AnonymousUsers -AuthMechanism Tls\n"
        "Set-ReceiveConnector \"{0}\\Postcensus\" -TarpitInterval 00:00:00 -MaxProtocolErrors unlimited",
        server_name(target), target.port, own.empty() ? "THIS-GATEWAYS-ADDRESS" : own);
}

std::string validation_remedy(const std::string& domain) {
    return fmt::format(
        "# docs/exchange.md first: what to do before, and which of these agents to disable\n"
        "& $env:ExchangeInstallPath\\Scripts\\Install-AntiSpamAgents.ps1; Restart-Service "
        "MSExchangeTransport\n"
        "Set-RecipientFilterConfig -Enabled $true -RecipientValidationEnabled $true\n"
        "# only if Active Directory has every recipient of {0} (not for one that is shared with the cloud)\n"
        "Set-AcceptedDomain {0} -AddressBookEnabled $true\n"
        "# and ask port 2525, not 25; a wanted catch-all: accept = @{0}",
        domain);
}

std::string accepted_domain_remedy(const std::string& domain) {
    return fmt::format("New-AcceptedDomain -Name {0} -DomainName {0} -DomainType Authoritative", domain);
}

std::string tarpit_remedy(const callout::Target& target) {
    return fmt::format(
        "Set-ReceiveConnector \"{}\\Postcensus\" -TarpitInterval 00:00:00 -MaxProtocolErrors unlimited\n"
        "# on the connector of this gateway: docs/exchange.md",
        server_name(target));
}

}  // namespace postcensus::check
