"""The operator's Postfix: a gateway with the lines of main.cf that the design asks for, and what real ones have besides.

Relays corp.example to Exchange on 127.0.0.1:2525, other.example by a hand-made map, rewrites
addresses, and sends its trusted clients' mail outward to a sink. The tables `directory`,
`learned`, `closed` and `unknown` lie in `maps`, which Postcensus (or a test by hand) fills.
"""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from postfix import Postfix, make_table

TABLES = ("directory", "learned", "closed", "unknown")
TRUSTED = "127.0.0.9"
STRANGER = "192.0.2.10"


class Gateway(Postfix):
    """gateway.corp.example on 127.0.0.1:25. 127.0.0.1 and 127.0.0.9 are trusted clients; 192.0.2.x are strangers."""

    def __init__(self, folder: Path, maps: Path, kind: str = "lmdb", domains: Sequence[str] = ("corp.example",),
                 exchange: str = "[127.0.0.1]:2525", sink: str = "[127.0.0.1]:2526",
                 greylist: bool = False, content_filter: bool = False,
                 aliases: dict[str, str] | None = None, canonical: dict[str, str] | None = None) -> None:
        super().__init__(folder, "gateway.corp.example")
        self.kind, self.maps, self.domains = kind, maps, domains
        maps.mkdir(parents=True, exist_ok=True)
        for name in TABLES:
            if not (maps / name).exists():
                self.publish(name, {})
        aliases = {"alias@corp.example": "info@corp.example"} if aliases is None else aliases
        canonical = {"anna.old@corp.example": "anna@corp.example"} if canonical is None else canonical
        other = self.table(kind, "other", {"listed@other.example": "OK"})
        self.settings.update({
            "mynetworks": "127.0.0.1/32 127.0.0.9/32", "recipient_delimiter": "+",
            "relay_domains": " ".join([*domains, "other.example"]),
            "relay_transport": "relay", "relayhost": sink,
            "transport_maps": self.table(kind, "transport", {
                **{domain: f"relay:{exchange}" for domain in domains}, "other.example": f"relay:{sink}"}),
            "virtual_alias_maps": self.table(kind, "virtual", aliases),
            "recipient_canonical_maps": self.table(kind, "canonical", canonical),
            "relay_recipient_maps": f"{kind}:{maps}/directory, {kind}:{maps}/learned, {other}",
            "unknown_relay_recipient_reject_code": "450",
            "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
            "smtpd_recipient_restrictions":
                f"\n    check_recipient_access {kind}:{maps}/unknown,\n    reject_unlisted_recipient,"
                f"\n    permit_mynetworks, permit_sasl_authenticated,\n    check_recipient_access {kind}:{maps}/closed,"
                "\n    reject_unauth_destination" + (GREYLIST if greylist else ""),
            "relay_destination_recipient_limit": "1",
        })
        self.reinjection = content_filter
        if content_filter:
            self.settings["content_filter"] = "smtp:[127.0.0.1]:10026"

    def master_services(self) -> str:
        """Two doors: 127.0.0.1 and 192.0.2.1. A content filter is played by handing all mail to the reinjection port."""
        doors = "".join(f"{address}:25 inet n - n - - smtpd\n" for address in (self.address, "192.0.2.1"))
        return doors + (REINJECTION if self.reinjection else "")

    def sections(self) -> dict[str, dict[str, object]]:
        """What a configuration of Postcensus says about this gateway."""
        return {"general": {"maps": self.maps, "table-type": self.kind, "postfix-config": self.etc},
                "log": {"source": "file", "path": self.log}}

    def publish(self, name: str, entries: dict[str, str] | Sequence[str]) -> None:
        """Fills one of the four tables by hand."""
        values = {"closed": "550 5.7.1 Recipient accepts mail from inside only", "unknown": "550 5.1.1 User unknown"}
        if not isinstance(entries, dict):
            entries = {key: values.get(name, "OK") for key in entries}
        make_table(self.kind, self.maps / name, entries)

    def path(self, name: str) -> str:
        """TYPE:PATH of one of the four tables."""
        return f"{self.kind}:{self.maps / name}"


REINJECTION = """\
127.0.0.1:10026 inet n - n - - smtpd
  -o content_filter=
  -o receive_override_options=no_unknown_recipient_checks,no_header_body_checks,no_address_mappings
  -o mynetworks=127.0.0.0/8
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
"""

GREYLIST = ",\n    check_policy_service { inet:127.0.0.1:10023, timeout=5s }"
